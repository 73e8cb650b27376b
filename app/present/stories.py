"""What Present tells of a run."""

from __future__ import annotations

from dataclasses import replace

from app import run_reader
from app.present.presentation import Story
from app.score_sets import find_scores
from tokenunlearn.runs.run import Run


def story(run: Run) -> Story:
    """What is stored about a run and about the models to compare it with."""
    spec = replace(run.spec, rule=run.rule)
    return Story(
        spec=spec,
        generations=run.generations,
        report=run_reader.run_report(run),
        scores=find_scores(run.folder / "scores.parquet"),
        before=run_reader.shipped_report(spec.model),
        verdict=run_reader.run_verdict(run),
    )
