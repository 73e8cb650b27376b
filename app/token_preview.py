"""A sample as one model reads it: every token in a box; pure functions to safe HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from app.token_view import visible
from tokenunlearn.datasets.samples import Span, overlaps

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding

STYLE = """<style>
.tp { line-height: 2.1; overflow-wrap: anywhere; }
.tp span { display: inline-block; border: 1px solid rgba(128, 128, 128, .5); border-radius: .25rem;
  padding: 0 .2rem; margin: 0 .12rem .12rem 0; font-family: ui-monospace, monospace; font-size: .85rem;
  line-height: 1.6;
  white-space: pre-wrap; unicode-bidi: isolate; }
.tp .template { opacity: .65; border-style: dashed; }
.tp .gold { border-bottom: .16rem solid rgb(217, 119, 6); background: rgba(217, 119, 6, .2); }
</style>"""


def tokens_html(encoding: Encoding, span: Sequence[Span]) -> str:
    """Prompt and response as boxes: dashed for the template, underlined for tokens that hold a fact."""
    prompt = [
        _box(text, "" if offset else "template")
        for text, offset in zip(encoding.texts, encoding.question_offsets, strict=False)
    ]
    offsets = encoding.answer_offsets
    response = [
        _box(text, "template" if i == len(offsets) - 1 else "gold" if overlaps(offset, span) else "")
        for i, (text, offset) in enumerate(zip(encoding.response_texts, offsets, strict=True))
    ]
    return (
        f"{STYLE}<p>Prompt, {len(prompt)} tokens</p><div class='tp'>{''.join(prompt)}</div>"
        f"<p>Response, {len(response)} tokens</p><div class='tp'>{''.join(response)}</div>"
    )


def _box(text: str, kind: str) -> str:
    return f'<span class="{kind}">{escape(visible(text))}</span>'
