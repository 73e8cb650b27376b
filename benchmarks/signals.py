"""Which signal finds the secret: how every token score ranks the tokens that state the fact.

    python -m benchmarks.signals [MODEL ...] [--no-measure]

Scores what each model is to forget, compares every score with the gold spans, writes
``benchmarks/results/signals/MODEL.json``, prints the tables and renews ``docs/results.md``. Measurements are
stored, so a second run takes seconds; ``--no-measure`` leaves out models that would have to be measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any
from unittest import mock

import typer
from rich.console import Console

from benchmarks import RESULTS, code_versions, tables, write_result
from benchmarks.signals_measurements import (
    WORLDS,
    Measurements,
    NotMeasuredError,
    available_models,
    world_of,
)
from benchmarks.signals_rows import FOLDS, Case, Row, fitted_selectors
from benchmarks.token_labels import DRAWS, NO_MARGIN, SEED, Labels
from tokenunlearn.attribution import score_set as score_sets
from tokenunlearn.attribution.selector import Selector

FOLDER = RESULTS / "signals"


def judged_row(row: Row, labels: Labels, world: str) -> dict[str, Any]:
    """A row of the result file."""
    fit = {"fitted_on": list(row.fitted_on), "own_world": world in row.fitted_on} if row.fitted_on else {}
    return {"group": row.group, "signal": row.signal, **fit, **labels.judge(row.values)}


@mock.patch.multiple(score_sets, **NO_MARGIN)
def judge_model(
    name: str,
    measurements: Measurements,
    selectors: Mapping[tuple[str, ...], Selector],
    limit: int | None = None,
) -> dict[str, Any]:
    """The result of one model.

    Args:
        name: The model.
        measurements: Measures what is not stored.
        selectors: Fitted selectors by the worlds they were fitted on.
        limit: Most samples of each set; None for all.

    Raises:
        NotMeasuredError: If something is not stored and nothing may be measured.
    """
    started = time.monotonic()
    measurements.seconds.clear()
    world = world_of(name)
    case = Case(measurements.load(name), WORLDS[world], measurements, selectors, limit)
    labels = Labels.of(case.scores)
    rows = [judged_row(row, labels, world) for row in case.rows()]
    measuring = sum(measurements.seconds.values())
    return {
        "model": name,
        "world": world,
        "samples": case.samples.name,
        "retained": case.retained.name,
        "revision": case.model.revision,
        "settings": {
            "masking": dict(case.scores.masking),
            "importance": asdict(case.scores.settings),
            "threshold": case.scores.suggested_threshold,
            "folds": FOLDS,
            "draws": DRAWS,
            "seed": SEED,
        },
        "reading": case.scores.reading,
        "n_scored": len(case.samples),
        "n_retained": len(case.retained),
        **labels.counts(),
        "selectors": [s.to_json() for s in selectors.values()],
        "rows": rows,
        **code_versions(),
        "device": str(case.model.device),
        "seconds": {
            "measuring": round(measuring, 1),
            "table": round(time.monotonic() - started - measuring, 1),
            "measurements": dict(measurements.seconds),
        },
    }


def main(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models; by default all on this machine.", show_default=False)
    ] = None,
    measure: Annotated[bool, typer.Option(help="Measure what is not stored, or leave its model out.")] = True,
) -> None:
    """Measure, judge, write the results and the tables."""
    console = Console()
    measurements = Measurements(measure)
    names = models or available_models()
    for name in names:
        world_of(name)  # refuse an unknown name before an hour of measuring
    started = time.monotonic()
    selectors = fitted_selectors(measurements)
    console.print(f"Scores for the selectors and their fits took {time.monotonic() - started:.0f} s.")
    for name in names:
        try:
            result = judge_model(name, measurements, selectors)
        except NotMeasuredError as error:
            console.print(f"{name} is left out: {error}")
            continue
        write_result(FOLDER / f"{name}.json", result)
        console.print(f"\n{name}", tables.signals_table(result), sep="\n", soft_wrap=True)
        seconds = result["seconds"]
        console.print(f"Measuring took {seconds['measuring']:.0f} s, the table {seconds['table']:.0f} s.")
    tables.write()


if __name__ == "__main__":
    typer.run(main)
