"""How far a run on a few samples goes past its level, held at it and left alone.

    python -m benchmarks.few_samples [--sizes 1,4,12] [--seeds 0,1,2]

Each seed draws the samples from ``authors:forget10``; ``demo`` forgets them at the default settings, which
read all of them in every step. Writes ``benchmarks/results/few_samples.json`` and ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, tables, write_result
from tokenunlearn.evaluation.recall import recall
from tokenunlearn.training.schedules import LevelHold

PATH = RESULTS / "few_samples.json"
MODEL, FORGET, RETAIN = "demo", "authors:forget10", "authors:retain90"


@contextmanager
def left_alone() -> Iterator[None]:
    """Runs of this block leave what is past its level where it is."""
    with patch.object(LevelHold, "next_pull", lambda *_: 0.0):
        yield


def drawn(size: int, seed: int) -> tu.SampleSet:
    """So many samples of the forget set."""
    samples = tu.load_samples(FORGET)
    numbers = sorted(np.random.default_rng(seed).choice(len(samples), size, replace=False))
    return replace(samples, samples=tuple(samples[int(i)] for i in numbers))


def run(size: int, seed: int) -> dict[str, Any]:
    """Where the forget NLL of one run was highest and where it ended, in levels, and what is recalled."""
    model, samples = tu.load_model(MODEL), drawn(size, seed)
    scores = tu.score(model, samples)
    done = tu.unlearn(model, samples, scores.weights(), scores=scores, retain=RETAIN, seed=seed)
    past = [record["forget_nll"] / record["level"] for record in done.history]
    result = recall(done.model, samples)
    return {"level": done.config.level, "highest": max(past), "last": past[-1], "recalled": result.value}


def main(
    sizes: Annotated[str, typer.Option(help="Numbers of samples, separated by commas.")] = "1,4,12",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
) -> None:
    """Do all runs, and write the result."""
    runs = []
    for size, seed in product(map(int, sizes.split(",")), map(int, seeds.split(","))):
        with left_alone():
            without = run(size, seed)
        runs.append({"size": size, "seed": seed, "default": run(size, seed), "without": without})
        Console().print(runs[-1])
    result = {
        "model": MODEL,
        "forget": FORGET,
        "runs": runs,
        **code_versions(),
    }
    write_result(PATH, result)
    tables.write()


if __name__ == "__main__":
    typer.run(main)
