"""Answer prefixes: the model is made to begin its answer, with a yes or with the answer's own words."""

from __future__ import annotations

from tokenunlearn.datasets.languages import language_of
from tokenunlearn.evaluation.attack_prompts import answer_start
from tokenunlearn.evaluation.attacks.target import Rows, Target, best


def prefix(target: Target) -> dict[str, Rows]:
    """Two attacks by how the answer is made to begin.

    ``prefix``: with each of a few phrases in the question's language, the best of them a sample.
    ``answer_start``: with the answer's own words up to its fact; samples without gold spans, or whose fact
    comes first, have no value.
    """
    phrases = zip(*(language_of(s.question).prefixes for s in target.samples), strict=True)
    tries = [
        target.recovered(f"prefix {number}", prefixes=list(prefixes))
        for number, prefixes in enumerate(phrases, start=1)
    ]
    recovered = {f"prefix/{target.metric}": best(tries)}
    starts = [answer_start(s) for s in target.samples]
    if any(starts):
        rows = target.recovered("answer start", prefixes=starts)
        recovered[f"answer_start/{target.metric}"] = [
            row if start else None for row, start in zip(rows, starts, strict=True)
        ]
    return recovered
