"""The table and section of ``benchmarks/results/frame.json``: what frame loss and level keep and cost."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import seed_range

SECTION = """## Keeping the sentence

`python -m benchmarks.frame`, one table per world: means over seeds, with the smallest and the largest seed
in parentheses; n is the number of rows behind each seed. A dash means that the answers of a run are not
stored, so they were not classified.

The first tables compare three variants of NPO: hard selection at threshold 0.8 without the frame loss
(preset "npo, secret alone"); the same with `frame = 5`, the recommended strength; and the recommended NPO,
whose threshold comes from the scores. The strength, and the quarter of tokens by which the suggested
threshold exceeds the hesitant ones, were chosen on seed 0 of `authors`. The minimum of 15 % of all tokens
was chosen after seed 0 of `prose`, where .167 of the answers leaked without it. So the other seeds are a
held-out test of training, but not of the selection: all seeds select the same tokens.

`demo`, which forgets `authors:forget10`:

{frame_authors}

`demo-prose`, which forgets `prose:forget`. The frame loss changes little there; the retained answers suffer
as much without it:

{frame_prose}

The next tables compare objectives and learning rate schedules, with the suggested threshold and the settings
that each objective recommends:

- The default is `altnpo` with the level that the run measures on the holdout. `uniform weights` is the same
  with the same weight on all tokens and the level measured accordingly, `no level` the same without a
  level, and `rescored` the same with the forget set scored again every ten steps.
- `npo, falling rate` is NPO for 80 steps at a learning rate that falls to 0, as in `altnpo` and `complement`.
- `npo, level` and `npo, base level` end once the tokens have been at their level for six steps in a row: the
  level of the holdout, and the NLL of each token under the retrained model.
- `npo, retain bound` lets lambda follow a bound of 0.005 nats.

The falling rate and alpha of `altnpo` were chosen on seed 0 of `authors` and `prose`. What `alternative`
hides, its lambda and its steps were chosen on seed 0 of `authors`; `idk` and `jensun` were not tuned. On
`demo`:

{authors}

On `demo-prose`:

{prose}

On `smollm2-authors`, with an adapter of rank 8. The level became part of the default because runs without it
went too far; `alternative` has 40 steps here:

{smollm2}
"""
UNIFORM = "uniform weights"
# Variants that differ in objective or learning rate; idk and jensun push towards a refusal.
OBJECTIVES = (
    "default",
    UNIFORM,
    "no level",
    "rescored",
    "npo",
    "npo, falling rate",
    "npo, level",
    "npo, base level",
    "npo, retain bound",
    "complement",
    "alternative",
    "idk",
    "jensun",
)


def tables_of(result: dict[str, Any]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Header and rows of the tables of the section, by their names in it."""
    tables, retrained = {}, result["retrained"]
    for suite in retrained:
        runs = [run for run in result["runs"] if run["suite"] == suite]
        objectives = [run for name in OBJECTIVES for run in runs if run["variant"] == name]
        frame = [run for run in runs if run not in objectives or run["variant"] == "npo"]
        tables[suite] = frame_table(objectives, retrained[suite])
        tables[f"frame_{suite}"] = frame_table(frame, retrained[suite])
    return tables


def frame_table(
    runs: list[dict[str, Any]], retrained: dict[str, Any], start: dict[str, Any] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: metrics by the variants of one world and its retrained model, mean over seeds.

    The start model is a column of its own where it is given.
    """
    before = [] if start is None else [[start]]
    columns: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        columns.setdefault(run["variant"], []).append(run["metrics"])
    metrics = {name: n for run in runs for name, (_, n) in run["metrics"].items()}
    rows = [
        [f"`{name}`", *(_cell(runs, name) for runs in (*before, *columns.values(), [retrained])), str(n)]
        for name, n in metrics.items()
    ]
    seeds = [f"{name}, {len(runs)} seed{'s' * (len(runs) > 1)}" for name, runs in columns.items()]
    return ["", *["start model"] * len(before), *seeds, "retrained", "n"], rows


def _cell(runs: list[dict[str, Any]], name: str) -> str:
    return seed_range([run[name][0] for run in runs if name in run])
