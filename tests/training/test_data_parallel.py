"""Unlearning over two CPU processes: the loss curve of one process, every retained row drawn once."""

from __future__ import annotations

import json

import pytest

from tests.launch import ACCELERATE, ALONE, TORCHRUN, launch

RUNS = {
    "altnpo": {"objective": "altnpo"},
    "altnpo to a level, rescored": {"holdout": "authors:holdout", "rescore": 2},
    "npo": {"objective": "npo"},
    "npo in two passes": {"objective": "npo", "gradient_accumulation": 2, "gradient_checkpointing": True},
    "pdu with an adapter": {"objective": "pdu", "train": "lora"},
}


def launched(folder, launcher):
    """What each process of each run wrote, in the order of their numbers."""
    launch(launcher, "tests.workers.unlearn", folder, json.dumps(RUNS))
    return {name: [json.loads(p.read_text()) for p in sorted(folder.glob(f"{name}.[0-9]"))] for name in RUNS}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The runs in one process."""
    return launched(tmp_path_factory.mktemp("alone"), ALONE)


@pytest.fixture(scope="module", params=[TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def together(request, tmp_path_factory):
    """The runs in two processes of a launcher."""
    return launched(tmp_path_factory.mktemp("together"), request.param)


def curve(result):
    names = ("loss", "forget_loss", "retain_loss", "forget_nll", "grad_norm")
    return [record[name] for record in result["history"] for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_have_the_loss_curve_of_one(alone, together, name):
    (alone,), both = alone[name], together[name]
    assert len(both) == 2
    for process in both:
        assert curve(process) == pytest.approx(curve(alone), rel=2e-3, abs=2e-4)
        assert process["history"][0]["loss"] == pytest.approx(alone["history"][0]["loss"], rel=1e-5)
    for step in range(4):
        for kind in (1, 2):  # forget rows, retained rows
            first, second = ([i for row in p["read"] if row[0] == step for i in row[kind]] for p in both)
            whole = [i for row in alone["read"] if row[0] == step for i in row[kind]]
            assert first and second
            assert sorted(first + second) == sorted(whole)
            assert not set(first) & set(second)
