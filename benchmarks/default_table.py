"""What the default does to each world, beside a model that never saw the forget set: README's table."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from typing import Any

# World of a result -> its name in the table.
WORLDS = {
    "authors": "demo model, authors",
    "prose": "demo model, long prose",
    "smollm2": "SmolLM2, authors",
    "tofu": "SmolLM2, real TOFU answers",
}
MEASURES = {
    "forget/leaks": "leaks the secret",
    "forget/cross_leaks": "states somebody else's fact",
    "forget/broken": "broken language",
    "forget/probability": "probability of the answer",
    "retain/retained_pairs": "retained answers still right",
    "model_utility": "model utility",
    "forget_quality": "forget quality",
}


def default_table(frame: Mapping[str, Any], tofu: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: measures by worlds, means over seeds; in parentheses the model that never saw it.

    Args:
        frame: The stored result of ``benchmarks.frame``.
        tofu: That of ``benchmarks.tofu``.
    """
    everything = [*frame["runs"], *({"suite": "tofu", **run} for run in tofu["runs"])]
    default = [run for run in everything if run["variant"] == "default"]
    runs = {name: [run for run in default if run["suite"] == name] for name in WORLDS}
    known = {**frame["retrained"], "tofu": tofu["retrained"]}
    header = ["", *(_named(name, runs[name]) for name in WORLDS)]
    rows = [
        [shown, *(_cell([r["metrics"] for r in runs[name]], known[name], metric) for name in WORLDS)]
        for metric, shown in MEASURES.items()
    ]
    return header, rows


def _named(name: str, runs: list[dict[str, Any]]) -> str:
    n = runs[0]["metrics"]["forget/leaks"][1]
    return f"{WORLDS[name]}: {len(runs)} seed{'s' * (len(runs) > 1)}, n = {n}"


def _cell(runs: list[Mapping[str, Any]], known: Mapping[str, Any], metric: str) -> str:
    measured = mean(run[metric][0] for run in runs)
    if metric == "retain/retained_pairs":  # counted from the start model on, so a model of its own has none
        return f"{measured:.3f} (n = {runs[0][metric][1]})"
    return f"{measured:.3f}" + (f" ({known[metric][0]:.3f})" if metric in known else "")
