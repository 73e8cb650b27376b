"""What the token view reads."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np

from tests.app.scores import sample, score_set
from tokenunlearn.attribution.reading import REPEATED
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.attribution.token_view import payload


def test_the_packed_scores_are_the_scores_without_the_copy_guard():
    scores = score_set(
        [sample([1, 2, 3], [0.5, 0.25, 0], copied=[1, 0, 0]), sample([4], [np.nan], name="s1")]
    )
    packed = payload.pack(scores)
    read = {name: base64.b64decode(text) for name, text in packed.items() if isinstance(text, str)}
    np.testing.assert_array_equal(np.frombuffer(read["lengths"], "<i4"), [3, 1])
    np.testing.assert_array_equal(np.frombuffer(read["knowledge"], "<f4"), [1, 2, 3, 4])
    np.testing.assert_array_equal(np.frombuffer(read["entropy"], "<f4"), [0.5, 0.25, 0, np.nan])
    np.testing.assert_array_equal(np.frombuffer(read["copied"], "u1"), [1, 0, 0, 0])
    np.testing.assert_array_equal(np.frombuffer(read["words"], "<i4"), [0, 0, 1, 0])
    assert packed["reading"] == scores.chosen_reading
    for reading, sent in packed["readings"].items():
        for name, guard in (("guarded", True), ("unguarded", False)):
            factors = np.concatenate([x.factor(reading, guard) for x in scores.samples])
            np.testing.assert_array_equal(np.frombuffer(base64.b64decode(sent[name]), "<f8"), factors)


def test_the_importance_of_a_selector_is_sent_where_there_is_one():
    scores = score_set([sample([1, 2, 3], [0.5, 0.25, 0])])
    assert payload.pack(scores)["learned"] is None
    learned = replace(scores, selector=Selector("x", ("entropy",), (2.0,), 0.0))
    sent = np.frombuffer(base64.b64decode(payload.pack(learned)["learned"]), "<f8")
    np.testing.assert_array_equal(sent, learned.importance[0])


def test_what_is_said_of_the_copy_guard_are_its_numbers():
    assert f"multiplied by {REPEATED['sharp']:g} in" in payload.HELP["copy_guard"]
    one = sample([1], [1])
    assert payload.sample_data(one)["repeats"] == "repeats the question"
    assert payload.sample_data(replace(one, question=""))["repeats"] == "appears earlier in the text"


def test_sentences_begin_at_their_first_visible_character():
    texts = ["Ada", " came", ".", " She", " left", "!\n", "Why", "?", "<|end|>"]
    found = payload.sentences(sample(range(9), range(9), texts=texts))
    assert found == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_strongest_contexts_come_first_and_only_those_that_cost_something():
    one = sample([1, -1, np.nan], [0, 0, 0], contexts=5)
    one.losses[1:4, 0] = [3, 0.5, 2]
    one.losses[1:4, 2] = [np.nan, 0, -1]
    found = payload.strongest_contexts(one)
    assert found == [[("context 1", 3.0), ("context 3", 2.0), ("context 0", 1.0)], [], []]


def test_sample_data_is_strict_json_even_without_numbers():
    one = sample([1, 2], [1, 2])
    one.nll[:] = [np.nan, 0.5]
    data = payload.sample_data(one)
    assert json.loads(json.dumps(data, allow_nan=False))["probability"][0] is None
    assert data["special"] == [False, True]


def test_tokens_that_share_a_character_show_it_once():
    emoji = replace(
        sample(range(6), range(6)),
        answer="a 🦙!",
        texts=("a", " \ufffd", "\ufffd", "\ufffd", "!", "<|end|>"),
        offsets=((0, 1), (1, 3), (2, 3), (2, 3), (3, 4), (4, 4)),
    )
    assert payload.sample_data(emoji)["texts"] == ["a", " 🦙", "·", "·", "!", "<|end|>"]


def test_a_context_without_visible_text_has_a_name():
    one = replace(sample([1], [1]), contexts=(" Who", "", " \n", "\ufffd"))
    assert one.context_labels == (" Who", *["(blank)"] * 3)
