"""What the token view reads: a set's scores, packed, and what hovering over the tokens of a sample shows."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenunlearn.attribution.importance import ImportanceSettings, knowledge_score
from tokenunlearn.attribution.reading import REPEATED, Reading
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.selection import Overrides

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet

STRONGEST_CONTEXTS = 3
READINGS: tuple[Reading, ...] = ("sharp", "tail", "plain")
SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？]+|\n+")  # noqa: RUF001

# Control -> help text.
HELP = {f.name: f.metadata["help"] for f in fields(ImportanceSettings)} | {
    "copy_guard": "The importance of words that repeat the question is multiplied by "
    f"{REPEATED['sharp']:g} in the sharp reading and by {REPEATED['tail']:g} in the tail reading; in "
    "the plain reading, only their knowledge score is set to 0.",
}


def pack(scores: ScoreSet) -> dict[str, Any]:
    """The set's scores, flat and packed: float32 in nats, words numbered within each sample, as base64.

    ``learned`` is the importance that a selector gives, None where the set has none.
    """
    s = scores.settings
    readings = {}
    for reading in READINGS:
        guarded, unguarded = ([x.factor(reading, guard) for x in scores.samples] for guard in (True, False))
        readings[reading] = {
            "units": _base64(_flat([x.units[reading] for x in scores.samples]), "<i4"),
            "guarded": _base64(_flat(guarded), "<f8"),
            "unguarded": _base64(_flat(unguarded), "<f8"),
        }
    knowledge = [knowledge_score(x.losses, x.copied, s.aggregation, copy_guard=False) for x in scores.samples]
    return {
        "lengths": _base64([len(x.texts) for x in scores.samples], "<i4"),
        "knowledge": _base64(_flat(knowledge), "<f4"),
        "entropy": _base64(_flat([x.entropy for x in scores.samples]), "<f4"),
        "tailEntropy": _base64(_flat([x.tail_entropy for x in scores.samples]), "<f4"),
        "copied": _base64(_flat([x.copied for x in scores.samples]), "u1"),
        "learned": _base64(_flat(scores.importance), "<f8") if scores.selector else None,
        "reading": scores.chosen_reading,
        "readings": readings,
        "words": _base64(_flat([x.words for x in scores.samples]), "<i4"),
    }


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([*arrays, np.empty(0)])


def _base64(values: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(values).astype(kind).tobytes()).decode()


def sample_data(sample: SampleScores) -> dict[str, Any]:
    """What the view shows of one sample, a list with one entry a token for each kind of fact."""
    return {
        "id": sample.sample_id,
        "texts": list(sample.labels),
        "ids": [int(i) for i in sample.token_ids],
        "probability": [_number(p) for p in np.exp(-sample.nll.astype(float))],
        "gold": [bool(g) for g in sample.gold],
        "repeats": "repeats the question" if sample.question else "appears earlier in the text",
        "special": [a == b for a, b in sample.offsets],
        "sentences": sentences(sample),
        "contexts": strongest_contexts(sample),
    }


def _number(value: float) -> float | None:
    """A JSON number; NaN and infinities, which JSON lacks, become None."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def sentences(sample: SampleScores) -> list[int]:
    """Number of the sentence each token starts in."""
    ends = [match.end() for match in SENTENCE_END.finditer(sample.answer)]
    return [
        int(np.searchsorted(ends, start + _blanks(text), side="right"))
        for (start, _), text in zip(sample.offsets, sample.texts, strict=True)
    ]


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip()) if text.strip() else 0


def strongest_contexts(sample: SampleScores) -> list[list[tuple[str, float]]]:
    """For each token the contexts whose masking costs it most, with the loss in nats, the strongest first."""
    if not sample.losses.size:
        return [[] for _ in sample.texts]
    losses = np.nan_to_num(sample.losses, nan=-np.inf)
    order = np.argsort(-losses, axis=0, kind="stable")[:STRONGEST_CONTEXTS]
    names = sample.context_labels
    return [
        [(names[c], round(float(losses[c, t]), 4)) for c in order[:, t] if losses[c, t] > 0]
        for t in range(len(sample.texts))
    ]


def setting_text(value: float | bool | str) -> str:
    """A setting as the view and its address write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def encode_overrides(overrides: Mapping[str, Overrides], scores: ScoreSet) -> str:
    """Overrides in short: ``0.i3-5.o7`` forces tokens 3 to 5 of sample 0 in and its token 7 out."""
    parts = []
    for number, sample in enumerate(scores.samples):
        runs: list[tuple[bool, int, int]] = []
        for position, inside in sorted(overrides.get(sample.sample_id, {}).items()):
            if runs and runs[-1][0] == inside and runs[-1][2] == position - 1:
                runs[-1] = (inside, runs[-1][1], position)
            else:
                runs.append((inside, position, position))
        words = [f"{'i' if i else 'o'}{a}" + (f"-{b}" if b > a else "") for i, a, b in runs]
        if words:
            parts.append(".".join([str(number), *words]))
    return "_".join(parts)
