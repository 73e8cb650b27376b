"""What the browser computes is what the library computes, on the same scores."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from app import state
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import make_weights
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.attribution.sensitivity import selection_statistics
from tokenunlearn.attribution.token_view.payload import encode_overrides, pack
from tokenunlearn.errors import NothingSelectedError

pytestmark = pytest.mark.slow

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None, reason="node is not installed, so the browser's maths cannot run here"
)

RANDOM = np.random.default_rng(5)


def several(aggregation="sum"):
    """Ten samples of ordinary scores with ties and copied words."""
    samples = []
    for i, time in enumerate(RANDOM.integers(2, 30, 10)):
        k = np.round(RANDOM.gamma(1, 2, time), 1)
        samples.append(
            sample(k, RANDOM.gamma(2, 1, time), RANDOM.random(time) < 0.2, name=f"s{i}", gold=(0,))
        )
    return score_set(samples, aggregation=aggregation)


SETS = {
    "several": several(),
    "negative": score_set([sample([-3, -1, -2.5, -0.1], [-1, -2, -3, -4])], aggregation="absolute"),
    "constant": score_set([sample([2, 2, 2], [1, 1, 1]), sample([2, 2], [1, 1], name="s1")]),
    "all zero": score_set([sample([0, 0, 0], [0, 0, 0])]),
    "not a number": score_set(
        [
            sample([np.nan, 1, 2, np.nan, 5], [1, np.nan, np.inf, -np.inf, 0.5]),
            sample([np.nan, np.nan], [np.nan, np.nan], name="s1"),
        ]
    ),
    "mostly copied": score_set([sample([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], np.arange(5) > 0)], reading="tail"),
    "one token": score_set([sample([1.5], [0.7])]),
    "learned": replace(
        several(),
        selector=Selector("x", ("entropy", "masking"), (3.0, 1.0), -0.5),
    ),
    "long": score_set([sample(RANDOM.gamma(1, 1, 2000), RANDOM.gamma(1, 1, 2000))]),
}
MIXES = [
    {
        "fusion": f,
        "normalizer": n,
        "scope": s,
        "copy_guard": g,
        "direction": d,
        "granularity": w,
        "reading": r,
        "alpha": a,
    }
    for f, n, s, g, d, (w, r), a in product(
        ("product", "sum"),
        ("rank", "minmax"),
        ("set", "sample"),
        (True, False),
        ("uncertain", "certain"),
        (("word", "auto"), ("highest", "sharp"), ("token", "plain"), ("word", "tail")),
        (0.0, 0.37, 1.0),
    )
]
RULES = [
    {"weights": "hard", "threshold": 0.0},
    {"weights": "hard", "threshold": 0.55},
    {"weights": "hard", "threshold": 1.0},
    {"weights": "hard", "criterion": "top_share", "top_share": 0.25},
    {"weights": "hard", "criterion": "top_share", "top_share": 0.5},
    {"weights": "hard", "criterion": "quantile", "quantile": 0.7},
    {"weights": "hard", "criterion": "quantile", "quantile": 0.0},
    {"weights": "soft", "temperature": 0.01},
    {"weights": "soft", "temperature": 0.4},
    {"weights": "soft", "temperature": 10.0},
    {"weights": "uniform"},
]


def in_node(cases):
    """What the browser's maths makes of (score set, settings)."""
    sent = []
    for scores, settings in cases:
        text = state.to_text(settings, scores)
        numbers = {name: float(text[name]) for name in state.RANGES}
        sent.append(
            {
                "set": pack(scores),
                "settings": text | numbers | {"copy_guard": settings.copy_guard},
                "overrides": text["overrides"],
            }
        )
    script = Path(__file__).with_name("parity.js")
    assert NODE
    done = subprocess.run([NODE, script], input=json.dumps(sent), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def check(cases):
    for (scores, settings), got in zip(cases, in_node(cases), strict=True):
        mixed = settings.apply(scores)
        ids = [x.sample_id for x in scores.samples]
        try:
            weights = make_weights(ids, mixed.importance, settings.rule, mixed.overrides).weights
        except NothingSelectedError:
            weights = [np.zeros(len(s)) for s in mixed.importance]
        about = str(settings)
        knowledge, importance, weights = (
            np.concatenate(v) for v in (mixed.knowledge, mixed.importance, weights)
        )
        np.testing.assert_array_equal(np.array(got["knowledge"], dtype=float), knowledge, about)
        np.testing.assert_allclose(got["importance"], importance, rtol=0, atol=1e-12, err_msg=about)
        np.testing.assert_allclose(got["weights"], weights, rtol=1e-9, atol=1e-12, err_msg=about)
        assert got["overrides"] == encode_overrides(settings.overrides, scores)


@pytest.mark.parametrize("name", [n for n in SETS if n != "long"])
@pytest.mark.slow
def test_importance_and_weights_agree_under_every_mix(name):
    scores = SETS[name]
    base = state.defaults(scores)
    check([(scores, replace(base, **mix, **rule)) for mix in MIXES for rule in (RULES[1], RULES[7])])


@pytest.mark.parametrize("name", list(SETS))
@pytest.mark.slow
def test_every_rule_agrees(name):
    scores = SETS[name]
    base = state.defaults(scores)
    check([(scores, replace(base, **rule)) for rule in RULES])


@pytest.mark.parametrize("name", ["several", "one token", "long"])
def test_overrides_win_over_every_rule(name):
    scores = SETS[name]
    first, last = scores.samples[0], scores.samples[-1]
    overrides = {first.sample_id: {0: True}, last.sample_id: {0: False, len(last.texts) - 1: True}}
    if len(scores) == 1:
        overrides = {first.sample_id: {0: False, len(first.texts) - 1: True}}
    check([(scores, replace(state.defaults(scores), overrides=overrides, **rule)) for rule in RULES])


def test_a_response_forced_out_entirely_has_no_weight():
    scores = SETS["constant"]
    overrides = {"s0": dict.fromkeys(range(3), False)}
    check([(scores, replace(state.defaults(scores), overrides=overrides, **rule)) for rule in RULES])


def test_what_is_left_of_soft_weights_without_the_heaviest_token_agrees():
    scores = score_set([sample([0, 0, 0, 0], [1, 0.28, 0.1, 0])])
    mix = {"normalizer": "minmax", "fusion": "sum", "reading": "plain", "alpha": 0.0, "granularity": "token"}
    rule = {"weights": "soft", "temperature": 0.001, "overrides": {"s0": {0: False}}}
    check([(scores, replace(state.defaults(scores), **mix, **rule))])


@pytest.mark.slow
def test_the_read_out_agrees():
    scores = SETS["several"]
    for rule in RULES:
        settings = replace(state.defaults(scores), **rule)
        (got,) = in_node([(scores, settings)])
        found = selection_statistics(settings.apply(scores), settings.rule)
        assert got["whole"]["selected"] / got["whole"]["tokens"] == pytest.approx(found.tokens)
        assert got["whole"]["share"] == pytest.approx(found.importance)
