"""A comparison as plain data: contenders, settings, metrics, questions, the Pareto front. Pure."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app import sample_sets
from app.compare.run_index import RunEntry, figure_of
from app.numbers import measured
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.result import ARROWS
from tokenunlearn.evaluation.token_changes import TokenChange
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.ledger import Request
from tokenunlearn.runs.retraining import retrained_for
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec

LETTERS = "ABCDEFGH"
START_COLOR, RETRAINED_COLOR = "#6b7280", "#848b98"
# Mark of a model in text -> in a chart; models as they are have marks of their own, and so has each letter.
SYMBOLS = {
    "□": "square-open",
    "◆": "diamond",
    "●": "circle",
    "▲": "triangle-up",
    "★": "star",
    "✚": "cross",
    "▼": "triangle-down",
    "✖": "x",
    "◀": "triangle-left",
    "▶": "triangle-right",
}
START_MARK, RETRAINED_MARK, *RUN_MARKS = SYMBOLS
ABSENT = "–"


@dataclass(frozen=True)
class Contender:
    """One column of the comparison.

    Attributes:
        name: "start", the letter of a run, or "retrained"; with the model's name where there are several.
        source: What loads it; the weights of a run need not be kept.
        color: Its color in every chart.
        label: What a person calls it.
        run: The run, None for a model as it is.
        mark: Its mark next to its name and in every chart.
    """

    name: str
    source: ModelSource
    color: str = START_COLOR
    label: str = ""
    run: Run | None = None
    mark: str = START_MARK

    @property
    def title(self) -> str:
        """Name and label."""
        return f"{self.name}: {self.label}" if self.label else self.name

    @property
    def loadable(self) -> bool:
        """Whether its weights are there: only then it can be asked."""
        return self.run is None or self.run.adapter is not None


def contenders(chosen: Sequence[RunEntry]) -> list[Contender]:
    """Start models, the runs in the order chosen, and the retrained models where there are any."""
    starts = list(dict.fromkeys(start_of(entry.run) for entry in chosen))
    models = list(dict.fromkeys(start.name for start in starts))

    def start_name(start: ModelSource) -> str:
        earlier = [Run(Path(adapter).parent).label for adapter in start.adapters]
        return "start" if len(starts) == 1 else f"start ({' + '.join([start.name, *earlier])})"

    columns = [Contender(start_name(start), start) for start in starts]
    for letter, mark, entry in zip(LETTERS, RUN_MARKS, chosen, strict=False):
        changed = start_of(entry.run).adapted(entry.run.folder / "adapter")
        columns.append(Contender(letter, changed, entry.color, entry.label, entry.run, mark))
    pairs = dict.fromkeys((e.spec.model, name) for e in chosen if (name := retrained_for(e.run)))
    started = [model for model, _ in pairs]
    for number, (model, retrained) in enumerate(pairs):
        name = "retrained" if len(models) == 1 else f"retrained ({model})"
        if started.count(model) > 1:
            name += f" {started[:number].count(model) + 1}"
        columns.append(Contender(name, ModelSource(retrained), RETRAINED_COLOR, mark=RETRAINED_MARK))
    return columns


def start_of(run: Run) -> ModelSource:
    """What loads the start model of a run; it cannot be loaded where a run before it is gone."""
    try:
        return run.start
    except RunError:
        return ModelSource(run.spec.model, (run.spec.adapter,))


def colors_of(columns: Iterable[Contender]) -> dict[str, str]:
    """Contender's name -> color."""
    return {column.name: column.color for column in columns}


def run_names(entries: Sequence[RunEntry | Run]) -> dict[str, str]:
    """Id -> label of each run, with the id where other runs have the label too."""
    labels = {entry.id: entry.label for entry in entries}
    count = Counter(labels.values())
    return {i: f"{label} ({i})" if count[label] > 1 else label for i, label in labels.items()}


def subjects(specs: Mapping[str, RunSpec]) -> list[str]:
    """What the runs forget and retain: a sentence for all that share it, without the letter of a single run.

    Args:
        specs: Letter of the run -> its spec.
    """
    letters: dict[str, list[str]] = {}
    for letter, spec in specs.items():
        retained = f" and retains {sample_sets.set_name(spec.retain)}" if spec.retain else ""
        sentence = f"{spec.model} forgets {sample_sets.set_name(spec.samples)}{retained}."
        letters.setdefault(sentence, []).append(letter)
    return [f"{', '.join(own)}: {text}" if len(specs) > 1 else text for text, own in letters.items()]


