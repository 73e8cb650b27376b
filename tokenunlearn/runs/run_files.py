"""What the files of a run hold next to its spec and its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.evaluation.report import read_report
from tokenunlearn.evaluation.token_changes import load_changes
from tokenunlearn.evaluation.token_life import PredictionRecord
from tokenunlearn.evaluation.watch import Watched
from tokenunlearn.runs.ledger import Request
from tokenunlearn.stored import read_json, read_lines, read_text

START_REPORT = "start_report.json"
ATTACKS_REPORT = "attacks.json"
DEPTH = "depth.json"
# What a run has measured and said; it is shipped with the adapter.
SHIPPED_FILES = (
    "spec.json",
    "state.json",
    "metrics.jsonl",
    "watched.jsonl",
    "predictions.jsonl",
    "scores.parquet",
    "resolved.json",
    "tokens.parquet",
    DEPTH,
    "generations.json",
    "requests.json",
    "report.json",
    ATTACKS_REPORT,
    "verdict.json",
)
# What is measured after training, of the weights that it led to.
MEASURED_FILES = (
    "tokens.parquet",
    DEPTH,
    "generations.json",
    "requests.json",
    "report.json",
    ATTACKS_REPORT,
    "verdict.json",
)


class _Step(TypedDict):
    step: float


class StepRecord(_Step, total=False):
    """What one step measured, and more: NLL and losses in nats, seconds since the first step."""

    forget_nll: float | None
    level: float | None
    retain_loss: float | None
    loss: float | None
    seconds: float | None


class AnswerPair(TypedDict):
    """A question of a run's samples with its answer, and what the model answers before and after the run."""

    sample_id: str
    question: str
    answer: str
    before: str
    after: str


# What each file beside spec and state holds.
READERS: Mapping[str, Callable[[Path], Any]] = {
    "label.txt": read_text,
    "metrics.jsonl": partial(read_lines, kind=StepRecord),
    "watched.jsonl": partial(read_lines, kind=Watched),
    "predictions.jsonl": partial(read_lines, kind=PredictionRecord),
    "resolved.json": partial(read_json, kind=dict[str, Any]),
    "generations.json": partial(read_json, kind=dict[str, list[AnswerPair]]),
    "report.json": read_report,
    START_REPORT: read_report,
    ATTACKS_REPORT: read_report,
    "requests.json": partial(read_json, kind=list[Request]),
    "scores.parquet": ScoreSet.load,
    "tokens.parquet": load_changes,
}
