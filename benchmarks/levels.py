"""How well a holdout estimates the level that forgetting is to reach, where the retrained model is known.

    python -m benchmarks.levels [--models demo,smollm2-authors]

The level: mean NLL of what is selected in the holdout, under the start model. What it estimates: mean NLL of
the selected tokens of the forget set under the retrained model. An estimate is fair only where the start
model has met as many of the holdout's facts elsewhere as the retrained model of the forget set's, so both
shares stand beside it. Models that ``benchmarks/results/levels.json`` holds are measured again. Writes that
file and ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import tokenunlearn as tu
from benchmarks import RESULTS
from benchmarks.by_model import measure_models
from tokenunlearn.datasets import holdout_of
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.result import draw_interval
from tokenunlearn.models.forward import response_nll
from tokenunlearn.runs.retained import fitting_retained
from tokenunlearn.training.holdout import with_level
from tokenunlearn.training.settings import UnlearnSettings

PATH = RESULTS / "levels.json"
DRAWS = 2000
# Start model -> its forget set; its retrained model is named after it.
FORGET = {
    "demo": "authors:forget10",
    "demo-prose": "prose:forget",
    "demo-german": "german:forget",
    "demo-japanese": "japanese:forget",
    "smollm2-authors": "authors:forget10",
    "smollm2-tofu": "tofu:forget10_first5",
}


def stated(samples: Iterable[Sample], others: Iterable[Sample]) -> float | None:
    """Share of the facts of some samples that are facts of others too; None where no fact is marked."""
    facts, known = [fact for s in samples for fact in s.facts], {fact for s in others for fact in s.facts}
    return sum(fact in known for fact in facts) / len(facts) if facts else None


def measured(name: str) -> dict[str, Any]:
    """The level that a model's holdout gives, and what it is to estimate, with its interval over samples."""
    model, retrained = tu.load_model(name), tu.load_model(f"{name}-retrained")
    forget = tu.load_samples(FORGET[name])
    retain = tu.load_samples(fitting_retained(name, forget.name).name)
    scores = tu.score(model, forget, cache=True)
    weights = scores.weights()
    holdout = holdout_of(forget.name) or f"{forget.name.partition(':')[0]}:holdout"
    settings = with_level(UnlearnSettings(holdout=holdout), model, forget, (), weights, scores)
    known = response_nll(retrained, retrained.encode_all(forget))
    rows = zip(known, weights.weights, strict=True)
    sums = np.array([(nll.numpy() @ w, w.sum()) for nll, w in rows])  # (samples, 2)
    drawn = np.random.default_rng(0).integers(0, len(sums), (DRAWS, len(sums)))
    low, high = draw_interval(np.array([_mean(sums[numbers]) for numbers in drawn]))
    return {
        "forget": forget.name,
        "holdout": settings.holdout,
        "rule": dict(weights.rule),
        "selected": weights.selected,
        "tokens": weights.tokens,
        "level": settings.level,
        "stated": [stated(forget, retain), stated(tu.load_samples(settings.holdout), [*forget, *retain])],
        "retrained": [_mean(sums), low, high, len(sums)],
        "start": _mean(
            np.array([(x.nll @ w, w.sum()) for x, w in zip(scores.samples, weights.weights, strict=True)])
        ),
    }


def _mean(sums: np.ndarray) -> float:
    nll, weight = sums.sum(0)
    return float(nll / weight)


if __name__ == "__main__":
    measure_models(PATH, FORGET, measured)
