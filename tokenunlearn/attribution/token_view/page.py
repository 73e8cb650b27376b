"""The token view as a page of its own, without a server: for notebooks, and for files to pass on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.attribution.selection import DEFAULT_TEMPERATURE, Rule, describe_rule
from tokenunlearn.attribution.token_view import payload
from tokenunlearn.errors import ScoreSetError
from tokenunlearn.notebook import NotebookView, Theme

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet

FOLDER = Path(__file__).parent
MAX_SAMPLES = 200  # that a page carries, so that a notebook stays small
HEIGHT = 620  # pixels


def _read(*names: str) -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


STYLE = _read("view.css")
SCRIPT = _read("maths.js", "controls.js", "keys.js", "view.js")


def token_view(scores: ScoreSet, rule: Rule | None, sample: int, theme: Theme) -> NotebookView:
    """The page of :meth:`~tokenunlearn.attribution.score_set.ScoreSet.show`."""
    opened = scores.samples[:MAX_SAMPLES]
    if not 0 <= sample < len(opened):
        raise ScoreSetError(f"There is no sample {sample} to show; use 0 to {len(opened) - 1}.")
    hidden = len(scores) - len(opened)
    title = f"{len(scores):,} samples of {scores.source}, scored with {scores.model}"
    page = {
        "title": title + (f"; the first {len(opened):,} can be opened" if hidden else ""),
        "set": payload.pack(scores),
        "details": [payload.sample_data(x) for x in opened],
        "questions": [x.question for x in opened],
        "ids": [x.sample_id for x in scores.samples],
        "settings": settings_text(scores, rule),
        "help": payload.HELP,
        "index": sample,
    }
    # No text can end the element that holds it.
    text = json.dumps(page, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    body = (
        f'<script type="application/json" id="page">{text}</script>'
        f'<script type="module">{SCRIPT}{_read("page.js")}</script>'
    )
    return NotebookView(title, body, f"<style>{STYLE}{_read('page.css')}</style>", HEIGHT, theme)


def settings_text(scores: ScoreSet, rule: Rule | None = None) -> dict[str, str]:
    """The settings that the view begins with, as text.

    Raises:
        ScoreSetError: If the view has no controls for the rule.
    """
    given: dict[str, Any] = describe_rule(rule) if rule else {"selection": "hard"}
    kind = given.pop("selection")
    if kind not in ("hard", "soft", "uniform"):
        raise ScoreSetError(f"The token view shows hard, soft and uniform weights, not {kind}.")
    criterion = next(iter(given), "threshold") if kind == "hard" else "threshold"
    values = {
        **asdict(scores.settings),
        "weights": kind,
        "criterion": criterion,
        "threshold": scores.suggested_threshold,
        "top_share": 0.25,
        "quantile": 0.75,
        "temperature": DEFAULT_TEMPERATURE,
        "tint": "importance",
        "pick": "token",
        "blanks": False,
        **given,
    }
    text = {name: payload.setting_text(value) for name, value in values.items()}
    return text | {"overrides": payload.encode_overrides(scores.overrides, scores)}
