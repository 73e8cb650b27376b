"""Gone or hidden inside? Unlearning depth of the default, of uniform weights and of other objectives.

    python -m benchmarks.depth [--seeds 0,1,2]

They forget ``authors:forget10`` in ``demo`` with all other settings at their defaults. Runs that
``benchmarks/results/depth.json`` holds are not done again. Writes that file and
``docs/results.md``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any

import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, stored_result, tables, write_result
from tokenunlearn.evaluation.depth_maps import DepthMap
from tokenunlearn.evaluation.depth_patching import unlearning_depth
from tokenunlearn.evaluation.metrics.depth import depth_score
from tokenunlearn.evaluation.result import MetricResult, mean_result

PATH = RESULTS / "depth.json"
MODEL, RETRAINED = "demo", "demo-retrained"
FORGET, RETAIN = "authors:forget10", "authors:retain90"
NO_LEVEL = {"holdout": "none"}
NPO = {"objective": "npo"}
FALLING = {**NPO, "steps": 80, "lr_scheduler_type": "linear"}
# Name -> rule and settings of a run.
VARIANTS: Mapping[str, tuple[tu.Uniform | None, Mapping[str, Any]]] = {
    "default": (None, {}),
    "uniform weights": (tu.Uniform(), {}),
    "no level": (None, NO_LEVEL),
    "no level, uniform weights": (tu.Uniform(), NO_LEVEL),
    "npo": (None, NPO),
    "npo, uniform weights": (tu.Uniform(), NPO),
    "npo, falling rate": (None, FALLING),
    "npo, falling rate, uniform weights": (tu.Uniform(), FALLING),
    "complement": (None, {"objective": "complement"}),
    "alternative": (None, {"objective": "alternative"}),
}


def figures(maps: list[DepthMap]) -> dict[str, Any]:
    """The depth over all layers and at each layer alone, as value, interval and n."""
    ids = [m.sample_id for m in maps]

    def depth(layers: slice) -> list[float] | None:
        rows = [depth_score(m.lost[layers], m.lost_retrained[layers]) for m in maps]
        return _figure(mean_result("depth", rows, ids, "higher"))

    alone = {str(layer): depth(slice(i, i + 1)) for i, layer in enumerate(maps[0].layers)}
    return {"depth": depth(slice(None)), "layers": alone}


def _figure(result: MetricResult | None) -> list[float] | None:
    return None if result is None else [result.value, *(result.interval or ()), result.n]


def run(variant: str, seed: int) -> dict[str, Any]:
    """One run and its depth."""
    model, samples = tu.load_model(MODEL), tu.load_samples(FORGET)
    rule, settings = VARIANTS[variant]
    weights = tu.score(model, samples, cache=True).weights(rule)
    done = tu.unlearn(model, samples, weights, retain=RETAIN, seed=seed, **settings)
    retrained, started = tu.load_model(RETRAINED), time.monotonic()
    maps = unlearning_depth(done.model, model, retrained, samples)
    return {
        "variant": variant,
        "weights": dict(weights.rule),
        "seed": seed,
        "config": vars(done.config),
        "stopped": done.stopped,
        "seconds": round(time.monotonic() - started, 1),
        **figures(maps),
    }


def main(seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2") -> None:
    """Do the runs that are missing, write the result after each."""
    runs = (stored_result(PATH) or {"runs": []})["runs"]
    done = {(r["variant"], r["seed"]) for r in runs}
    for seed, variant in product((int(s) for s in seeds.split(",")), VARIANTS):
        if (variant, seed) in done:
            continue
        made = run(variant, seed)
        runs.append(made)
        runs.sort(key=lambda done: (done["seed"], list(VARIANTS).index(done["variant"])))
        result = {"model": MODEL, "retrained": RETRAINED, "forget": FORGET, "runs": runs}
        result |= code_versions()
        write_result(PATH, result)
        Console().print(variant, seed, made["depth"])
    tables.write()


if __name__ == "__main__":
    typer.run(main)
