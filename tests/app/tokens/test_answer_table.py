"""The table of samples, their notes, captions and labels: pure functions of chosen numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.tokens import answer_table, captions, sample_notes
from app.tokens.sample_notes import SampleNote
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.runs.fit import fit

SCORES = score_set([sample([1] * 5, range(5), gold=(1,)), sample([2] * 5, range(5), name="s1")])
NOTES = {"s1": SampleNote("Too short", True)}


@pytest.mark.parametrize(
    ("search", "numbers"),
    [("", [1, 2]), ("S1?", [2]), ("too SHORT", [2]), ("question", [1, 2]), ("question nowhere", [])],
)
def test_the_table_has_the_samples_that_hold_every_word(search, numbers):
    table = answer_table.table(SCORES, fit(SCORES), NOTES, search)
    assert table["no."].tolist() == numbers


def test_the_table_says_what_is_selected_known_and_noted():
    own = fit(SCORES, HardSelection(threshold=0.0))
    first, second = answer_table.table(SCORES, own, NOTES).to_dict("records")
    assert (first["selected"], first["secret"], first["known"], first["note"]) == (100, 100, True, "")
    assert np.isnan(second["secret"]) and (second["note"], second["false positive"]) == ("Too short", True)


def test_notes_are_stored_with_the_score_set_and_empty_ones_go(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    assert sample_notes.read_notes(SCORES) == {}
    sample_notes.write_note(SCORES, "s0", SampleNote("a"))
    sample_notes.write_note(SCORES, "s1", SampleNote("", True))
    assert sample_notes.read_notes(SCORES) == {"s0": SampleNote("a"), "s1": SampleNote("", True)}
    other = replace(SCORES, samples=SCORES.samples[:1])
    assert sample_notes.read_notes(other) == {}
    sample_notes.write_note(SCORES, "s0", SampleNote())
    assert sample_notes.read_notes(SCORES) == {"s1": SampleNote("", True)}


def test_damaged_notes_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    path = sample_notes.notes_path(SCORES)
    path.parent.mkdir()
    for content in ("", "[]", '{"s0": {"text": 3, "false_positive": true}}'):
        path.write_text(content)
        assert sample_notes.read_notes(SCORES) == {}


def test_a_gap_is_named_only_where_there_is_one():
    gold = np.array([False, False, True, True])
    wide = captions.distribution(np.array([0.0, 0.1, 0.8, 0.9]), gold, 0.5, "")
    assert "2 of 4 tokens" in wide and "No token lies between 0.100 and 0.800" in wide
    assert "gold tokens 0.850, of the 2 other tokens 0.050" in wide
    even = captions.distribution(np.linspace(0, 1, 50), np.zeros(50, bool), 0.5, "")
    assert "between" not in even and "gold" not in even
    assert captions.distribution(np.array([np.nan]), np.zeros(1, bool), None, "nats")


def test_captions_state_the_shares_of_the_data():
    importance, weights = np.array([1.0, 1.0, 1.0, 1.0]), np.array([1.0, 0, 0, 0])
    assert captions.concentration(importance, weights) == (
        "Half of the importance lies on 2 of 4 tokens. The selected token carries 25 %."
    )
    assert captions.concentration(np.zeros(2), np.zeros(2)) == "No token has any importance."
    assert captions.extremes([np.array([1.0]), np.array([3.0])], ["a", "b"]) == (
        "Highest mean: `b` (3.000); lowest: `a` (1.000)."
    )
    assert captions.extremes([np.array([np.nan])] * 2, ["a", "b"]) == ""
