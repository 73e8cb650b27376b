"""The table and section of ``benchmarks/results/frame.json``: what frame loss and level keep and cost."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import seed_range

SECTION = """## Keeping the sentence

`python -m benchmarks.frame`, a table for each world: means over seeds, in parentheses the smallest and the
largest seed; n is the number of rows behind each seed. A dash: what became of the answers is not counted
where a run's answers are not stored. On `demo` the broken answers of these runs are shown all the same,
counted by an earlier rule for the facts of others; in the six runs where both are known the share differs by
at most .014.

NPO, hard selection at 0.8, without the frame loss (preset "npo, secret alone"); the same with `frame = 5`,
as is recommended; and NPO as it is recommended, with the threshold that the scores suggest. Strength and the
quarter of tokens that the suggestion adds to the hesitant ones were chosen on seed 0 of `authors`. That it
selects at least 15 % of all tokens was chosen after seed 0 of `prose`, where .167 of the answers leaked
without it: the other seeds are the held-out test of training, but the tokens are the same in all.

`demo`, which forgets `authors:forget10`:

{frame_authors}

`demo-prose`, which forgets `prose:forget`; the frame loss changes little there, its retained answers suffer
as much without it:

{frame_prose}

Objectives and learning rate schedules, with the suggested threshold and the settings that each recommends.
The default is `altnpo` with the level that the run measures on the holdout; `uniform weights` is the same
with weights on all tokens alike and the level of these, `no level` without a level, and `rescored` scores
the forget set again every ten steps. `npo, falling rate` is NPO for 80 steps at a learning rate that falls
to 0, which `altnpo` and `complement` have too; `npo, level` and `npo, base level` end once the tokens have
been at their level for six steps, that of the holdout and those of the retrained model, and `npo, retain
bound` lets lambda follow a bound of 0.005 nats. The falling rate and alpha of `altnpo` were chosen on seed
0 of `authors` and `prose`. What `alternative` hides, its lambda and its steps were chosen on seed 0 of
`authors`; `idk` and `jensun` were not tuned. On `demo`:

{authors}

On `demo-prose`:

{prose}

On `smollm2-authors`, with an adapter of rank 8; its default has the level since the runs without had gone
too far, and `alternative` has 40 steps there:

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
