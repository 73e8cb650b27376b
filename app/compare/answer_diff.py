"""Answers as safe HTML: a word diff, what leaks, and a response tinted by what each token lost.

Answers and tokens are untrusted text: every piece is escaped, and its writing direction is kept inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from itertools import pairwise

import numpy as np

from app.numbers import measured
from app.present.marks import secret_pieces
from tokenunlearn.datasets.samples import word_spans
from tokenunlearn.evaluation.token_changes import TokenChange
from tokenunlearn.notebook import STRONGEST, TINT

STYLE = f"""<style>
.ad {{ overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: plaintext; line-height: 1.6; }}
.ad ins {{ background: rgba({TINT}, .35); color: inherit; border-radius: .2rem; text-decoration: underline; }}
.ad del {{ opacity: .8; text-decoration: line-through; }}
.ad .tok {{ padding: .15rem 0; border-bottom: .16rem solid transparent; border-radius: .15rem; }}
.ad .heavy {{ border-bottom-color: currentColor; }}
.ad .gold {{ font-weight: 600; }}
.ad mark {{ background: rgba({TINT}, .45); color: inherit; font-weight: 600; border-radius: .2rem; }}
</style>"""


# Share of common words from which two texts are shown as one with changes.
ALIKE = 0.5


def _pieces(text: str) -> list[str]:
    """The words of a text, each with what follows it up to the next word, in any script."""
    starts = [start for start, _ in word_spans(text)]
    edges = sorted({0, *starts, len(text)})
    return [text[a:b] for a, b in pairwise(edges)]


def diff_html(before: str, after: str) -> str:
    """A word diff: words of ``before`` that are gone are struck through, new ones marked and underlined.

    A text that shares less than half of its words with the one before is marked as a whole: scattered words
    between struck ones cannot be read.
    """
    old, new = _pieces(before), _pieces(after)
    words = SequenceMatcher(None, old, new, autojunk=False)
    alike = not new or words.ratio() >= ALIKE
    parts = []
    for kind, a, b, c, d in words.get_opcodes() if alike else [("insert", 0, 0, 0, len(new))]:
        gone, come = escape("".join(old[a:b])), escape("".join(new[c:d]))
        if kind == "equal":
            parts.append(come)
        else:
            parts += [f"<del>{gone}</del> "] if gone else []
            parts += [f"<ins>{come}</ins>"] if come else []
    return f'{STYLE}<div class="ad">{"".join(parts) or "<em>(empty)</em>"}</div>'


def change_html(change: TokenChange, largest: float) -> str:
    """A response; the tint tells how much log-probability a token lost, a bar marks weights of at least 1.

    Args:
        change: The response's tokens.
        largest: Loss of log-probability, in nats, that has the strongest tint.
    """
    lost = np.clip(np.nan_to_num(-change.change) / largest if largest > 0 else 0 * change.change, 0, 1) + 0.0
    parts = []
    for i, text in enumerate(change.texts):
        kinds = "tok heavy" if change.emphasized[i] else "tok"
        before, after = (measured(-nll[i]) for nll in (change.nll_before, change.nll_after))
        tip = f"weight {measured(change.weights[i])}, log p {before} → {after}"
        parts.append(
            f'<span class="{kinds}" title="{escape(tip)}" '
            f'style="background: rgba({TINT}, {STRONGEST * lost[i]:.3f})">{escape(text)}</span>'
        )
    return f'{STYLE}<div class="ad">{"".join(parts)}</div>'


def leak_html(answer: str, facts: Sequence[str]) -> str:
    """An answer with the facts that it states marked."""
    parts = [
        f"<mark>{escape(piece.text)}</mark>" if piece.strength else escape(piece.text)
        for piece in secret_pieces(answer, facts)
    ]
    return f'{STYLE}<div class="ad">{"".join(parts)}</div>'


def recall_html(change: TokenChange, gold: np.ndarray, begun: Sequence[int]) -> str:
    """A true answer; the tint of its gold tokens tells how probable they still are, a bar where they begin.

    Args:
        change: The answer's tokens.
        gold: (T,) which of them are part of the secret.
        begun: Places of the tokens at which the model would begin a fact.
    """
    before, after = np.exp(-change.nll_before), np.exp(-change.nll_after)
    parts = []
    for i, text in enumerate(change.texts):
        if not gold[i]:
            parts.append(escape(text))
            continue
        ranks = f"rank {change.rank_before[i]} → {change.rank_after[i]}"
        tip = f"p {measured(before[i])} → {measured(after[i])}, {ranks}"
        kinds = "tok gold heavy" if i in begun else "tok gold"
        parts.append(
            f'<span class="{kinds}" title="{tip}" '
            f'style="background: rgba({TINT}, {STRONGEST * after[i]:.3f})">{escape(text)}</span>'
        )
    return f'{STYLE}<div class="ad">{"".join(parts)}</div>'