def labeled_spec(run: Run) -> RunSpec:
    """A run's spec, with the label of the run that it goes on from in place of where that one is."""
    with suppress(RunError):
        if parent := run.parent:
            return replace(run.spec, adapter=parent.label)
    return run.spec


def flat_settings(spec: RunSpec) -> dict[str, Any]:
    """Everything that decides what a run does, by name, without id, time and label."""
    config = dict(spec.config)
    config |= config.pop("parameters", {})
    config["holdout"] = sample_sets.set_name(config.get("holdout", "none"))
    flat: dict[str, Any] = {
        "model": spec.model,
        "goes on from": spec.adapter or ABSENT,
        "forget set": sample_sets.set_name(spec.samples),
        "retained samples": sample_sets.set_name(spec.retain) or ABSENT,
    }
    flat |= dict(spec.rule) | config | {f"scoring {k}": v for k, v in spec.scoring.items()}
    flat |= {f"template {k}": v for k, v in spec.template_kwargs.items()}
    flat |= {
        "score set": spec.score_hash[:12] or "computed by the run",
        "evaluated samples per split": spec.evaluate,
    }
    return flat | {f"{k} version": v for k, v in spec.versions.items()}


def settings_rows(specs: Mapping[str, RunSpec], only_different: bool = True) -> list[dict[str, str]]:
    """Settings as rows, runs as columns.

    Args:
        specs: Column name -> spec.
        only_different: Leave out what all runs share; a single run shares everything with itself.
    """
    flat = {name: flat_settings(spec) for name, spec in specs.items()}
    rows = []
    for setting in dict.fromkeys(s for values in flat.values() for s in values):
        shown = {name: _shown(values.get(setting)) for name, values in flat.items()}
        if not only_different or len(set(shown.values())) > 1:
            rows.append({"setting": setting.rstrip("_"), **shown})
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return ABSENT
    return f"{value:g}" if isinstance(value, float) else str(value)


def request_rows(lineage: Sequence[Run]) -> list[dict[str, Any]]:
    """One row a request: number, forget set, date, metric, value before it, and after it and each later one.

    Args:
        lineage: The runs that led to a model, the earliest first.
    """
    by_run = [{request.run: request for request in run.requests} for run in lineage]
    rows = []
    for number, run in enumerate(lineage):
        own = by_run[number].get(run.id)
        row = {
            "request": number + 1,
            "forget set": run.spec.samples,
            "created (UTC)": run.spec.created[:16].replace("T", " "),
            "metric": own.metric if own else "",
            "before": None if own is None or own.before is None else measured(own.before),
        }
        for later in range(len(lineage)):
            request = by_run[later].get(run.id)
            row[f"after request {later + 1}"] = _request_cell(request) if request else None
        rows.append(row)
    return rows


def _request_cell(request: Request) -> str:
    if request.value is None:
        return request.message
    return f"{measured(request.value)}{_interval(request.low, request.high)} n={request.n}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{measured(low)}, {measured(high)}]"


