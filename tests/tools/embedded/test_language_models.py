"""German, and Japanese without blanks: scores, a default run, its outcomes, attacks and verdict."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import tokenunlearn as tu
from benchmarks.token_labels import Labels
from tokenunlearn.datasets.embedded import LANGUAGE_SOURCES
from tokenunlearn.datasets.samples import overlaps
from tokenunlearn.evaluation.metrics.outcomes import OUTCOMES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(LANGUAGE_SOURCES))
def done(request):
    """One default run of each language, evaluated, attacked and judged."""
    name = f"demo-{request.param}"
    retrained = f"{name}-retrained"
    model, samples = tu.load_model(name), tu.load_samples(f"{request.param}:forget")
    scores = tu.score(model, samples)
    run = tu.unlearn(model, samples, scores.weights(), retain=f"{request.param}:retain")
    before = tu.evaluate(model, request.param, retrained)
    after = tu.evaluate(run.model, request.param, retrained, start=before)
    attacks = tu.attack(run.model, samples, retrained, attacks=["prefix"])
    verdict = tu.verdict(after, attacks=attacks, start=before)
    return SimpleNamespace(
        samples=samples, scores=scores, before=before, after=after, attacks=attacks, verdict=verdict
    )


def test_the_model_knows_its_people_and_the_retrained_one_only_the_retained(done):
    for part in ("forget", "retain"):
        assert done.before[f"{part}/gold_span"].value >= 0.95
    assert done.before["retain/gold_span"].retrained >= 0.95
    assert done.before["forget/gold_span"].retrained <= 0.15


def test_the_default_ranks_the_facts_first(done):
    area, low, _ = Labels.of(done.scores).judge(done.scores.importance)["auroc"]
    assert area >= 0.9 and low >= 0.85


def test_the_default_selects_some_of_every_fact(done):
    weights = done.scores.weights().weights
    missed = [
        x.answer[a:b]
        for x, w in zip(done.scores.samples, weights, strict=True)
        for a, b in x.span
        if not any(w[t] > 0 for t, offset in enumerate(x.offsets) if overlaps(offset, [(a, b)]))
    ]
    assert len(missed) <= 0.1 * sum(len(x.span) for x in done.scores.samples)


def test_the_run_forgets_and_keeps(done):
    assert done.before["forget/leaks"].value >= 0.95
    leaks = done.after["forget/leaks"]
    assert leaks.value <= leaks.retrained + 0.1
    assert done.after["retain/retained_pairs"].value >= 0.85
    assert done.after["forget/broken"].value <= 0.2


def test_outcomes_add_up_and_words_are_counted(done):
    assert np.isclose(sum(done.after[f"forget/{name}"].value for name in OUTCOMES), 1)
    for name in ("rouge_l", "frame_kept", "gold_span"):
        assert done.before[f"forget/{name}"].value >= 0.95
    assert 0.2 < done.after["forget/rouge_l"].value < 0.9


def test_the_verdict_rests_on_the_run_and_its_attacks(done):
    assert done.attacks["prefix/gold_span"].n == len(done.samples)
    claims = [*done.verdict.gone, *done.verdict.hidden, *done.verdict.there, *done.verdict.untested]
    assert "forget/leaks" in [claim.measure for claim in (*claims, *done.verdict.differs)]
    assert done.verdict.outcome in ("gone", "hidden", "differs", "open")
    assert done.verdict.kept
