"""What the default does to each world, beside a model that never saw the forget set, for the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.frame_table import UNIFORM
from benchmarks.tofu_table import UTILITY_PARTS

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


COSTS = """\
- Model utility is a harmonic mean, so it is 0 as soon as one of its parts is 0. On TOFU the lowest part of
  the start model is `{part}`, {part_start}; after the default run it is {part_default}, and in the model
  that never saw the answers {part_retrained} (n = {part_n}).
- An answer counts as broken where a [judge](docs/metrics.md#leaks-cross_leaks-declines-broken-wrong) calls it
  so and it neither states a fact nor declines: `words` for the demo models, `smollm2` for SmolLM2. Of all
  answers of the first SmolLM2 run, `words` calls {words} broken, `smollm2` {smollm2}; read one by one, {read}
  of the answers of both runs are broken (n = {read_n}).
- With the same weight on all tokens, {leaks} of the demo model's forgotten answers leak and {broken} are
  broken; on the prose {prose_broken} are broken, and {pairs} of the retained answers that were right stay
  right.
- A fact that is no longer said may still be in the hidden states. On the demo model the [unlearning
  depth](docs/results.md#unlearning-depth) is {depth} ({uniform} with the same weight on all tokens); 1 is
  the level of a model that never saw the facts.
- A [probe](docs/results.md#gone-or-hidden) of the demo model's hidden states picks the right one of six
  facts in {probe} of the questions ({probe_retrained} in a model that never saw them)."""


def costs(
    frame: Mapping[str, Any],
    tofu: Mapping[str, Any],
    outcomes: Mapping[str, Any],
    depth: Mapping[str, Any],
    attacks: Mapping[str, Any],
) -> str:
    """What the table leaves out, as sentences with means over seeds.

    Args:
        frame: The stored result of ``benchmarks.frame``.
        tofu: That of ``benchmarks.tofu``.
        outcomes: That of ``benchmarks.outcomes``.
        depth: That of ``benchmarks.depth``.
        attacks: That of the benchmark ``attacks``.
    """
    uniform = [run for run in frame["runs"] if run["variant"] == UNIFORM]
    authors, prose = (
        [run["metrics"] for run in uniform if run["suite"] == suite] for suite in ("authors", "prose")
    )
    probes = [seed["probe/right_option"] for seed in attacks["runs"]["default"]["seeds"].values()]
    start, known = tofu["start"], tofu["retrained"]
    part = min(UTILITY_PARTS, key=lambda name: start[name][0])
    default = [run["metrics"] for run in tofu["runs"] if run["variant"] == "default"]
    judged = {judge: row["unlearned model"][0] for judge, row in outcomes["shipped_broken"].items()}
    values = {
        **judged,
        "part_start": start[part][0],
        "part_default": _mean(default, part),
        "part_retrained": known[part][0],
        "leaks": _mean(authors, "forget/leaks"),
        "broken": _mean(authors, "forget/broken"),
        "prose_broken": _mean(prose, "forget/broken"),
        "pairs": _mean(prose, "retain/retained_pairs"),
        "depth": mean(run["depth"][0] for run in depth["runs"] if run["variant"] == "default"),
        "uniform": mean(run["depth"][0] for run in depth["runs"] if run["variant"] == UNIFORM),
        "probe": mean(probe["value"] for probe in probes),
        "probe_retrained": mean(probe["retrained"] for probe in probes),
    }
    labels = next(iter(outcomes["read_broken"].values()))["smollm2-authors"]
    broken, fluent = (labels[label][-1] for label in ("broken", "fluent"))
    values["read"] = broken / (broken + fluent)
    shown = {name: f"{value:.3f}" for name, value in values.items()}
    return COSTS.format(part=part, part_n=start[part][1], read_n=f"{broken + fluent:.0f}", **shown)


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
    measured = _mean(runs, metric)
    if metric == "retain/retained_pairs":  # counted from the start model on, so a model of its own has none
        return f"{measured:.3f} (n = {runs[0][metric][1]})"
    return f"{measured:.3f}" + (f" ({known[metric][0]:.3f})" if metric in known else "")


def _mean(runs: Sequence[Mapping[str, Any]], metric: str) -> float:
    return mean(run[metric][0] for run in runs)
