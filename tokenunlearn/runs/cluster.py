"""Runs on the machines of a Ray cluster, which share the folder of runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from tokenunlearn.errors import RunError
from tokenunlearn.runs.launch import PROCESS, hand_over, take_over
from tokenunlearn.runs.locks import MACHINE
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.runner import end, execute

# Seconds between two looks at what has been taken and what has ended.
POLL = 0.1


def carry_out(runs: Sequence[Run], address: str, gpus: float | None = None) -> Iterator[Run]:
    """Carry out runs on a cluster, each as a task of its own, and yield each, in order, once it has ended.

    Ray decides what runs where and when. A run that waits belongs to this process, and one that a machine has
    taken to that machine's. Where a task is lost with its machine, its run reads as interrupted and can be
    resumed.

    Args:
        runs: Runs of one folder that belong to this process; every machine sees that folder under its path.
        address: Address of the cluster as ``ray.init`` takes it, or "local".
        gpus: GPUs of each run; by default one where the cluster has any.

    Raises:
        RunError: If Ray is not installed, or the cluster cannot be reached; the runs have failed then.
    """
    try:
        ray = _connected(address)
    except RunError as error:
        for run in runs:
            end(run, status="failed", message=str(error))
        raise
    for run in runs:
        (run.folder / PROCESS).unlink(missing_ok=True)
    try:
        resources = ray.cluster_resources()
        number = gpus if gpus is not None else float(resources.get("GPU", 0) > 0)
        task = ray.remote(num_cpus=1, num_gpus=number, max_retries=0)(_work)
        for run, work in [(run, task.remote(str(run.folder.absolute()))) for run in runs]:
            while not ray.wait([work], timeout=POLL)[0]:
                hand_over(runs)
            try:
                ray.get(work)
            except ray.exceptions.RayError as error:
                if run.own:
                    end(run, status="failed", message=f"The cluster could not start it: {error}"[:500])
            yield run
    finally:
        ray.shutdown()


def _connected(address: str) -> ModuleType:
    """Ray, connected to a cluster.

    Raises:
        RunError: If it is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise RunError('Ray is not installed; install it with pip install "tokenunlearn[ray]".') from None
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RunError(f'The Ray cluster "{address}" cannot be reached: {error}') from None
    return ray


def _work(folder: str) -> None:
    """Be the process of a run, on the machine that Ray has chosen."""
    import ray

    os.environ[MACHINE] = ray.get_runtime_context().get_node_id()
    run = Run(Path(folder))
    take_over([run])
    execute(run)
