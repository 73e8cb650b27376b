"""The study: every way to weight tokens with every objective, tuned alike, on several worlds and seeds.

    python -m benchmarks.study [--worlds demo,demo-prose] [--seeds 0,1,2] [--rules uniform,hard]
        [--objectives npo,simnpo] [--out benchmarks/results/study]
    python -m benchmarks.study --model tofu_Llama-3.2-1B-Instruct_full --suite tofu --seeds 0,1,2

A method is an objective with a rule. Each method has the same number of trials, proposed by optuna, to choose
learning rate, lambda and last step on the validation half of the questions, with a seed of its own. A cell is
one run of a tuned method with one seed, measured on the test half. Every trial and every cell is stored at
once, whole or not at all, in ``WORLD.jsonl`` in the folder ``--out``, and is not run again: stop at any time,
and start again to go on. One process at a time works on a world. The leading rules come first, then the
others, then the next seed.
``python -m benchmarks.evidence`` writes ``docs/evidence.md`` from what there is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import optuna
import typer
from optuna.distributions import BaseDistribution, FloatDistribution
from rich.console import Console

import tokenunlearn as tu
from benchmarks import code_versions
from benchmarks.lower_layers import LowerLayers
from benchmarks.study_measures import Case, distance
from benchmarks.study_plan import (
    FLOOR,
    FOLDER,
    GPU,
    RULES,
    STUDIED,
    WORLDS,
    Method,
    Row,
    World,
    planned,
    stored_rows,
)
from benchmarks.study_rules import Rules
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.measurement import Measurement
from tokenunlearn.evaluation.suites.suite import SUITES, known_retrained
from tokenunlearn.files import replaced
from tokenunlearn.models.checkpoints import RETAINED
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.objectives import OBJECTIVES, check_known
from tokenunlearn.runs.locks import acquire, release
from tokenunlearn.training.settings import CONSTANT, UnlearnSettings
from tokenunlearn.training.unlearn import Unlearned

TUNING_SEED = 1000
# How far trials go from the recommended settings, as factors either way.
RANGES = {"learning_rate": 3.0, "lambda_": 5.0}


@dataclass
class Store:
    """Rows of one world, in a file that is always whole.

    Attributes:
        path: The file: a line each for the world, every trial and every cell.
    """

    path: Path

    @cached_property
    def rows(self) -> list[Row]:
        """All rows; the first one is the world's."""
        return stored_rows(self.path)

    def add(self, row: Row) -> None:
        """Add a row and write the file."""
        self.rows.append(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(self.path) as file:
            file.write("".join(json.dumps(r, allow_nan=False) + "\n" for r in self.rows).encode())

    def begin(self, world: World) -> None:
        """Refuse to go on with other settings than the file's; more seeds may follow.

        Raises:
            TokenUnlearnError: If the file holds another world, or another budget.
        """
        if self.rows and self.rows[0]["world"] | {"seeds": world.seeds} != world.described():
            raise TokenUnlearnError(
                f'"{self.path}" holds results of other settings; choose another folder with --out.'
            )

    def find(self, **values: Any) -> Row | None:
        """The first row with these values."""
        return next((r for r in self.rows if all(r.get(k) == v for k, v in values.items())), None)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Work on a result file that no other process works on, since each would drop the other's rows.

    Raises:
        TokenUnlearnError: If one does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock")
    if not acquire(lock, timeout=0):
        raise TokenUnlearnError(f'Another process works on "{path}"; choose other --worlds or --out.')
    try:
        yield
    finally:
        release(lock)


class Clock:
    """Time since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic(), time.process_time()

    def read(self) -> Row:
        """Seconds of wall and of processor time."""
        wall, cpu = self._started
        return {
            "seconds": round(time.monotonic() - wall, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
        }


class Study:
    """Trials and cells of one world.

    Args:
        world: The world.
        store: Its rows.
    """

    def __init__(self, world: World, store: Store) -> None:
        self.world, self.store, self.budget = world, store, world.budget
        store.begin(world)

    @cached_property
    def case(self) -> Case:
        """The world with its model; its row is stored when it is first needed."""
        case = Case(self.world)
        basis = {"revision": case.model.revision, "selection": Rules(case).selection}
        if not self.store.rows:
            self.store.add({**case.head(), **basis, **code_versions()})
        elif any(self.store.rows[0][name] != value for name, value in basis.items()):
            raise TokenUnlearnError(
                f'"{self.store.path}" was made with other weights of "{self.world.model}" or another default '
                "selection; choose another folder with --out."
            )
        return case

    @cached_property
    def rules(self) -> Rules:
        """Token weights."""
        return Rules(self.case)

    def recommended(self, objective: str) -> dict[str, float]:
        """Learning rate and lambda that are recommended for an objective on this model."""
        settings = UnlearnSettings(objective=objective).resolved(self.case.model)
        return {name: float(getattr(settings, name)) for name in RANGES}

    def unlearn(self, method: Method, seed: int, tuned: Mapping[str, float], on_weights: Any) -> Unlearned:
        """One run; no frame loss and no level, so that the token weights are the only thing that differs.

        The learning rate stays after warmup, so that a measurement on the way is as good as one at the end.
        """
        case, budget = self.case, self.budget
        lower = LowerLayers(0) if OBJECTIVES[method.objective].few_modules else case.lower
        settings = {
            "objective": method.objective,
            "seed": seed,
            "frame": 0.0,
            "holdout": "none",
            "lr_scheduler_type": CONSTANT,
            "steps": budget.steps,
            "batch_size": budget.batch_size,
            "retain_batch_size": budget.retain_batch_size,
            "first_layer": lower.first_layer,
            **self.rules.settings(method.rule),
            **tuned,
        }
        weights = self.rules.weights(method.rule)
        with lower.once(case.model):  # the copy in training keeps to it, in measurements too
            return tu.unlearn(
                case.model, case.forget, weights, retain=case.retain, on_weights=on_weights, **settings
            )

    def due(self, step: int) -> bool:
        """Whether a model is measured after a step."""
        return step > 0 and (step % self.budget.every == 0 or step == self.budget.steps)

    def score(self, p: Sequence[float | None], utility: float) -> float:
        """How good a model is on the validation half; at most 1.

        1 minus the distance from the retrained model, as a share of the start model's, less 1 for every 2 %
        of the start model's utility that are missing below 98 %.
        """
        start, retrained = self.case.levels
        reached = 1 - distance(p, retrained.p) / distance(start.p, retrained.p)
        return reached - max(0.0, FLOOR - utility / start.utility) / (1 - FLOOR)

    def trial(self, method: Method, tuned: Mapping[str, float]) -> Row:
        """One trial: its curve on the validation half, its best step and the score there."""
        clock = Clock()
        curve: list[Row] = []

        def measure(model: LoadedModel, step: int) -> None:
            if self.due(step):
                _, point = self.case.validation.measure(model, answers=False)
                score = round(self.score(point.p, point.utility), 4)
                curve.append({"step": step, "utility": round(point.utility, 4), "score": score})

        run = self.unlearn(method, TUNING_SEED, tuned, measure)
        best = max(curve, key=lambda point: point["score"], default={"step": self.budget.every, "score": -99})
        return {
            "tuned": dict(tuned),
            "step": best["step"],
            "score": best["score"],
            "curve": curve,
            "stopped": run.stopped,
            **clock.read(),
        }

    def tuned(self, method: Method) -> Row:
        """The best of the method's trials; those that are missing are run."""
        recommended = self.recommended(method.objective)
        ranges: dict[str, BaseDistribution] = {
            name: FloatDistribution(value / RANGES[name], value * RANGES[name], log=True)
            for name, value in recommended.items()
        }
        sampler = optuna.samplers.TPESampler(seed=TUNING_SEED, n_startup_trials=2)
        tuning = optuna.create_study(direction="maximize", sampler=sampler)
        tuning.enqueue_trial(recommended)
        rows = []
        for number in range(self.budget.trials):
            trial = tuning.ask(ranges)
            key = {"kind": "trial", **method.named, "number": number}
            row = self.store.find(**key)
            if row is None:
                row = key | self.trial(method, {k: float(f"{v:.4g}") for k, v in trial.params.items()})
                self.store.add(row)
            tuning.tell(trial, row["score"])
            rows.append(row)
        return max(rows, key=lambda row: row["score"])

    def cell(self, method: Method, seed: int) -> Row:
        """One run of a tuned method, measured on the test half on its way and at the tuned step."""
        best = self.tuned(method)
        clock = Clock()
        curve: list[Row] = []
        end: list[Measurement] = []

        def measure(model: LoadedModel, step: int) -> None:
            if self.due(step):
                measurement, point = self.case.test.measure(model, answers=step == best["step"])
                curve.append({"step": step, **point.described()})
                if step == best["step"]:
                    end.append(measurement)

        run = self.unlearn(method, seed, best["tuned"], measure)
        if not end:  # stopped before: its last good weights are what it leaves behind
            measurement, point = self.case.test.measure(run.model, answers=True)
            curve.append({"step": run.good_step, **point.described()})
            end.append(measurement)
        return {
            "kind": "cell",
            **method.named,
            "seed": seed,
            "tuned": best["tuned"],
            "step": min(best["step"], curve[-1]["step"]),
            "validation": best["score"],
            "stopped": run.stopped,
            **self.case.figures(end[0]),
            "curve": curve,
            **clock.read(),
        }


def world_of(model: str, suite: str, forget: str = "", retain: str = "") -> World:
    """The world of a model that is not listed, with the budget of a GPU.

    Args:
        model: Name of the model.
        suite: Suite that measures it.
        forget: Split to be forgotten; the suite's by default.
        retain: Split that training retains; by default what the retrained model has seen.

    Raises:
        TokenUnlearnError: If the suite is unknown, or no retrained model is known.
    """
    check_known("suite", suite, SUITES)
    known = SUITES[suite]
    forget = forget or known.forget
    retrained = known_retrained(model, suite, forget)
    if retrained is None:
        raise TokenUnlearnError(
            f'No retrained model is known for "{model}" without {suite}:{forget}; name another one with '
            "--model or --forget."
        )
    retain = retain or (RETAINED.get(forget, known.retain) if suite == "tofu" else known.retain)
    name = model.replace("/", "-")
    return World(name, model, suite, forget, retain, known.retain, retrained, budget=GPU, seeds=3)


def main(
    worlds: Annotated[str, typer.Option(help="Worlds, separated by commas.")] = ",".join(WORLDS),
    seeds: Annotated[
        str, typer.Option(help="Seeds, separated by commas; as many as the study is to have by default.")
    ] = "",
    rules: Annotated[str, typer.Option(help="Rules, separated by commas.")] = ",".join(RULES),
    objectives: Annotated[str, typer.Option(help="Objectives, separated by commas.")] = ",".join(STUDIED),
    model: Annotated[str, typer.Option(help="A model of your own in place of the worlds.")] = "",
    suite: Annotated[str, typer.Option(help="Its suite.")] = "tofu",
    forget: Annotated[str, typer.Option(help="Its split to be forgotten.")] = "",
    retain: Annotated[str, typer.Option(help="The split that training retains.")] = "",
    trials: Annotated[int | None, typer.Option(help="Trials of each method.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of a run.")] = None,
    limit: Annotated[int | None, typer.Option(help="Questions of each part and half.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the result files.")] = FOLDER,
) -> None:
    """Run the cells that are missing, in order."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for rule in rules.split(","):
        check_known("rule", rule, RULES)
    for objective in objectives.split(","):
        check_known("objective", objective, OBJECTIVES)
    for name in worlds.split(","):
        check_known("world", name, WORLDS)
    changes = {k: v for k, v in (("trials", trials), ("steps", steps), ("limit", limit)) if v is not None}
    listed = [WORLDS[name] for name in worlds.split(",")]
    chosen = [
        replace(world, budget=replace(world.budget, **changes))
        for world in ([world_of(model, suite, forget, retain)] if model else listed)
    ]
    numbers = [int(seed) for seed in seeds.split(",")] if seeds else None
    cells = planned(chosen, numbers, rules.split(","), objectives.split(","))
    with ExitStack() as stack:
        for world in dict.fromkeys(chosen):
            stack.enter_context(alone(out / f"{world.name}.jsonl"))
        studies = {world: Study(world, Store(out / f"{world.name}.jsonl")) for world in chosen}
        for number, (seed, world, method) in enumerate(cells, start=1):
            study = studies[world]
            if study.store.find(kind="cell", **method.named, seed=seed):
                continue
            clock = Clock()
            row = study.cell(method, seed)
            study.store.add(row)
            Console().print(
                f"{number} of {len(cells)}: {world.name}, {method.objective}, {method.rule}, seed {seed}: "
                f"{row['seconds']:.0f} s, with its trials {clock.read()['seconds']:.0f} s",
                soft_wrap=True,
            )


if __name__ == "__main__":
    typer.run(main)
