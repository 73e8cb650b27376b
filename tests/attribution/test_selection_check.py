"""What is remarkable about a selection, counted by hand on answers of a few words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection, Uniform
from tokenunlearn.attribution.selection_check import check_selection

NAMES = [" Ada", " Lee", " lives", " in", " Tu", "rin", ".", "<|end|>"]


def named(entropy, name="s0", **changes):
    return replace(sample([0.0] * 8, entropy, texts=NAMES, name=name), **changes)


@pytest.fixture
def scores():
    """Two answers: the model hesitates at the town of the first and nowhere in the second."""
    low = [0.01, 0.02, 0.01, 0.02, 0.01, 0.01, 0.0, 0.0]
    return score_set([named([*low[:4], 2.5, 0.5, 0.0, 0.0]), named(low, name="s1")], reading="auto")


def test_the_default_selection_of_two_answers(scores):
    check = check_selection(scores, scores.weights().weights)
    assert (check.tokens, check.selected) == (16, 2)
    assert check.units == 8  # Ada Lee, lives, in, Turin; twice
    assert check.partial == ()
    assert (check.reading, check.suggested) == ("sharp", "sharp")
    assert (check.words, check.hesitant) == (10, 0.1)


def test_overrides_and_scores_by_token_cut_through_words_and_names(scores):
    forced = scores.with_override("s0", 0, True).with_override("s1", 5, True)
    assert check_selection(forced, forced.weights().weights).partial == (("s0", "Ada Lee"), ("s1", "Turin"))
    plain = replace(forced, settings=replace(forced.settings, reading="plain"))  # there a name is no unit
    weights = plain.weights(HardSelection(threshold=1.0)).weights
    check = check_selection(plain, weights)
    assert check.partial == (("s1", "Turin"),)
    assert check.units == 10
    by_token = scores.with_settings(granularity="token")
    weights = by_token.weights(HardSelection(threshold=1.0)).weights
    assert check_selection(by_token, weights).partial == (("s0", "Turin"),)


def test_uniform_weights_leave_nothing_out(scores):
    check = check_selection(scores, scores.weights(Uniform()).weights)
    assert (check.selected, check.partial) == (16, ())


def test_a_recited_text_is_read_by_its_tail(scores):
    hump = np.random.default_rng(3).normal(1, 0.1, (40, 8))
    hump[:, 5] = 0  # or else a word of two tokens would be twice as uncertain as the others
    recited = score_set([named(row, f"s{i}") for i, row in enumerate(hump)], reading="auto")
    check = check_selection(recited, recited.weights().weights)
    assert (check.reading, check.suggested) == ("tail", "tail")
    sharp = recited.with_settings(reading="sharp")
    assert check_selection(sharp, sharp.weights().weights).reading == "sharp"


def test_without_samples_there_is_nothing_to_say():
    check = check_selection(score_set([]), [])
    assert (check.tokens, check.units, check.words, check.hesitant) == (0, 0, 0, 0.0)
