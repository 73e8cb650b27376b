"""Writes ``docs/evidence.md`` from the result files of the study: ``python -m benchmarks.evidence``.

Every number comes from ``benchmarks/results/study``, or the folder ``--results``. A claim is printed only
where its interval supports it, and what has not been run is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.evidence_statistics import LEVELS, Gap, World
from benchmarks.markdown import markdown, over_seeds
from benchmarks.study_plan import FLOOR, FOLDER, GPU, RULES, STUDIED, WORLDS, Row, stored_rows
from tokenunlearn.files import replaced

PAGE = Path(__file__).resolve().parent.parent / "docs" / "evidence.md"
HEAD = """# Evidence

Does it pay to weight tokens? Every rule of weighting runs with every objective on several models and seeds,
each method tuned with the same budget. `python -m benchmarks.study` runs what is missing and stores each run
under `benchmarks/results/study`; `python -m benchmarks.evidence` writes this page from those files alone.

- *Rules*: `uniform` gives all tokens the same weight. `hard` is the default; the share of tokens that it
  selects in recited text was chosen on the validation half of TOFU's questions. `soft` weights by the same
  importance. `gold` selects exactly the marked facts, as a perfect signal would. `selector` is the learned
  selector. `paper` is the score preset of that name and `atwu` ATWU's scorer, each with as many tokens as
  `hard`. `wga`, `satimp`, `etw` and `su` are published weightings (`su` compares with the retrained model).
  `random` and `inverted` move the weights of `hard` to other tokens.
- *Budget*: whatever an objective recommends, every run in a world has the same number of steps, the same
  batch sizes, a constant learning rate, no frame loss and no level, so that methods differ in objective and
  weights alone. Trials choose the learning rate (within a factor of 3 of the recommended one), lambda
  (within a factor of 5) and the last step, on one half of the questions and with a seed that no reported
  run has. The first trial is the recommended setting; optuna proposes the others. A trial's score is 1
  minus its distance as a share of the start model's distance, minus 1 for every 2 % of the start model's
  utility by which it falls short of {floor:.0f} %; the highest score wins.
- *Questions*: all reported figures are of the other half. Training sees the whole forget set in either case.
- *Distance*: mean over the questions with gold tokens of the absolute difference between a model's and the
  retrained model's probability of these (geometric mean of each question's). 0: the retrained model's level.
- *At equal utility*: a run is measured every few steps; between two measurements, utility and distance are
  interpolated linearly. At each level of utility, given as a share of the start model's, the run is
  represented by the model that reaches this level and is closest to the retrained one; the start model
  always reaches it. Figures are means over the levels from {lowest:.0f} % to 100 %. Utility here is the
  harmonic mean of probability and truth ratio over the retained parts.
- *Area under the front*: 1 minus that distance as a share of the start model's. 1: the retrained model's
  level at no cost.
- *Differences* are paired with uniform weights by seed and question; in parentheses the 95 % bootstrap
  interval over seeds and questions. With one seed it covers questions alone. Bold: the interval excludes 0.
  Intervals are not corrected for the number of comparisons; about one in twenty excludes 0 by chance.
  With as few seeds as here they are somewhat too narrow, and they do not cover that the closest models at
  equal utility were chosen on the same questions.
