"""A response as running text with every token tinted by one score; pure functions from scores to safe HTML.

Tokens are untrusted text: every one is escaped, and nothing here is ever interpreted as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from tokenunlearn.notebook import STRONGEST, TINT

# Amber reads on light and dark grounds alike; selection is an underline, so nothing depends on color alone.
STYLE = f"""<style>
.tv {{ line-height: 2.1; font-size: 1.05rem; overflow-wrap: anywhere; unicode-bidi: plaintext; }}
.tv .tok {{ position: relative; padding: .18rem .05rem; border-radius: .2rem; cursor: default;
  white-space: pre-wrap;
  border-bottom: .16rem solid transparent; outline-offset: 2px; }}
.tv .tok.sel {{ border-bottom-color: rgb({TINT}); }}
.tv .tok.gold {{ text-decoration: underline dotted; text-underline-offset: .42rem; }}
.tv .tok.special {{ font-family: monospace; font-size: .8em; }}
.tv .tip {{ display: none; position: absolute; left: 0; top: 1.9rem; z-index: 50; white-space: pre;
  line-height: 1.45; font-size: .78rem; font-family: ui-monospace, monospace; padding: .5rem .7rem;
  border-radius: .4rem; user-select: none;
  background: #1f2430; color: #f3f4f6; box-shadow: 0 4px 16px rgba(0, 0, 0, .35); }}
.tv .tok:hover .tip, .tv .tok:focus .tip {{ display: block; }}
.tv .tok:nth-last-child(-n+4) .tip {{ left: auto; right: 0; }}
.tv-legend {{ font-size: .82rem; opacity: .8; }}
.tv-legend i {{ display: inline-block; width: 7rem; height: .7rem; border-radius: .2rem;
  vertical-align: middle;
  margin: 0 .35rem; background: linear-gradient(90deg, rgba({TINT}, 0), rgba({TINT}, {STRONGEST})); }}
</style>"""


def visible(text: str) -> str:
    """A token's text with blanks, tabs and line ends made visible."""
    return text.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥") or "∅"


def shade(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Tint strength 0..1 of each token: linear from 0 to the largest score of the response.

    Scores that are negative or not finite get no tint; constant positive scores all get the full one.
    """
    clean = np.clip(np.nan_to_num(np.asarray(values, dtype=float), nan=0.0, posinf=0.0, neginf=0.0), 0, None)
    top = clean.max(initial=0.0)
    return clean / top if top > 0 else clean


def response_html(
    texts: Sequence[str],
    strengths: Sequence[float] | np.ndarray,
    selected: Sequence[bool] | np.ndarray,
    details: Sequence[Mapping[str, str]],
    gold: Sequence[bool] | np.ndarray | None = None,
) -> str:
    """The response as HTML: tint for the score, a bar under selected tokens, dots under the gold span.

    Args:
        texts: (T,) token texts; the last one is the end of turn.
        strengths: (T,) tint strength 0..1.
        selected: (T,) tokens with a weight above 0.
        details: (T,) what hovering or focusing a token shows, by name.
        gold: (T,) tokens of the gold span, where it is known.
    """
    parts = []
    for i, text in enumerate(texts):
        special = i == len(texts) - 1
        kinds = ["tok"]
        kinds += ["sel"] if selected[i] else []
        kinds += ["gold"] if gold is not None and gold[i] else []
        kinds += ["special"] if special else []
        own = ' dir="ltr"' if special else ""
        width = max((len(name) for name in details[i]), default=0)
        tip = "\n".join(f"{name.ljust(width)}  {value}" for name, value in details[i].items())
        strength = float(strengths[i]) * STRONGEST
        parts.append(
            f'<span class="{" ".join(kinds)}"{own} tabindex="0" '
            f'style="background: rgba({TINT}, {strength:.3f})">'
            f"{escape(' ' + text if special else text)}"
            f'<span class="tip" aria-hidden="true">{escape(tip)}</span></span>'
        )
    return f'{STYLE}<div class="tv" role="figure">{"".join(parts)}</div>'


def legend_html(label: str, scale: str = "scaled per answer") -> str:
    """What tint, bar and dots of :func:`response_html` mean, as HTML.

    Args:
        label: Name of the score.
        scale: What low and high are.
    """
    return (
        f'{STYLE}<div class="tv-legend">low<i></i>high {escape(label)}, {escape(scale)}; '
        "underline: selected; dotted line: gold span</div>"
    )
