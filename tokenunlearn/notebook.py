"""What a notebook shows of score sets, reports, verdicts and histories: HTML in which every text is escaped.

Tokens, names and notes are untrusted text; nothing of them is ever read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.evaluation.claims import Verdict
    from tokenunlearn.evaluation.report import Report

SHOWN_SAMPLES = 5
SHOWN_STEPS = 10
# Amber reads on light and dark grounds alike.
TINT = "217, 119, 6"
STRONGEST = 0.62


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
        f'<p style="line-height: 1.8"><i>{escape(sample.question)}</i><br>'
        + "".join(map(_token, sample.texts, importance, sample.nll, entropy))
        + "</p>"
        for sample, importance, entropy in zip(
            scores.samples[:SHOWN_SAMPLES], scores.importance, scores.entropy, strict=False
        )
    ]
    hidden = len(scores) - len(texts)
    more = [f"<p>and {hidden} more</p>"] if hidden else []
    return _section(title, [f"<p>{legend}</p>", *texts, *more])


def _token(text: str, importance: float, nll: float, entropy: float) -> str:
    alpha = STRONGEST * float(np.clip(np.nan_to_num(importance), 0, 1))
    hint = f"importance {importance:.2f}, NLL {nll:.2f} nats, entropy {entropy:.2f} nats"
    return (
        f'<span title="{hint}" style="white-space: pre-wrap; background: rgba({TINT}, {alpha:.3f})">'
        f"{escape(text)}</span>"
    )


def report_html(report: Report) -> str:
    """A report as a table: value, 95 % interval, n, direction, the retrained model's value, and its notes."""
    rows = (
        (
            row["metric"],
            _figure(row["value"]),
            "" if row["low"] is None else f"{_figure(row['low'])} to {_figure(row['high'])}",
            str(row["n"]),
            row["better"],
            _figure(row["retrained"]),
        )
        for row in report.table()
    )
    table = _table(("metric", "value", "95 % interval", "n", "better", "retrained"), rows)
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return _section(f"{report.model}, suite {report.suite}", [table, f"<ul>{notes}</ul>" if notes else ""])


def verdict_html(verdict: Verdict) -> str:
    """A verdict section by section, the figures of each claim on its right."""
    parts = []
    for title, claims in verdict.sections.items():
        rows = ((claim.sentence, claim.numbers) for claim in claims)
        parts.append(f"<p><b>{escape(title)}</b></p>{_table(('claim', 'figures'), rows)}")
    return _section(verdict.headline, parts)


def history_html(history: Sequence[Mapping[str, float]]) -> str:
    """The records of a run as a table of at most ten steps, evenly spread, the first and last among them."""
    if not history:
        return _section("No steps", [])
    shown = np.unique(np.linspace(0, len(history) - 1, SHOWN_STEPS).round().astype(int))
    names = list(dict.fromkeys(name for record in history for name in record))
    rows = ([_figure(history[i].get(name)) for name in names] for i in shown)
    return _section(f"{len(history)} steps", [_table(names, rows)])


def _figure(value: float | None) -> str:
    return "–" if value is None or not isfinite(value) else f"{value:.4g}"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"


def _section(title: str, parts: Iterable[str]) -> str:
    return f"<div><p><b>{escape(title)}</b></p>{''.join(parts)}</div>"
