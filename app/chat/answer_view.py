"""An answer as safe HTML: each piece tinted by its surprise, under one legend."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from app.numbers import measured

if TYPE_CHECKING:
    from tokenunlearn.models.generation_stream import StreamedText

TINT = "129, 140, 248"  # indigo: amber is the secret's
STRONGEST = 0.6
SURPRISED = 3.0  # nats that have the strongest tint: a probability of 5 %
STYLE = f"""<style>
.ca {{ overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; line-height: 1.6;
  min-height: 1.6em; }}
.ca .given {{ opacity: .75; font-style: italic; }}
.ca .piece {{ border-radius: .15rem; padding: .1rem 0; }}
.ca .said {{ font-weight: 600; font-size: .9em; margin-top: .3rem; }}
.ca .cursor {{ opacity: .6; }}
.ca-legend {{ display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: center; font-size: .875rem; }}
.ca-legend .scale {{ display: inline-block; width: 7rem; height: .9em; border-radius: .15rem;
  border: 1px solid rgba(128, 128, 128, .45);
  background: linear-gradient(90deg, rgba({TINT}, 0), rgba({TINT}, {STRONGEST})); }}
</style>"""


def answer_html(
    pieces: Iterable[StreamedText], *, prefix: str = "", verdict: str = "", ended: bool = True
) -> str:
    """An answer as far as it was said.

    Args:
        pieces: Its pieces.
        prefix: How it was made to begin.
        verdict: What is to be said of it, "" for nothing.
        ended: Whether it is whole.
    """
    given = f'<span class="given">{escape(prefix)}</span>' if prefix else ""
    said = "".join(map(_piece, pieces)) or ("<em>(empty)</em>" if ended else "")
    cursor = "" if ended else '<span class="cursor">▌</span>'
    judged = f'<div class="said">{escape(verdict)}</div>' if verdict else ""
    return f'{STYLE}<div class="ca" dir="auto">{given}{said}{cursor}{judged}</div>'


def _piece(piece: StreamedText) -> str:
    tint = STRONGEST * min(piece.nats / SURPRISED, 1.0)
    tip = f"surprise {measured(piece.nats)} nats, probability {100 * math.exp(-piece.nats):.0f} %"
    return (
        f'<span class="piece" title="{tip}" style="background: rgba({TINT}, {tint:.2f})">'
        f"{escape(piece.text)}</span>"
    )


def legend_html() -> str:
    """What the tint means."""
    return (
        f'{STYLE}<div class="ca-legend"><span>Surprise of each model at its own words:</span>'
        f'<span>0 nats (certain)</span><span class="scale"></span>'
        f"<span>{SURPRISED:g} nats or more (a chance below {100 * math.exp(-SURPRISED):.0f} %)</span></div>"
    )


def fact_words(share: float | None) -> str:
    """What a share of stated facts, 0..1, is in words; "" where nothing was to be stated."""
    if share is None:
        return ""
    if share == 1:
        return "states the fact"
    return "states part of the fact" if share > 0 else "does not state the fact"
