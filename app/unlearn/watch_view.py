"""Answers to the watched questions as they change while a run trains, as safe HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = """<style>
.wa { overflow-x: auto; }
.wa table { border-collapse: collapse; width: 100%; font-size: .9rem; }
.wa th, .wa td { text-align: start; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid rgba(128, 128, 128, .3); }
.wa td, .wa th { overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; min-width: 7rem; }
.wa .step { white-space: nowrap; min-width: 3rem; font-variant-numeric: tabular-nums; }
</style>"""


def answer_rows(watched: Sequence[Mapping[str, Any]]) -> list[tuple[str, tuple[str, ...]]]:
    """Steps and what was answered then; neighbors that answered alike are one row, "10–30"."""
    rows: list[tuple[int, int, tuple[str, ...]]] = []
    for record in watched:
        said = tuple(answer["answer"] for answer in record["answers"])
        if rows and rows[-1][2] == said:
            rows[-1] = (rows[-1][0], record["step"], said)
        else:
            rows.append((record["step"], record["step"], said))
    return [(f"{a}" if a == b else f"{a}–{b}", said) for a, b, said in rows]


def answers_html(watched: Sequence[Mapping[str, Any]]) -> str:
    """A table: step -> answer to each question; questions and answers are untrusted, so escaped."""
    questions = [answer["question"] for answer in watched[-1]["answers"]]
    head = "".join(f'<th scope="col" dir="auto">{escape(question)}</th>' for question in questions)
    body = "".join(
        f'<tr><th scope="row" class="step">{step}</th>'
        + "".join(f'<td dir="auto">{escape(answer) or "<em>(empty)</em>"}</td>' for answer in said)
        + "</tr>"
        for step, said in answer_rows(watched)
    )
    return (
        f'{STYLE}<div class="wa" tabindex="0" role="region" aria-label="Watched answers"><table>'
        f'<thead><tr><th scope="col" class="step">step</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
