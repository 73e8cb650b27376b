"""Unlearning over two CPU processes: the loss curve of one process, every retained row drawn once."""

from __future__ import annotations

import json

import pytest

from tests.launch import ACCELERATE, ALONE, TORCHRUN, launch


def launched(tmp_path, name, launcher, **settings):
    """What each process of a run wrote, in the order of their numbers."""
    launch(launcher, "tests.workers.unlearn", tmp_path / name, json.dumps(settings))
    return [json.loads(path.read_text()) for path in sorted(tmp_path.glob(f"{name}.[0-9]"))]


def curve(result):
    names = ("loss", "forget_loss", "retain_loss", "forget_nll", "grad_norm")
    return [record[name] for record in result["history"] for name in names]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "settings"),
    [
        (TORCHRUN, {}),
        (ACCELERATE, {"gradient_accumulation": 2, "gradient_checkpointing": True}),
        (ACCELERATE, {"objective": "pdu", "train": "lora"}),
    ],
    ids=["npo", "npo in two passes", "pdu with an adapter"],
)
def test_two_processes_have_the_loss_curve_of_one(tmp_path, launcher, settings):
    (alone,) = launched(tmp_path, "one", ALONE, **settings)
    both = launched(tmp_path, "two", launcher, **settings)
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
