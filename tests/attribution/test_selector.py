"""The learned selector: against a plain oracle, over files, and its refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.app.scores import sample, score_set, word
from tokenunlearn.attribution.sample_scores import OPTIONAL
from tokenunlearn.attribution.selector import Selector, features_of, fit_selector
from tokenunlearn.attribution.signals import SIGNALS
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc

RANDOM = np.random.default_rng(11)


def marked(count=24, time=20, name="m"):
    """Answers whose gold tokens are the uncertain ones, among noise."""
    samples = []
    for i in range(count):
        entropy = RANDOM.gamma(1.0, 0.3, time)
        gold = (3, 4, 12)
        entropy[list(gold)] += 1.5
        texts = [f" {word(RANDOM.integers(99))}" for _ in range(time - 1)] + ["<|end|>"]
        samples.append(sample(RANDOM.random(time), entropy, texts=texts, name=f"{name}{i}", gold=gold))
    return score_set(samples)


def measured(scores, *options):
    """The set with arrays of these options."""
    arrays = [name for option in options for name in OPTIONAL[option]]
    samples = [
        replace(x, **{n: RANDOM.gamma(1.0, 1.0, len(x.texts)) for n in arrays}) for x in scores.samples
    ]
    return replace(scores, samples=tuple(samples))


@pytest.mark.parametrize("name", list(SIGNALS))
def test_every_signal_gives_one_finite_number_a_token(name):
    scores = measured(marked(4), *OPTIONAL)
    values = SIGNALS[name].of(scores)
    assert [v.shape for v in values] == [(len(x.texts),) for x in scores.samples]
    assert all(np.isfinite(v).all() for v in values)
    assert SIGNALS[name].help.endswith(".")


@pytest.mark.parametrize("name", [name for name, signal in SIGNALS.items() if signal.option])
def test_a_signal_that_was_not_measured_names_its_option(name):
    option = SIGNALS[name].option
    others = measured(marked(6), *(o for o in OPTIONAL if o != option))
    flag = {"prefix": "--prefix", "base_model": "--base-model"}[option]
    message = f'"{name}" is not measured by default; score with the option {option} \\({flag} '
    for refused in (
        lambda: SIGNALS[name].of(others),
        lambda: fit_selector("x", [others], (name,)),
        lambda: Selector("x", (name,), (1.0,), 0.0).importance(others),
        lambda: replace(others, selector=Selector("x", (name,), (1.0,), 0.0)).weights(),
    ):
        with pytest.raises(TokenUnlearnError, match=message):
            refused()


def test_a_fit_uses_the_signals_that_every_set_holds():
    plain = tuple(name for name, signal in SIGNALS.items() if not signal.option)
    whole, part = measured(marked(6), *OPTIONAL), measured(marked(6), "prefix")
    assert fit_selector("x", [marked(6), whole]).signals == plain
    assert set(fit_selector("x", [whole, part]).signals) == {*plain, "prefix masking"}
    selector = fit_selector("x", [whole])
    assert selector.signals == tuple(SIGNALS)
    assert np.isfinite(np.concatenate(selector.importance(measured(marked(3), *OPTIONAL)))).all()


def test_a_fit_on_some_rows_finds_the_facts_of_others():
    selector = fit_selector("marked", [marked()])
    others = replace(marked(name="o"), selector=selector)
    assert token_auroc(others.importance, [x.gold for x in others.samples]) > 0.95
    assert all(s[-1] == 0 for s in others.importance)  # the end of turn states nothing


def test_the_fit_is_a_minimum_of_the_stated_loss():
    scores, names = marked(8), ("entropy", "position")
    selector = fit_selector("x", [scores], names, penalty=2.0)
    inside = np.concatenate([x.in_words for x in scores.samples])
    features = features_of(scores, names)[inside]
    gold = np.concatenate([x.gold for x in scores.samples])[inside]

    def loss(w, bias):
        z = features @ w + bias
        p = 1 / (1 + np.exp(-z))
        return -np.mean(np.where(gold, np.log(p), np.log(1 - p))) + 2.0 / len(gold) * (w @ w)

    w, bias = np.array(selector.weights), selector.bias
    least = loss(w, bias)
    for _ in range(50):
        assert loss(w + RANDOM.normal(0, 0.05, 2), bias + RANDOM.normal(0, 0.05)) >= least - 1e-6


def test_a_selector_survives_its_file(tmp_path):
    selector = fit_selector("märkte", [marked(6)])
    loaded = Selector.load(selector.save(tmp_path / "deep" / "s.json"))
    assert loaded == selector and loaded.hash == selector.hash and len(loaded.hash) == 12


def test_a_word_of_several_tokens_is_taken_whole():
    texts = [" ga", "rage", " door", ".", "<|end|>"]
    one = sample([0.0] * 5, [0.1, 4.0, 0.2, 0.1, 0.1], texts=texts)
    importance = Selector("x", ("position",), (3.0,), 0.0).importance(score_set([one]))[0]
    assert importance[0] == importance[1] > 0
    assert importance[3:].tolist() == [0.0, 0.0]


def test_too_few_marked_rows_are_refused():
    scores = score_set([replace(x, span=()) if i > 2 else x for i, x in enumerate(marked(8).samples)])
    with pytest.raises(TokenUnlearnError, match="3 of the samples have gold spans"):
        fit_selector("x", [scores])


def test_a_set_without_marked_facts_changes_nothing():
    scores = marked(8)
    bare = score_set([replace(x, span=()) for x in marked(4, name="b").samples])
    alone, together = fit_selector("x", [scores]), fit_selector("x", [scores, bare])
    assert np.isfinite(together.weights).all()
    assert together.weights == pytest.approx(alone.weights, rel=0.2, abs=0.2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v | {"format": 9}, "format 1"),
        (lambda v: v | {"signals": ["luck"]}, 'uses the unknown signal "luck"'),
        (lambda v: v | {"weights": v["weights"] * 2}, "one weight per signal"),
        (lambda v: v | {"bias": float("inf")}, '"bias" in .* must be a number'),
        (lambda v: {k: x for k, x in v.items() if k != "bias"}, '"bias" in .* must be given'),
        (lambda v: [], "format 1"),
        (lambda v: 5, "format 1"),
        (lambda v: v | {"weights": "many"}, "must be a list"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, change, words):
    path = fit_selector("x", [marked(6)], ("entropy",)).save(tmp_path / "s.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(TokenUnlearnError, match=words):
        Selector.load(path)


def test_a_missing_file_and_broken_json_are_refused(tmp_path):
    with pytest.raises(TokenUnlearnError, match="There is no selector"):
        Selector.load(tmp_path / "none.json")
    (tmp_path / "s.json").write_text("{" * 100_000)
    with pytest.raises(TokenUnlearnError, match="not valid JSON"):
        Selector.load(tmp_path / "s.json")