- *Outcomes*: the shares of the forgotten answers that leak, state the fact of another question, decline,
  are broken, or are fluent and wrong. Here the fact of another question counts only if that question is
  measured and the retrained model does not state the fact in its answer to the same question. In
  [metrics](metrics.md#leaks-cross_leaks-declines-broken-wrong) the facts of all questions count, whatever the
  retrained model says. Both leave out facts that more than two of the questions share; among few questions
  this finds few everyday words, so on TOFU, whose gold spans are derived, many of these facts are such words.
  What is broken says the judge `words` in every world; on real text it is the weaker one.
"""
PROGRESS = """## Progress

A cell is one rule with one objective and one seed. Hours are processor time on one core, trials included.
You can stop `python -m benchmarks.study` at any time; it goes on where it was, leading rules first. Add
another model that has a retrained model with `--model` and `--suite`, for example
`--model tofu_Llama-3.2-1B-Instruct_full --suite tofu` on a GPU.

{table}
"""
SUMMARY = """## Summary

The number of objectives with which a rule ends closer to the retrained model than uniform weights at equal
utility, and the number with which it ends farther; the others are open.

By distance:

{distance}

By forget quality (Kolmogorov-Smirnov statistic of the truth ratios against the retrained model's):

{ks}

The number of objectives with which fewer of the forgotten answers leak or are broken than under uniform
weights at the tuned step, and the number with which more do:

{spoiled}
"""
SECTION = """## {name}

`{model}` forgets `{suite}:{forget}` and retains `{suite}:{retain}`; {n} forget questions are measured.
`hard` selects {selected} of {tokens} tokens. Each method has {trials} trials, then a run per seed: {steps}
steps of {batch_size} forget and {retain_batch_size} retained samples.{stand_in}{layers}

**{done} of {expected} cells done** ({begun} of {seeds} seeds begun). Go on with
`python -m benchmarks.study {options}`.

{claims}

Difference in distance from uniform weights at equal utility; below 0 is closer to the retrained model:

{distance}

The same for the Kolmogorov-Smirnov statistic of forget quality:

{ks}

Difference in the share of the forgotten answers that leak or are broken, at the tuned step:

{spoiled}

All measures at the tuned step, mean over seeds (± standard deviation). Utility is that of the suite as a
share of the start model's; it is 0 where one part of its harmonic mean is 0:

{measures}
"""
STAND_IN = """
It has no retrained model of its own: `{retrained}`, of another architecture and trained on the
same data, stands in for it."""
LAYERS = """
Runs train the layers from {first_layer} on, where the model learned its answers; `rmu` trains its own."""
OWN = "--model {model} --suite {suite} --forget {forget} --retain {retain}"


@dataclass(frozen=True)
class Compared:
    """How a measure of the differences from uniform weights is spoken of.

    Attributes:
        what: What is compared.
        where: At what point of a run it is taken.
        better: What a method is whose difference lies below 0.
        worse: What it is above 0.
        short: Both in a word each.
    """

    what: str
    where: str
    better: str
    worse: str
    short: tuple[str, str] = ("closer", "farther")


_AT_UTILITY = "at equal utility"
COMPARED = {
    "distance": Compared(
        "Distance", _AT_UTILITY, "closer to the retrained model", "farther from the retrained model"
    ),
    "ks": Compared("Forget quality", _AT_UTILITY, "better", "worse"),
    "spoiled": Compared(
        "Answers that leak or are broken", "at the tuned step", "fewer", "more", short=("fewer", "more")
    ),
}


def read(folder: Path) -> list[World]:
    """The worlds of a folder, those of the plan first, then models of one's own by name."""
    paths = sorted(
        folder.glob("*.jsonl"), key=lambda path: (path.stem not in WORLDS, _place(path), path.stem)
    )
    return [World(rows) for path in paths if (rows := stored_rows(path))]


def _place(path: Path) -> int:
    return list(WORLDS).index(path.stem) if path.stem in WORLDS else 0


def page(worlds: Sequence[World]) -> str:
    """The whole page."""
    head = HEAD.format(floor=100 * FLOOR, lowest=100 * LEVELS[0])
    progress = PROGRESS.format(table=progress_table(worlds))
    if not worlds:
        return f"{head}\n{progress}"
    summary = SUMMARY.format(**{measure: summary_table(worlds, measure) for measure in COMPARED})
    return "\n".join([head, progress, summary, *map(section, worlds)])


def progress_table(worlds: Sequence[World]) -> str:
    """Cells and hours of every world, those of the plan that have not begun included."""
    begun = {world.plan["name"]: world for world in worlds}
    rows = []
    for name in dict.fromkeys([*WORLDS, *begun]):
        if world := begun.get(name):
            spent, left = world.hours()
            rows.append([name, f"{len(world.cells)} of {world.expected}", f"{spent:.1f}", f"{left:.1f}"])
        else:
            cells = len(STUDIED) * len(RULES) * WORLDS[name].seeds
            rows.append([name, f"0 of {cells}", "0", "–"])
    return markdown(["world", "cells done", "hours taken", "hours left"], rows)


def _gaps(world: World, measure: str) -> dict[tuple[str, str], Gap]:
    """(rule, objective) -> difference, of what there is."""
    pairs = [(rule, objective) for rule in RULES for objective in world.objectives]
    gaps = {pair: world.gap(pair[1], pair[0], measure) for pair in pairs}
    return {pair: gap for pair, gap in gaps.items() if gap}


def summary_table(worlds: Sequence[World], measure: str = "distance", rules: Sequence[str] = RULES) -> str:
    """Worlds by rules: with how many objectives a rule is closer, and with how many farther.

    Args:
        worlds: The worlds.
        measure: Which of the compared measures.
        rules: The rules that are shown, where one of the worlds has them.
    """
    found = [_gaps(world, measure) for world in worlds]

    def cell(gaps: dict[tuple[str, str], Gap], rule: str) -> str:
        relations = [gap.relation for (name, _), gap in gaps.items() if name == rule]
        if not relations:
            return "–"
        closer, farther = relations.count("closer"), relations.count("farther")
        better, worse = COMPARED[measure].short
        return f"{closer} {better}, {farther} {worse} of {len(relations)}"

    compared = [rule for rule in rules if any(rule == name for gaps in found for name, _ in gaps)]
    rows = [
        [world.plan["name"], _basis(gaps) if gaps else "–", *(cell(gaps, rule) for rule in compared)]
        for world, gaps in zip(worlds, found, strict=True)
    ]
    return markdown(["world", "measured on", *(f"`{rule}`" for rule in compared)], rows)


def _basis(gaps: dict[tuple[str, str], Gap]) -> str:
    seeds, n = max(gap.seeds for gap in gaps.values()), next(iter(gaps.values())).n
    return f"{n} questions and {'1 seed' if seeds == 1 else f'up to {seeds} seeds'}"


def section(world: World) -> str:
    """The part of one world."""
    plan = world.plan
    return SECTION.format(
        **{name: plan[name] for name in ("name", "model", "suite", "forget", "retain")},
        **{name: plan["budget"][name] for name in ("trials", "steps", "batch_size", "retain_batch_size")},
        n=len(world.head["forget_ids"]),
        **{name: world.head["selection"][name] for name in ("selected", "tokens")},
        stand_in=STAND_IN.format(**plan) if plan["stand_in"] else "",
        layers=LAYERS.format(**plan) if plan.get("first_layer") else "",
        done=len(world.cells),
        expected=world.expected,
        begun=len({cell["seed"] for cell in world.cells}),
        seeds=world.seeds,
        options=_options(plan),
        claims=claims(world),
        **{measure: gap_table(world, measure) for measure in COMPARED},
        measures=measures_table(world),
    )


def _options(plan: Row) -> str:
    """What ``python -m benchmarks.study`` is to be given to go on with a world."""
    known = WORLDS.get(plan["name"])
    usual, budget = asdict(known.budget if known else GPU), plan["budget"]
    changed = (f" --{k} {budget[k]}" for k in ("trials", "steps", "limit") if budget[k] != usual[k])
    return ("--worlds {name}" if known else OWN).format(**plan) + "".join(changed)


def claims(world: World) -> str:
    """A list with an item for each compared measure."""
    return "\n".join(claim(_gaps(world, measure), measure) for measure in COMPARED)


def claim(gaps: dict[tuple[str, str], Gap], measure: str) -> str:
    """A list item: what the intervals support, and how many of them say nothing."""
    compared = COMPARED[measure]
    if not gaps:
        return f"- {compared.what} {compared.where}: no method has run together with `uniform` yet."
    parts = [f"{compared.what} {compared.where}, compared with uniform weights on {_basis(gaps)}."]
    for relation, words in (("closer", compared.better), ("farther", compared.worse)):
        found: dict[str, list[str]] = {}
        for (rule, objective), gap in gaps.items():
            if gap.relation == relation:
                found.setdefault(rule, []).append(objective)
        which = "; ".join(f"`{rule}` with {', '.join(names)}" for rule, names in found.items())
        parts += [f"{words.capitalize()}: {which}."] if found else []
    number = sum(gap.relation == "open" for gap in gaps.values())
    return f"- {' '.join(parts)} Open: {number} of {len(gaps)} comparisons."


def figure(gap: Gap) -> str:
    """A difference with its interval, bold where it excludes 0."""
    text = f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    return text if gap.relation == "open" else f"**{text}**"


def gap_table(world: World, measure: str = "distance") -> str:
    """Rules as rows, objectives as columns, of what there is."""
    gaps = _gaps(world, measure)
    rules = [rule for rule in RULES if rule in {rule for rule, _ in gaps}]
    objectives = [name for name in world.objectives if name in {objective for _, objective in gaps}]
    rows = [
        [
            f"`{rule}`",
            *(
                f"{figure(gap)}, {gap.seeds} seed{'s' * (gap.seeds > 1)}"
                if (gap := gaps.get((rule, objective)))
                else "–"
                for objective in objectives
            ),
        ]
        for rule in rules
    ]
    return markdown(["rule", *objectives], rows)


def _metric(name: str) -> Callable[[World, Row], float]:
    return lambda world, cell: cell["metrics"][name]


def _point(name: str) -> Callable[[World, Row], float]:
    """A figure of the point where the run ended; the start and the retrained model are points themselves."""

    def value(world: World, cell: Row) -> float:
        points = [p for p in cell.get("curve", [cell]) if p.get("step") == cell.get("step")]
        values = [p for p in points[-1]["p"] if p is not None] if name == "p" else [points[-1][name]]
        return sum(values) / len(values)

    return value


def _utility(world: World, cell: Row) -> float:
    name = "model_utility"
    return float(cell["metrics"][name] / world.head["start"]["metrics"][name])


# Column -> figure of a cell, and digits.
MEASURES: dict[str, tuple[Callable[[World, Row], float], int]] = {
    "leaks": (_metric("forget/leaks"), 2),
    "fluent, wrong": (_metric("forget/wrong"), 2),
    "declines": (_metric("forget/declines"), 2),
    "other fact": (_metric("forget/cross_leaks"), 2),
    "broken": (_metric("forget/broken"), 2),
    "p(gold), forget": (_point("p"), 3),
    "p(gold), retain": (_point("retain"), 3),
    "exact memorization": (_metric("forget/exact_memorization"), 3),
    "forget quality": (_metric("forget_quality"), 3),
    "retained pairs": (_metric("retain/retained_pairs"), 2),
    "utility": (_utility, 3),
}


def measures_table(world: World) -> str:
    """Start, retrained model and methods as rows; measures, with the area under the front, as columns."""
    rows = []
    for name in ("start", "retrained"):
        values = [f"{of(world, world.head[name]):.{d}f}" for of, d in MEASURES.values()]
        rows.append([f"{name} model", "", "", *values, ""])
    for objective in world.objectives:
        for rule in RULES:
            cells = list(world.of(objective, rule).values())
            if cells:
                values = [over_seeds([of(world, c) for c in cells], d) for of, d in MEASURES.values()]
                area = over_seeds([world.front(c).area for c in cells], 3)
                rows.append([objective, f"`{rule}`", str(len(cells)), *values, area])
    return markdown(["objective", "rule", "seeds", *MEASURES, "area"], rows)


def write(folder: Path = FOLDER, path: Path = PAGE) -> None:
    """Write the page."""
    with replaced(path) as file:
        file.write(page(read(folder)).encode())


def main(
    results: Annotated[Path, typer.Option(help="Folder of the result files.")] = FOLDER,
    out: Annotated[Path, typer.Option(help="Page to write.")] = PAGE,
) -> None:
    """Write the page from the result files."""
    write(results, out)


if __name__ == "__main__":
    typer.run(main)
