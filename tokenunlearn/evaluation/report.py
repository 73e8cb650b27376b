"""Reports: every figure of an evaluation with what is needed to trust and repeat it, as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

from tokenunlearn import __version__
from tokenunlearn.errors import FileError, TokenUnlearnError
from tokenunlearn.evaluation.result import Better, MetricResult
from tokenunlearn.files import replaced
from tokenunlearn.folders import ASSETS, CHECKOUT
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.notebook import NotebookView, report_html
from tokenunlearn.stored import fitted, read_json


class _MetricValues(TypedDict):
    value: float | None
    n: int
    interval: tuple[float | None, float | None] | None
    better: Better
    rows: list[float | None]
    sample_ids: list[str]


class MetricValues(_MetricValues, total=False):
    """A metric's result as plain values, null for a figure that is not finite."""

    name: str
    chance: float | None
    retrained: float | None
    retrained_rows: list[float | None]


class Generation(TypedDict):
    """A question, its answer, and what the model answers."""

    sample_id: str
    question: str
    answer: str
    generation: str


class _ReportValues(TypedDict):
    model: str
    revision: str
    suite: str
    settings: dict[str, Any]
    metrics: dict[str, MetricValues]


class ReportValues(_ReportValues, total=False):
    """A :class:`Report` as plain values."""

    generations: dict[str, list[Generation]]
    notes: list[str]
    versions: dict[str, str]
    git_revision: str
    device: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """Results of one suite on one model.

    Attributes:
        model: Name of the model.
        revision: Its content fingerprint.
        suite: Name of the suite.
        settings: Splits, limit, retrained model.
        metrics: Results by name.
        generations: Part -> rows of sample_id, question, answer, generation.
        notes: What was left out, and why.
        versions: Versions of what computed it.
        git_revision: Commit of the code, "" outside a repository.
        device: Where it ran.
        seconds: Wall time.
    """

    model: str
    revision: str
    suite: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, MetricResult]
    generations: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    git_revision: str = ""
    device: str = ""
    seconds: float = 0.0

    def __getitem__(self, name: str) -> MetricResult:
        return self.metrics[name]

    def _repr_html_(self) -> str:
        return report_html(self)

    def show(self) -> NotebookView:
        """The report as a notebook draws it; ``show().save("report.html")`` writes it as a page."""
        return NotebookView(f"{self.model}, suite {self.suite}", report_html(self))

    def table(self) -> list[dict[str, Any]]:
        """One row a metric: metric, value, low, high, n, retrained, better."""
        rows = []
        for name, result in self.metrics.items():
            low, high = result.interval or (None, None)
            row = {"metric": name, "value": result.value, "low": low, "high": high}
            rows.append(row | {"n": result.n, "retrained": result.retrained, "better": result.better})
        return rows

    def to_json(self) -> dict[str, Any]:
        """The report as plain values; NaN and infinity become null, floats have 6 digits."""
        values: dict[str, Any] = plain_values(asdict(self))
        return values

    def save(self, path: str | Path) -> Path:
        """Write the report as JSON, whole or not at all."""
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        with replaced(path) as file:
            file.write(f"{text}\n".encode())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a report written by :meth:`save`.

        Raises:
            TokenUnlearnError: If there is no such file or it is not a report.
        """
        path = Path(path)
        again = "create one with: python -m tokenunlearn evaluate --json."
        if not os.path.isfile(path):
            raise TokenUnlearnError(f'There is no report "{path}"; {again}')
        try:
            values = read_report(path)
        except FileError as error:
            raise TokenUnlearnError(
                f'The file "{path}" is not a report: {str(error)[:-1]}; {again}'
            ) from None
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: ReportValues) -> Report:
        """The report of plain values, as :func:`read_report` gives them."""
        metrics = {name: _result(name, row) for name, row in values["metrics"].items()}
        whole: dict[str, Any] = {**values, "metrics": metrics}
        return cls(**{f.name: whole[f.name] for f in fields(cls) if f.name in whole})


def shipped_report_file(model: str | Path) -> Path | None:
    """The file of the report that comes with a preset; None for any other model."""
    path = ASSETS / "reports" / f"{model}.json"
    return path if str(model) in PRESETS and path.is_file() else None


def stored_report(model: str, suite: str, run: Path | None = None) -> Report | None:
    """The report of a suite on a preset, or on the model of a run's folder; None where there is none."""
    path = run / "report.json" if run else shipped_report_file(model)
    report = Report.load(path) if path and path.exists() else None
    return report if report and report.suite == suite else None


def read_report(path: Path) -> ReportValues:
    """The plain values of a stored report under their present names.

    Raises:
        FileError: If the file cannot be read, or holds something else.
    """
    whole = read_json(path, dict[str, Any])
    metrics = fitted(whole.get("metrics"), dict[str, dict[str, Any]], f"what {path.name} measured")
    settings = fitted(whole.get("settings"), dict[str, Any], f"the settings in {path.name}")
    for row in (settings, *metrics.values()):
        if "reference" in row:  # what "retrained" was called
            row["retrained"] = row.pop("reference")
        if row.get("better") == "reference":
            row["better"] = "retrained"
    values: ReportValues = fitted(whole | {"metrics": metrics, "settings": settings}, ReportValues, path.name)
    for name, metric in values["metrics"].items():
        others = metric.get("retrained_rows") or metric["rows"]
        if not len(metric["rows"]) == len(others) == len(metric["sample_ids"]):
            raise FileError(f'The rows of "{name[:80]}" in {path.name} must have an id each.')
    return values


def _result(name: str, row: MetricValues) -> MetricResult:
    low_high = row["interval"]
    return MetricResult(
        name=row.get("name", name),
        value=_number(row["value"]),
        n=row["n"],
        interval=(_number(low_high[0]), _number(low_high[1])) if low_high else None,
        better=row["better"],
        rows=tuple(row["rows"]),
        chance=row.get("chance"),
        sample_ids=tuple(row["sample_ids"]),
        retrained=row.get("retrained"),
        retrained_rows=tuple(row.get("retrained_rows", ())),
    )


def _number(value: float | None) -> float:
    """A figure as it was before JSON, where NaN and infinity are null."""
    return float("nan") if value is None else value


def plain_values(value: Any) -> Any:
    """A value as JSON has it: NaN and infinity become null, floats have 6 digits, tuples are lists."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain_values(item) for item in value]
    return value


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the figures; imports none of them."""
    packages = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    return {"tokenunlearn": __version__, "python": platform.python_version(), **packages}


def git_revision() -> str:
    """Commit of the code; "" when it is installed or its checkout is not a repository of its own."""
    if CHECKOUT is None or not (CHECKOUT / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
