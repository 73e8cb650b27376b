"""Multiple-choice questions: whole counts on the published files, and one sentence for each fault."""

from __future__ import annotations

import csv
import json
import random

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.choices import ChoiceQuestion, other_order, to_choice
from tokenunlearn.errors import DatasetError

ROW = {"question": "Which one?", "choices": ["this", "that", "both", "none"], "answer": 2}


def published(data_folder, file):
    path = data_folder / file
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return path


@pytest.mark.parametrize(
    ("part", "count", "subject"),
    [("bio", 1273, "biology"), ("chem", 408, "chemistry"), ("cyber", 1987, "cybersecurity")],
)
def test_wmdp_is_whole(data_folder, part, count, subject):
    path = published(data_folder, f"wmdp/{part}_questions.json")
    choices = tu.load_choices(f"wmdp:{part}")
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert (
        choices.name == f"wmdp:{part}" and len(choices) == len({q.id for q in choices}) == len(rows) == count
    )
    same = [
        (q.question, list(q.choices), q.answer) == (r["question"], r["choices"], r["answer"])
        for q, r in zip(choices, rows, strict=True)
    ]
    assert all(same) and {q.subject for q in choices} == {subject}


@pytest.mark.parametrize(
    ("subject", "count"), [("computer_security", 97), ("high_school_geography", 100), ("virology", 43)]
)
def test_mmlu_keeps_the_rows_that_are_in_order(data_folder, subject, count):
    path = published(data_folder, f"mmlu_redux/mmlu_{subject}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        kept = [row for row in csv.DictReader(file) if row["error_type"].lower() == "ok"]
    choices = tu.load_choices(f"mmlu:{subject}")
    assert len(choices) == len(kept) == count
    assert [(q.question, str(q.answer)) for q in choices] == [(r["question"], r["answer"]) for r in kept]
    assert {len(q.choices) for q in choices} == {4} and choices[0].subject == subject.replace("_", " ")


def test_mmlu_all_is_every_subject(data_folder):
    published(data_folder, "mmlu_redux/mmlu_virology.csv")
    choices = tu.load_choices("mmlu:all")
    assert len(choices) == 98 + 97 + 97 + 95 + 100 + 43 == len({q.id for q in choices})
    assert len({q.subject for q in choices}) == 6


def test_hub_is_asked_for_the_same_rows(monkeypatch, tmp_path):
    import datasets

    asked = []
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, split: asked.append((*a, split)) or [ROW])
    assert tu.load_choices("wmdp:chem")[0].answer == 2
    assert tu.load_choices("mmlu:virology")[0].subject == "virology"
    assert asked == [("cais/wmdp", "wmdp-chem", "test"), ("cais/mmlu", "virology", "test")]


@pytest.mark.parametrize(
    "choices", [ROW["choices"], json.dumps(ROW["choices"]), "['this', \"that\", 'both', 'none']"]
)
@pytest.mark.parametrize("answer", [2, "2", " 2 "])
def test_choices_as_lists_and_as_texts(choices, answer):
    question = to_choice(ROW | {"choices": choices, "answer": answer, "subject": "a_b"}, "row 1", "x")
    assert question == ChoiceQuestion("x", "Which one?", ("this", "that", "both", "none"), 2, "a b")


def test_an_id_may_be_the_number_0():
    assert to_choice(ROW | {"id": 0}, "row 1", "x").id == "0"


def test_printed_form_shows_no_text():
    shown = repr(to_choice(ROW, "row 1", "x-1"))
    assert "x-1" in shown and "Which" not in shown and "this" not in shown


def test_own_file_and_slices(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text('question,choices,answer\nWhich?,"[""a"", ""b""]",1\n' * 1, encoding="utf-8")
    choices = tu.load_choices(f"file:{path}")
    assert [(q.id, q.choices, q.answer) for q in choices] == [("my-0000", ("a", "b"), 1)]
    assert choices[:1] == choices == choices.spread(5) and len(choices.spread(0)) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": None}, 'Row 2 has no "question"'),
        ({"question": "  "}, 'Row 2 has no "question"'),
        ({"choices": None}, 'no "choices"; .* a list'),
        ({"choices": "a, b"}, 'no "choices"; .* a list'),
        ({"choices": "[" * 100_000}, 'no "choices"; .* a list'),
        ({"choices": []}, "has 0 choices; a question needs at least two"),
        ({"choices": ["a"]}, "has 1 choices; a question needs at least two"),
        ({"choices": ["a"] * 27}, "has 27 choices; at most 26"),
        ({"choices": ["a", 3]}, '"choices" that are not all text'),
        ({"answer": 4}, "has the answer 4, outside its 4 choices; use 0 to 3"),
        ({"answer": -1}, "has the answer -1, outside"),
        ({"answer": None}, 'needs an "answer" .* a whole number'),
        ({"answer": "B"}, 'needs an "answer" .* a whole number'),
        ({"answer": True}, 'needs an "answer" .* a whole number'),
        ({"answer": 1.0}, 'needs an "answer" .* a whole number'),
        ({"id": [1]}, 'of type list in "id", not text'),
    ],
)
def test_each_fault_has_its_own_sentence_without_what_is_asked(row, message):
    with pytest.raises(DatasetError, match=message) as error:
        to_choice(ROW | {"question": "SECRET"} | row, "row 2", "x")
    text = str(error.value)
    assert text.startswith("Row 2 ") and text.endswith(".") and "\n" not in text and "SECRET" not in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wmdp:nuclear", 'no split "nuclear" of WMDP; use one of bio, chem, cyber'),
        ("mmlu:../../x", "is not an MMLU subject"),
        ("mmlu:", "is not an MMLU subject"),
        ("wmdp", 'questions "wmdp"; use wmdp:bio'),
        ("tofu:full", 'questions "tofu:full"; use'),
        ("file:none.json", 'There is no file "none.json"'),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(DatasetError, match=message):
        tu.load_choices(name)


def test_choices_are_no_samples():
    with pytest.raises(
        DatasetError, match='"wmdp:bio" holds multiple-choice questions, not samples; use authors'
    ):
        tu.load_samples("wmdp:bio")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'The file "bio_questions.json" is empty'),
        ("[]", 'The file "bio_questions.json" has no rows'),
        (json.dumps([ROW | {"id": "a"}] * 2), 'Row 2 of "bio_questions.json" has a duplicate id "a"'),
    ],
)
def test_faults_of_a_published_file(monkeypatch, tmp_path, text, message):
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    (tmp_path / "wmdp").mkdir()
    (tmp_path / "wmdp" / "bio_questions.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        tu.load_choices("wmdp:bio")


def test_a_subject_without_a_row_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("TOKENUNLEARN_DATA", str(tmp_path))
    (tmp_path / "mmlu_redux").mkdir()
    file = tmp_path / "mmlu_redux" / "mmlu_virology.csv"
    file.write_text(
        "question,choices,answer,error_type\nQ?,\"['a', 'b']\",0,bad question\n", encoding="utf-8"
    )
    with pytest.raises(DatasetError, match='subject "virology" of MMLU has no valid rows'):
        tu.load_choices("mmlu:virology")


TURNED = ChoiceQuestion("q", "Which?", ("a", "b", "c", "d"), 2)


def test_another_order_keeps_the_right_choice_and_is_not_the_own():
    orders = [other_order(TURNED, random.Random(seed)) for seed in range(60)]
    assert all(q.choices[q.answer] == "c" and set(q.choices) == set("abcd") for q in orders)
    assert TURNED.choices not in {q.choices for q in orders} and len({q.choices for q in orders}) > 15
