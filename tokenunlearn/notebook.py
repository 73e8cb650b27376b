"""What a notebook shows of score sets, reports, verdicts and runs: HTML in which every text is escaped.

Tokens, names and notes are untrusted text; nothing of them is ever read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tokenunlearn.files import replaced
from tokenunlearn.notebook_charts import curve, interval_bar

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.evaluation.claims import Verdict
    from tokenunlearn.evaluation.report import Report
    from tokenunlearn.training.unlearn import Unlearned

SHOWN_SAMPLES = 5
SHOWN_STEPS = 10
SHOWN_ANSWERS = 20
# Amber reads on light and dark grounds alike.
TINT = "217, 119, 6"
STRONGEST = 0.62
Theme = Literal["auto", "light", "dark"]
# Key of a record -> what its curve shows.
CURVES = {
    "forget_nll": ("forget NLL (weighted), nats", "forget"),
    "retain_loss": ("retain loss, nats", "retain"),
}
# Of pages without styles of their own.
PLAIN = """<style>
body { margin: 1rem; font: 0.9rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
td, th { padding: 0.1rem 0.6rem 0.1rem 0; text-align: start; vertical-align: top; }
</style>"""
REQUESTS = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class NotebookView:
    """What a notebook draws where it is the last value of a cell; ``save`` writes it as a file of its own.

    Attributes:
        title: What it shows.
        body: Its HTML.
        head: Styles that the body needs.
        height: Height in pixels of the frame that its scripts run in, apart from the notebook; 0 for HTML
            without scripts, which is drawn in the cell.
        theme: Its colors in a frame or file; "auto" for those of the system.
    """

    title: str
    body: str
    head: str = ""
    height: int = 0
    theme: Theme = "auto"

    @property
    def document(self) -> str:
        """The whole page, which makes no requests."""
        scheme = "light dark" if self.theme == "auto" else self.theme
        return (
            f'<!doctype html><html lang="en" style="color-scheme: {scheme}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{REQUESTS}">'
            f"<title>{escape(self.title)}</title>{self.head or PLAIN}</head><body>{self.body}</body></html>"
        )

    def _repr_html_(self) -> str:
        if not self.height:
            return f"{self.head}{self.body}"
        return (
            f'<iframe sandbox="allow-scripts" title="{escape(self.title)}" srcdoc="{escape(self.document)}" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write it as an HTML file that needs nothing else.

        Raises:
            TokenUnlearnError: If the file cannot be written.
        """
        with replaced(path) as file:
            file.write(self.document.encode())
        return Path(path)


class _Html(str):
    """A cell that is HTML already."""


def score_set_html(scores: ScoreSet) -> str:
    """The first samples of a score set: each response token tinted by its importance, with a legend.

    Hovering over a token shows importance (0 to 1), token NLL and entropy (nats).
    """
    title = f"{len(scores)} samples of {scores.source}, scored with {scores.model}"
    ramp = f"linear-gradient(90deg, rgba({TINT}, 0), rgba({TINT}, {STRONGEST}))"
    legend = (
        f'importance 0 <span style="display: inline-block; width: 7em; height: .7em; background: {ramp}">'
        "</span> 1"
    )
    texts = [
        f'<p style="line-height: 1.8; unicode-bidi: plaintext"><i>{escape(sample.question)}</i><br>'
        + "".join(map(_token, sample.labels, importance, sample.nll, entropy))
        + "</p>"
        for sample, importance, entropy in zip(
            scores.samples[:SHOWN_SAMPLES], scores.importance, scores.entropy, strict=False
        )
    ]
    hidden = len(scores) - len(texts)
    more = [f"<p>and {hidden} more</p>"] if hidden else []
    return section(title, [f"<p>{legend}</p>", *texts, *more])


def _token(text: str, importance: float, nll: float, entropy: float) -> str:
    alpha = STRONGEST * float(np.clip(np.nan_to_num(importance), 0, 1))
    hint = f"importance {importance:.2f}, NLL {nll:.2f} nats, entropy {entropy:.2f} nats"
    return (
        f'<span title="{hint}" style="white-space: pre-wrap; background: rgba({TINT}, {alpha:.3f})">'
        f"{escape(text)}</span>"
    )


def report_html(report: Report) -> str:
    """A report as a table: value, 95 % interval, n, direction, the retrained model's value; notes, answers.

    Figures from 0 to 1 are drawn too: a dot for the value, a bar for its interval, a tick for the retrained
    model.
    """
    rows = []
    for row in report.table():
        value, low, high, retrained = (row[name] for name in ("value", "low", "high", "retrained"))
        drawn = value is not None and 0 <= value <= 1
        cells = [row["metric"], _figure(value), "" if low is None else f"{_figure(low)} to {_figure(high)}"]
        cells += [str(row["n"]), row["better"], _figure(retrained)]
        rows.append([*cells, _Html(interval_bar(value, low, high, retrained)) if drawn else ""])
    header = ("metric", "value", "95 % interval", "n", "better", "retrained", "0 to 1")
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    legend = "<p>Dot: value. Bar: 95 % interval. Violet tick: retrained model.</p>"
    answers = [
        details(f"{part}: {len(said):,} answers", answers_html(said, ("answer", "generation")))
        for part, said in report.generations.items()
    ]
    parts = [_table(header, rows), legend, f"<ul>{notes}</ul>" if notes else "", *answers]
    return section(f"{report.model}, suite {report.suite}", parts)


def answers_html(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The first twenty questions and what belongs to each of them, as a table."""
    names = ("question", *columns)
    hidden = len(rows) - SHOWN_ANSWERS
    more = f"<p>and {hidden:,} more</p>" if hidden > 0 else ""
    return _table(names, ([row[name] for name in names] for row in rows[:SHOWN_ANSWERS])) + more


def details(title: str, body: str) -> str:
    """HTML folded under its title."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def verdict_html(verdict: Verdict) -> str:
    """A verdict section by section, the figures of each claim on its right."""
    parts = []
    for title, claims in verdict.sections.items():
        rows = ((claim.sentence, claim.numbers) for claim in claims)
        parts.append(f"<p><b>{escape(title)}</b></p>{_table(('claim', 'figures'), rows)}")
    return section(verdict.headline, parts)


def history_html(history: Sequence[Mapping[str, Any]], title: str = "") -> str:
    """The records of a run: its curves, and a table of at most ten steps, the first and last among them."""
    if not history:
        return section(title or "No steps", [])
    shown = np.unique(np.linspace(0, len(history) - 1, SHOWN_STEPS).round().astype(int))
    names = list(dict.fromkeys(name for record in history for name in record))
    table = _table(names, ([_figure(history[i].get(name)) for name in names] for i in shown))
    curves = []
    for name, (label, color) in CURVES.items():
        values = [(record["step"], record.get(name)) for record in history]
        points = [(step, value) for step, value in values if value is not None and isfinite(value)]
        curves += [curve(label, points, color)] if points else []
    return section(title or f"{len(history)} steps", [*curves, details("Steps", table)])


def unlearned_view(run: Unlearned) -> NotebookView:
    """What a call of ``unlearn`` did, step by step."""
    title = f"{run.config.objective}, {len(run.history)} steps"
    if run.stopped:
        title += f", {run.stopped} {run.fault}".rstrip()
    return NotebookView(title, history_html(run.history, title))


def _figure(value: float | None) -> str:
    return "–" if value is None or not isfinite(value) else f"{value:.4g}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        inner = (cell if isinstance(cell, _Html) else escape(cell) for cell in cells)
        return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in inner)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


def section(title: str, parts: Iterable[str]) -> str:
    """HTML below its title."""
    return f"<div><p><b>{escape(title)}</b></p>{''.join(parts)}</div>"
