"""What the default does to real TOFU answers, which SmolLM2 has learned by heart.

    python -m benchmarks.tofu [--variants "default;npo"] [--seeds 0,1,2] [--limit 24] [--steps 80]

``smollm2-tofu`` forgets ``tofu:forget10_first5`` and retains ``tofu:retain90_first15``. All settings are the
recommended ones, but training keeps to the layers that learned the answers. A run takes about 35 minutes of
one core. Runs that ``benchmarks/results/tofu.json`` holds are not done again. Writes that file and
``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any

import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, frame, stored_result, tables, write_result
from benchmarks.lower_layers import LowerLayers
from benchmarks.study_plan import WORLDS
from benchmarks.tofu_table import UTILITY_PARTS
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.objectives import check_known

PATH = RESULTS / "tofu.json"
WORLD = WORLDS["smollm2-tofu"]
FORGET, RETAIN = f"tofu:{WORLD.forget}", f"tofu:{WORLD.retain}"
# Name -> rule of the weights, and settings of a run.
VARIANTS: Mapping[str, tuple[tu.Uniform | None, Mapping[str, Any]]] = {
    "default": (None, {}),
    "default, uniform weights": (tu.Uniform(), {}),
    "npo": (None, {"objective": "npo"}),
    "npo, uniform weights": (tu.Uniform(), {"objective": "npo"}),
}
METRICS = (*frame.METRICS, *UTILITY_PARTS)


def evaluate(model: LoadedModel, limit: int, start: Report | None = None) -> Report:
    """The suite's measures on the world's own splits."""
    return tu.evaluate(
        model, "tofu", WORLD.retrained, forget=WORLD.forget, retain=WORLD.retain, limit=limit, start=start
    )


def run(
    variant: str, seed: int, steps: int | None, lower: LowerLayers, start: Report, limit: int
) -> dict[str, Any]:
    """One run and its figures."""
    rule, settings = VARIANTS[variant]
    model, samples = tu.load_model(WORLD.model), tu.load_samples(FORGET)
    scores = tu.score(model, samples, cache=True)
    weights = scores.weights(rule)
    settings = settings if steps is None else {**settings, "steps": steps}
    with lower.once(model):
        done = tu.unlearn(
            model,
            samples,
            weights,
            scores=scores,
            retain=RETAIN,
            seed=seed,
            first_layer=lower.first_layer,
            **settings,
        )
    report = evaluate(done.model, limit, start)
    return {
        "variant": variant,
        "seed": seed,
        "settings": dict(settings),
        "level": done.config.level,
        "selected": weights.selected,
        "tokens": weights.tokens,
        "stopped": done.stopped,
        "forget_nll": done.history[-1]["forget_nll"],
        "metrics": frame.figures(report, METRICS),
        "answers": frame.answers(report),
    }


def main(
    variants: Annotated[str, typer.Option(help="Variants, separated by semicolons.")] = ";".join(VARIANTS),
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    limit: Annotated[int, typer.Option(help="Rows of each part that are measured.")] = 24,
    steps: Annotated[int | None, typer.Option(help="Steps of a run; recommended by default.")] = None,
) -> None:
    """Do the runs that are missing, write the result after each; other rows, steps or metrics are refused."""
    for variant in variants.split(";"):
        check_known("variant", variant, VARIANTS)
    basis = {"model": WORLD.model, "limit": limit, "steps": steps, "metrics": list(METRICS)}
    result = stored_result(PATH) or {}
    held = {name: result.get(name) for name in basis} if result else basis
    if other := [f"{name} {held[name]}" for name in basis if held[name] != basis[name]]:
        raise TokenUnlearnError(
            f'"{PATH.name}" holds runs of {", ".join(other)}; give the same, or move the file.'
        )
    start = evaluate(tu.load_model(WORLD.model), limit)
    if not result:
        retrained = evaluate(tu.load_model(WORLD.retrained), limit, start)
        known = {"start": frame.figures(start, METRICS), "retrained": frame.figures(retrained, METRICS)}
        result = {**basis, **known, "runs": []}
        write(result)
    lower, done = LowerLayers(WORLD.first_layer), {(r["variant"], r["seed"]) for r in result["runs"]}
    for seed, variant in product((int(s) for s in seeds.split(",")), variants.split(";")):
        if (variant, seed) in done:
            continue
        result["runs"].append(run(variant, seed, steps, lower, start, limit))
        write(result)
        Console().print({k: v for k, v in result["runs"][-1].items() if k != "answers"})
    tables.write()


def write(result: dict[str, Any]) -> None:
    """Write the result file."""
    result |= code_versions()
    write_result(PATH, result)


if __name__ == "__main__":
    typer.run(main)
