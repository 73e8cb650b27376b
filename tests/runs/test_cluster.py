"""Runs on a Ray cluster: same store, same results, each machine with locks of its own."""

import sys

import numpy as np
import pytest

from tests.runs.new_runs import new_spec
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.token_changes import TokenChange
from tokenunlearn.runs.cluster import carry_out
from tokenunlearn.runs.launch import RunProcess
from tokenunlearn.runs.locks import MACHINE, device_lock
from tokenunlearn.runs.runner import execute


def nll_after(changes: list[TokenChange]) -> np.ndarray:
    return np.concatenate([change.nll_after for change in changes])


def test_without_ray_one_sentence_says_how_to_install_it(store, samples, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    run = store.create(new_spec(samples))
    with pytest.raises(RunError, match=r"pip install \"tokenunlearn\[ray\]\""):
        next(carry_out([run], "local"))
    assert (run.state.status, run.own) == ("failed", False)


def test_machines_that_share_a_folder_have_locks_of_their_own(tmp_path, monkeypatch):
    assert device_lock(tmp_path, "cpu").name == "cpu.lock"
    monkeypatch.setenv(MACHINE, "node/7")
    assert device_lock(tmp_path, "cpu").name == "node-7-cpu.lock"


@pytest.mark.slow
def test_a_grid_on_a_local_cluster_is_what_this_process_makes_of_it_and_a_failed_run_says_why(
    store, samples, tiny_folder, monkeypatch
):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else it waits for whatever else this machine does
    specs = [
        new_spec(samples, model=str(tiny_folder), config={"learning_rate": rate}) for rate in (1e-4, 1e-3)
    ]
    here = [store.create(spec) for spec in specs]
    assert [execute(run).status for run in here] == ["completed", "completed"]
    there = [store.create(new_spec(samples, model=str(tiny_folder), config=dict(s.config))) for s in specs]
    failing = store.create(new_spec(samples, model="./gone"))
    assert list(carry_out([*there, failing], "local")) == [*there, failing]
    for run, other in zip(there, here, strict=True):
        assert run.state.status == "completed"
        assert RunProcess.of(run) != RunProcess.present()
        np.testing.assert_allclose(nll_after(run.token_changes), nll_after(other.token_changes), atol=1e-6)
    assert failing.state.status == "failed"
    assert "./gone" in failing.state.message
