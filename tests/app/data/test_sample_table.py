"""Editing samples: nothing is lost, gold spans follow their text, one sentence a fault."""

from __future__ import annotations

import pandas as pd
import pytest

from app.data import sample_table
from tokenunlearn.datasets.samples import Sample, Turn, document
from tokenunlearn.errors import DatasetError

FULL = Sample(
    id="a",
    question="Where?",
    answer="In Zoë 🎉, then Turin.",
    span=((3, 6), (15, 20)),
    paraphrased_question="Which town?",
    paraphrased_answer="Turin it is.",
    perturbed_answer=("Porto it is.", "<b>$x$</b> it is."),
    paraphrased_span=((0, 5),),
    history=(Turn("system", "Be short."), Turn("user", "Hello"), Turn("assistant", "Hi!")),
)


def row(**changes):
    return sample_table.empty_row() | {"question": "Q?", "answer": "A b.", "marked_in": "A b."} | changes


def test_samples_survive_the_table():
    rows, notes = sample_table.from_table(sample_table.to_table(sample_table.to_rows([FULL])))
    samples, faults = sample_table.check(rows, "x")
    assert samples == [FULL]
    assert notes == faults == []
    assert sample_table.to_table(rows)["facts"][0] == ["Zoë", "Turin"]


def test_documents_are_refused():
    with pytest.raises(DatasetError, match="Documents cannot be edited here"):
        sample_table.to_rows([FULL, document("d", "Ada lives in Turin.")])


def test_rows_that_were_just_added_are_empty_not_none():
    table = sample_table.to_table(sample_table.to_rows([FULL]))
    table.loc[1] = [None] * len(table.columns)
    table.loc[2] = [float("nan")] * len(table.columns)
    rows, _ = sample_table.from_table(table)
    assert rows[1] == rows[2] == sample_table.empty_row()
    assert sample_table.check(rows, "x") == ([FULL], [])


def test_spans_follow_an_edited_answer_and_lost_facts_are_named():
    table = sample_table.to_table(sample_table.to_rows([FULL]))
    table.loc[0, "answer"] = "She lives in Turin, in Turin."
    rows, notes = sample_table.from_table(table)
    assert rows[0]["span"] == [[13, 18]]
    assert notes == ['The answer of row 1 no longer contains the fact "Zoë"; mark it again.']
    assert sample_table.from_table(sample_table.to_table(rows))[1] == []


@pytest.mark.parametrize(
    ("old", "spans", "new", "moved", "lost"),
    [
        ("ab ab", [[3, 5]], "ab ab ab", [[3, 5]], []),
        ("ab ab", [[0, 2], [3, 5]], "ab", [[0, 2]], ["ab"]),
        ("x", [], "", [], []),
        ("🎉 a", [[2, 3]], "a", [[0, 1]], []),
    ],
)
def test_moved_spans(old, spans, new, moved, lost):
    assert sample_table.moved_spans(old, spans, new) == (moved, lost)


def test_a_typed_fact_is_found_by_its_text():
    marked = sample_table.mark_fact(row(answer="ab Ab ab"), " ab ")
    assert marked["span"] == [[0, 2]]
    assert sample_table.mark_fact(marked, "ab")["span"] == [[0, 2], [6, 8]]
    assert sample_table.mark_fact(row(answer="In TURIN"), "turin")["span"] == [[3, 8]]


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        (" ", "There is no text to mark; enter part of the answer."),
        ("Porto", 'The answer does not contain "Porto"; enter text exactly as in the answer.'),
        ("b", '"b" is already marked.'),
    ],
)
def test_facts_that_cannot_be_marked(fact, sentence):
    with pytest.raises(DatasetError) as error:
        sample_table.mark_fact(row(span=[[2, 3]]), fact)
    assert str(error.value) == sentence


def test_marks_from_the_browser_are_checked_and_joined():
    assert sample_table.set_spans(row(), [[2, 3], [0, 1], [2, 4]])["span"] == [[0, 1], [2, 4]]
    for bad in ([[0, 5]], [[2, 2]], [[-1, 1]], [[0]], [["0", 1]], [[0.0, 1]], [[True, 2]]):
        with pytest.raises(DatasetError, match="outside the answer"):
            sample_table.set_spans(row(), bad)


def test_one_sentence_for_each_fault_and_the_good_rows_stay():
    rows = [
        row(id="x"),
        sample_table.empty_row(),
        row(answer=" ", marked_in=" "),
        row(question=""),
        row(id="x"),
        row(span=[[0, 9]]),
    ]
    samples, faults = sample_table.check(rows, "set")
    assert [s.id for s in samples] == ["x"]
    assert faults == [
        "Row 3 has no answer; every sample needs a question and an answer.",
        "Row 4 has no question; every sample needs a question and an answer.",
        'Row 5 has the same id "x" as row 1; ids must be unique.',
        'Row 6 has a "span" [0, 9] outside its text of 4 characters.',
    ]
    assert sample_table.check([row()], "set")[0][0].id == "set-0001"
    assert sample_table.check([sample_table.empty_row()], "set")[1] == [
        "The table has no samples yet; enter a question and an answer."
    ]


def test_no_rows_make_an_empty_table():
    assert sample_table.from_table(sample_table.to_table([])) == ([], [])
    assert isinstance(sample_table.to_table([]), pd.DataFrame)


def test_cells_rows_added_and_rows_deleted_are_taken_as_a_data_editor_states_them():
    given = ({"question": f"Q{i}", "answer": f"A{i}", "marked_in": f"A{i}"} for i in range(3))
    rows = [sample_table.empty_row() | row for row in given]
    edits = {
        "edited_rows": {2: {"answer": "new", "perturbed_answer": ["wrong"]}},
        "added_rows": [{"question": "Q3"}, {}],
        "deleted_rows": [0],
    }
    changed, notes = sample_table.from_table(sample_table.edited(sample_table.to_table(rows), edits))
    assert [(row["question"], row["answer"]) for row in changed] == [
        ("Q1", "A1"),
        ("Q2", "new"),
        ("Q3", ""),
        ("", ""),
    ]
    assert (changed[1]["perturbed_answer"], notes) == (["wrong"], [])
