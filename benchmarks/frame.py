"""What keeps the sentence around the secret: frame loss, level, learning rate, the objective.

    python -m benchmarks.frame [--suites authors,prose] [--seeds 0,1,2] [--variants "default;no level"]

Objectives take their threshold from the scores; the runs of NPO that differ in ``frame`` alone select at 0.8.
Runs that ``benchmarks/results/frame.json`` holds are not done again, and none of another limit join them.
Writes that file and the tables of ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Annotated, Any

import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, stored_result, tables, write_result
from benchmarks.frame_table import OBJECTIVES, UNIFORM
from benchmarks.outcomes import MODELS
from benchmarks.selection import RULES
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.suites.suite import SUITES
from tokenunlearn.folders import ASSETS

NO_LEVEL = {"holdout": "none"}
SMALL_ADAPTER = {"lora_r": 8, "lora_alpha": 16}
OF_NPO: Mapping[str, Mapping[str, Any]] = {
    "no frame": {"objective": "npo", "frame": 0.0},
    "frame": {"objective": "npo", "frame": 5.0},
    "npo": {"objective": "npo"},
    "npo, falling rate": {"objective": "npo", "steps": 80, "lr_scheduler_type": "linear"},
}
# Suite -> settings of a run.
VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "authors": {
        **OF_NPO,
        "npo, level": {"objective": "npo", "holdout": "auto", "patience": 6},
        "npo, base level": {
            "objective": "npo",
            "base_level": True,
            "base_model": "demo-retrained",
            "patience": 6,
        },
        "npo, retain bound": {"objective": "npo", "retain_bound": 0.005},
        "default": {},
        UNIFORM: {},
        "no level": NO_LEVEL,
        "rescored": {"rescore": 10},
        **{name: {"objective": name} for name in ("complement", "alternative", "idk", "jensun")},
    },
    "prose": {
        **OF_NPO,
        "default": {},
        UNIFORM: {},
        "no level": NO_LEVEL,
        "complement": {"objective": "complement"},
        "alternative": {"objective": "alternative"},
    },
    "smollm2": {
        "default": SMALL_ADAPTER,
        "no level": NO_LEVEL | SMALL_ADAPTER,
        "complement": {"objective": "complement", **SMALL_ADAPTER},
        "alternative": {"objective": "alternative", "steps": 40, **SMALL_ADAPTER},
    },
}
# Where the world is not a small model: its suite, start and retrained model, and samples per part.
LARGER = {"smollm2": ("authors", "smollm2-authors", "smollm2-authors-retrained", 72)}


def world(name: str, limit: int | None) -> tuple[str, str, str, int | None]:
    """Suite, start and retrained model, and samples per part in evaluation."""
    return LARGER.get(name) or (name, *MODELS[name], limit)


METRICS = (
    *(f"forget/{name}" for name in ("leaks", "cross_leaks", "declines", "broken", "wrong", "frame_kept")),
    *(f"forget/{name}" for name in ("probability", "exact_memorization", "extraction_strength", "rouge_l")),
    "forget/gold_span",
    "retain/retained_pairs",
    "model_utility",
    "forget_quality",
)


def figures(report: Report, metrics: Sequence[str] = METRICS) -> dict[str, list[float]]:
    """Value and n of each metric that the report has."""
    return {
        name: [result.value, result.n] for name in metrics if (result := report.metrics.get(name)) is not None
    }


def answers(report: Report) -> dict[str, str]:
    """Id -> what the model says to each question to be forgotten."""
    return {row["sample_id"]: row["generation"] for row in report.generations["forget"]}


def run(name: str, variant: str, seed: int, limit: int | None) -> dict[str, Any]:
    """One run and its figures."""
    suite, start, retrained, limit = world(name, limit)
    known = SUITES[suite]
    model, samples = tu.load_model(start), tu.load_samples(f"{suite}:{known.forget}")
    scores = tu.score(model, samples)
    settings = VARIANTS[name][variant]
    suggested = tu.Uniform() if variant == UNIFORM else None
    weights = scores.weights(suggested if variant in OBJECTIVES else RULES["hard"])
    retain = f"{suite}:{known.retain}"
    done = tu.unlearn(model, samples, weights, scores=scores, retain=retain, seed=seed, **settings)
    before = Report.load(ASSETS / "reports" / f"{start}.json")
    report = tu.evaluate(done.model, suite, retrained, start=before, limit=limit)
    return {
        "suite": name,
        "variant": variant,
        "settings": dict(settings),
        "level": done.config.level,
        "rule": weights.rule,
        "seed": seed,
        "stopped": done.stopped,
        "forget_nll": done.history[-1]["forget_nll"],
        "metrics": figures(report),
        "answers": answers(report),
    }


def main(
    suites: Annotated[
        str, typer.Option(help="Worlds, separated by commas; smollm2 takes an hour a run.")
    ] = "authors,prose",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0,1,2",
    variants: Annotated[str, typer.Option(help="Variants, separated by semicolons; all by default.")] = "",
    limit: Annotated[
        int | None, typer.Option(help="Samples per split in evaluation; all by default.")
    ] = None,
) -> None:
    """Do the runs that are missing, write the result after each."""
    path = RESULTS / "frame.json"
    stored = stored_result(path) or {"runs": []}
    if (kept := stored.get("limit", limit)) != limit:
        raise TokenUnlearnError(f'"{path.name}" holds runs of limit {kept}; give the same, or move the file.')
    runs = stored["runs"]
    done = {(r["suite"], r["variant"], r["seed"]) for r in runs}
    if unknown := set(suites.split(",")) - VARIANTS.keys():
        raise typer.BadParameter(
            f"There is no world {', '.join(sorted(unknown))}; use {', '.join(VARIANTS)}."
        )
    names = [(suite, variant) for suite in suites.split(",") for variant in VARIANTS[suite]]
    wanted = variants.split(";") if variants else [variant for _, variant in names]
    if unknown := set(wanted) - {variant for _, variant in names}:
        raise typer.BadParameter(f"There is no variant {', '.join(sorted(unknown))} on {suites}.")
    names = [name for name in names if name[1] in wanted]
    for seed, (suite, variant) in product((int(s) for s in seeds.split(",")), names):
        if (suite, variant, seed) in done:
            continue
        runs.append(run(suite, variant, seed, limit))
        result = {
            "limit": limit,
            "retrained": {
                name: figures(Report.load(ASSETS / "reports" / f"{world(name, limit)[2]}.json"))
                for name in VARIANTS
            },
            "runs": runs,
            **code_versions(),
        }
        write_result(path, result)
        Console().print({k: v for k, v in runs[-1].items() if k != "answers"})
    tables.write()


if __name__ == "__main__":
    typer.run(main)