def metric_rows(reports: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a metric and model: metric, better, model, value, low, high, n."""
    names = dict.fromkeys(name for report in reports.values() for name in report["metrics"])
    return [
        {"metric": name, "model": title, **figure}
        for name in names
        for title, report in reports.items()
        if (figure := figure_of(report["metrics"], name))
    ]


def metric_table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Metrics as rows, models as columns; each cell is value, interval and n."""
    models = dict.fromkeys(row["model"] for row in rows)
    table: dict[str, dict[str, str]] = {}
    for row in rows:
        line = table.setdefault(
            row["metric"],
            {
                "metric": row["metric"],
                "better": ARROWS.get(row["better"], ""),
                **dict.fromkeys(models, ABSENT),
            },
        )
        interval = _interval(row["low"], row["high"])
        line[row["model"]] = f"{measured(row['value'])}{interval} n={row['n']}"
    return list(table.values())


def uneven_metrics(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many metrics rest on different numbers of rows in different models."""
    sizes: dict[str, set[int]] = {}
    for row in rows:
        sizes.setdefault(row["metric"], set()).add(row["n"])
    return sum(len(counts) > 1 for counts in sizes.values())


def notes_of(reports: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What reports left out or approximated: names of the models that share a note, and the note."""
    names: dict[str, list[str]] = {}
    for name, report in reports.items():
        for note in report.get("notes", ()):
            names.setdefault(note, []).append(name)
    return [(", ".join(models), note) for note, models in names.items()]


def _place(name: str) -> tuple[str, str]:
    """Split and metric of a name: forget and rouge_l, or membership and loss of "membership_loss"."""
    split, _, metric = name.partition("/" if "/" in name else "_")
    return split, metric


def splits_of(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """Splits of a benchmark that have a value per question, and the membership attacks."""
    names = (name for report in reports for name, metric in report["metrics"].items() if metric["rows"])
    return list(dict.fromkeys(_place(name)[0] for name in names))


def row_metrics(reports: Iterable[Mapping[str, Any]], split: str) -> list[str]:
    """Metrics of a split that have a value per question, without the split's name."""
    names = dict.fromkeys(
        name for report in reports for name, metric in report["metrics"].items() if metric["rows"]
    )
    return [metric for place, metric in map(_place, names) if place == split]


def question_rows(
    reports: Mapping[str, Mapping[str, Any]], split: str, metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """One row a question that every report covers: sample_id, question, answer, "metric, model" values.

    Args:
        reports: Model -> report.
        split: forget, retain, ..., membership.
        metrics: Names without the split; a value is None where the metric does not apply to the row.
    """
    values: dict[str, dict[str, Any]] = {}
    texts: dict[str, dict[str, str]] = {}
    covered: list[set[str]] = []
    for title, report in reports.items():
        seen = set()
        places = {_place(name): result for name, result in report["metrics"].items()}
        for metric in metrics:
            result = places.get((split, metric))
            for sample_id, value in (
                zip(*(result["sample_ids"], result["rows"]), strict=True) if result else ()
            ):
                seen.add(sample_id)
                values.setdefault(sample_id, {})[f"{metric}, {title}"] = value
        for row in itertools.chain.from_iterable(report.get("generations", {}).values()):
            text = texts.setdefault(row["sample_id"], {"question": row["question"], "answer": row["answer"]})
            text[f"answer, {title}"] = row["generation"]
        covered += [seen] if seen else []
    shared = set.intersection(*covered) if covered else set()
    names = [f"{metric}, {title}" for metric in metrics for title in reports]
    return [
        {"sample_id": sample_id, **texts.get(sample_id, {}), **{n: row[n] for n in names if n in row}}
        for sample_id, row in values.items()
        if sample_id in shared
    ]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points (forget, utility) that no other beats, by forget; less forget and more utility are better.

    A point is beaten by one that is at least as good in both and better in one. Equal points appear once.
    """
    front: list[tuple[float, float]] = []
    for forget, utility in sorted(set(points), key=lambda p: (p[0], -p[1])):
        if not front or utility > front[-1][1]:
            front.append((forget, utility))
    return front


def token_rows(changes: Mapping[str, TokenChange]) -> list[dict[str, Any]]:
    """One row a response token: position, token, and of every run weight, p before and after, change, rank.

    Positions are counted from 1.

    Args:
        changes: Run's letter -> the same sample's token changes. All runs read the same tokens.
    """
    import numpy as np

    first = next(iter(changes.values()))
    rows: list[dict[str, Any]] = [
        {"position": i, "token": text} for i, text in enumerate(first.texts, start=1)
    ]
    for letter, change in changes.items():
        columns = {
            "weight": change.weights,
            "p before": np.exp(-change.nll_before),
            "p after": np.exp(-change.nll_after),
            "Δ log p": change.change,
            "rank before": change.rank_before,
            "rank after": change.rank_after,
        }
        for row, *values in zip(rows, *columns.values(), strict=True):
            row |= {f"{letter} {name}": value.item() for name, value in zip(columns, values, strict=True)}
    return rows
