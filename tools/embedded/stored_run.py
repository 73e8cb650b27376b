"""Makes the run that is shipped with the repository, so that it can be shown and asked on first start."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file, save_file

from tokenunlearn.attribution.selection import HardSelection, describe_rule
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.attacks import attack
from tokenunlearn.evaluation.report import versions
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.judgment import save_verdict
from tokenunlearn.runs.retraining import retrained_for
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.run_depth import save_run_depth
from tokenunlearn.runs.run_files import ATTACKS_REPORT, SHIPPED_FILES
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings
from tools.embedded.card import FORGET

LABEL = "Forget six authors"
# Samples per split that a real language model is evaluated on, and forget samples that it is attacked on: on
# a processor each takes a quarter of an hour.
EVALUATED, ATTACKED = 72, 24


def shipped_spec() -> RunSpec:
    """What the shipped run does: by default settings it forgets six authors in a small adapter of SmolLM2."""
    settings = {"lora_r": 8, "lora_alpha": 16}
    return RunSpec.new(
        label=LABEL,
        model="smollm2-authors",
        samples=FORGET["authors"],
        retain="authors:retain90",
        rule=describe_rule(HardSelection()),
        config=asdict(UnlearnSettings.from_settings(settings)),
        scoring={"preset": "default"},
        evaluate=EVALUATED,
        watch=WatchSettings(every=10, samples=12).described(),
        versions=versions(),
    )


def make_stored_run(watch: Callable[[Run, Callable[..., RunState]], RunState]) -> Path:
    """Carry out the shipped run, evaluate it in every way, and put it in ``assets/runs``; about an hour.

    Args:
        watch: Calls its second argument, which executes a run, on the first, and shows progress meanwhile.

    Raises:
        RunError: If the run did not complete; the one shipped before stays then.
    """
    with tempfile.TemporaryDirectory() as scratch:
        run = RunStore(scratch).create(shipped_spec())
        watch(run, execute)
        if run.state.status != "completed":
            raise RunError(f'The run to be shipped is {run.state.status}: "{run.state.message}".')
        samples = load_samples(run.spec.samples).spread(ATTACKED)
        retrained = retrained_for(run)
        attack(run.result.load(), samples, retrained).save(run.folder / ATTACKS_REPORT)
        save_verdict(run)
        if retrained:
            save_run_depth(run, retrained)
        return ship(run, ASSETS / "runs")


def ship(run: Run, folder: Path) -> Path:
    """Copy what a run has measured and said, and its weights, in place of the runs shipped before.

    Args:
        run: A run that has ended.
        folder: Folder of the shipped runs.
    """
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / run.id
    target.mkdir(parents=True)
    for name in SHIPPED_FILES:
        if (run.folder / name).exists():
            shutil.copyfile(run.folder / name, target / name)
    if run.adapter:
        _ship_weights(run.adapter, target / "adapter")
    for path in target.rglob("*.*"):
        path.chmod(0o644)
    return target


def _ship_weights(adapter: Path, target: Path) -> None:
    """Copy what a run changed, in half precision like the shipped models."""
    target.mkdir()
    for path in adapter.glob("*.json"):
        shutil.copyfile(path, target / path.name)
    for path in adapter.glob("*.safetensors"):
        tensors = {name: tensor.half() for name, tensor in load_file(path).items()}
        save_file(tensors, target / path.name, metadata={"format": "pt"})
