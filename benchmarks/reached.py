"""How many facts a hard selection reaches: of how many no token is selected, and how much of the others is.

    python -m benchmarks.reached [--models demo,smollm2-tofu]

A fact of which no token is selected is not unlearned. Beside the default selection, that by thresholds that
select a given share of the set. Models that ``benchmarks/results/reached.json`` holds are measured again.
Writes that file and ``docs/results.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tokenunlearn as tu
from benchmarks import RESULTS
from benchmarks.by_model import measure_models
from benchmarks.levels import FORGET
from tokenunlearn.attribution.answer_fit import answer_fits
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.evaluation.result import bootstrap_interval, wilson_interval

PATH = RESULTS / "reached.json"
SHARES = (0.15, 0.2, 0.25, 0.3, 0.4)


def reached(scores: ScoreSet, weights: TokenWeights) -> dict[str, Any]:
    """Facts that a selection reaches.

    Returns:
        Share of all tokens selected; number of facts; of these the share without a selected token, and the
        mean share of a fact's tokens selected, each with its 95 % interval over facts.
    """
    fits = answer_fits(scores, weights.weights)
    coverage = np.array([fit.coverage for fit in fits if fit.coverage is not None])
    missed = int((coverage == 0).sum())
    return {
        "selected": weights.selected / weights.tokens,
        "facts": len(coverage),
        "missed": [missed / len(coverage), *wilson_interval(missed, len(coverage))],
        "coverage": [float(coverage.mean()), *bootstrap_interval(coverage)],
    }


def measured(name: str) -> dict[str, Any]:
    """Facts that the default reaches and that each share reaches, on a model's forget set."""
    scores = tu.score(tu.load_model(name), tu.load_samples(FORGET[name]), cache=True)
    rules = {"default": None, **{f"{share:g}": tu.HardSelection(quantile=1 - share) for share in SHARES}}
    return {
        "forget": FORGET[name],
        "reading": scores.reading,
        "rules": {rule: reached(scores, scores.weights(of)) for rule, of in rules.items()},
    }


if __name__ == "__main__":
    measure_models(PATH, FORGET, measured)
