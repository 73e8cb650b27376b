"""What models predict where one token stands, moment by moment, as safe HTML: tokens are untrusted text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from app.token_view import visible
from tokenunlearn.datasets.characters import PART_OF_A_CHARACTER
from tokenunlearn.evaluation.token_life import Prediction

STYLE = """<style>
.pv { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .6rem; }
.pv section { border: 1px solid rgba(128, 128, 128, .45); border-radius: .35rem; padding: .45rem .6rem; }
.pv h4 { margin: 0 0 .3rem; padding: 0; font-size: .9rem; }
.pv ol { list-style: none; margin: 0; padding: 0; }
.pv li { position: relative; display: flex; justify-content: space-between; gap: .5rem; margin: 0 0 .15rem;
  padding: .05rem .35rem; font-size: .85rem; font-variant-numeric: tabular-nums;
  background: linear-gradient(rgba(100, 116, 139, .28), rgba(100, 116, 139, .28)) 0 0 / var(--share) 100%
  no-repeat; }
.pv li.true { font-weight: 700;
  background-image: linear-gradient(rgba(217, 119, 6, .42), rgba(217, 119, 6, .42)); }
.pv li.below { margin-top: .35rem; border-top: 1px dashed rgba(128, 128, 128, .6); }
.pv li span { overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate;
  font-family: ui-monospace, monospace; }
.pv li b { white-space: nowrap; }
</style>"""


SMALLEST = 0.001  # per cent that are written out


class Moment(NamedTuple):
    """A prediction and when it was made: "before", "step 10"."""

    title: str
    prediction: Prediction


def moments_html(token: str, moments: Sequence[Moment]) -> str:
    """A card for each moment: the most probable tokens with their probabilities, the true one marked.

    Args:
        token: The true token's text.
        moments: In order.
    """
    return f'{STYLE}<div class="pv">{"".join(_card(token, moment) for moment in moments)}</div>'


def _card(token: str, moment: Moment) -> str:
    own = moment.prediction
    rows = [
        _row(_shown(a["text"]), a["probability"], "true" if own["rank"] == place else "")
        for place, a in enumerate(own["alternatives"], start=1)
    ]
    if own["rank"] > len(rows):
        rows.append(_row(f"{_shown(token)}, rank {own['rank']:,}", own["probability"], "true below"))
    return f"<section><h4>{escape(moment.title)}</h4><ol>{''.join(rows)}</ol></section>"


def _shown(token: str) -> str:
    return "part of a character" if PART_OF_A_CHARACTER in token else visible(token)


def _row(text: str, probability: float, kind: str) -> str:
    return (
        f'<li class="{kind}" style="--share: {100 * probability:.1f}%">'
        f'<span dir="auto">{escape(text)}</span><b>{escape(percent(probability))}</b></li>'
    )


def percent(probability: float) -> str:
    """A probability in per cent; of small ones two digits."""
    share = 100 * probability
    if share >= 0.1:
        return f"{share:.1f} %"
    return f"{share:.2g} %" if share >= SMALLEST else f"< {SMALLEST} %"
