"""The page Data from the entry script: open, mark, refuse, save, and the set is offered elsewhere."""

from __future__ import annotations

import json

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState

from app import sample_sets
from tests.app.app_pages import start_anew, visit
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import DatasetError


@pytest.fixture
def at(tmp_path, monkeypatch):
    """The page on an empty folder of runs."""
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    start_anew()
    return visit("data")


def texts(at):
    return [element.value for element in at.text]


def button(at, label):
    return next(b for b in at.button if b.label == label)


def fact(at):
    return next(field for field in at.text_input if field.label.startswith("Or enter the fact"))


def test_an_empty_table_says_what_is_missing_when_saved(at):
    assert texts(at) == []
    button(at, "Save").click().run()
    assert texts(at) == ["⚠ The table has no samples yet; enter a question and an answer."]
    assert not any("Invalid rows" in caption.value for caption in at.caption)


def test_a_set_is_opened_marked_and_saved(at):
    at.selectbox(key="set").select("authors:forget05").run()
    assert not at.exception
    fact(at).input("nowhere at all")
    button(at, "Mark fact").click().run()
    assert texts(at) == [
        '⚠ The answer does not contain "nowhere at all"; enter text exactly as in the answer.'
    ]
    first = load_samples("authors:forget05")[0]
    word = first.answer.split()[0]
    fact(at).input(word)
    button(at, "Mark fact").click().run()

    at.text_input(key="set_name").input("a/b")
    button(at, "Save").click().run()
    assert '⚠ The name "a/b" is not valid; use 1 to 40 letters, digits, "-" or "_".' in texts(at)
    at.text_input(key="set_name").input("cities")
    button(at, "Save").click().run()
    assert not at.exception
    (name,) = sample_sets.uploads()
    assert sample_sets.set_name(name) == "cities.jsonl"
    kept = load_samples(name)
    assert [s.id for s in kept] == [s.id for s in load_samples("authors:forget05")]
    assert kept[0].span == ((0, len(word)), *first.span)
    assert at.selectbox(key="set").value == name
    assert any(text.startswith("Saved as cities") for text in texts(at))
    at.switch_page("pages/tokens.py").run()
    assert at.selectbox(key="samples").value == name


def test_unsaved_changes_are_given_up_only_when_asked_to(at):
    at.selectbox(key="set").select("authors:forget05").run()
    first = load_samples("authors:forget05")[0]
    fact(at).input(first.answer.split()[0])
    button(at, "Mark fact").click().run()
    at.selectbox(key="set").select("authors:forget10").run()
    assert "⚠ The changes to authors:forget05 are not saved." in texts(at)
    button(at, "Keep editing").click().run()
    assert at.selectbox(key="set").value == "authors:forget05"
    assert at.session_state["rows"][0]["span"][0][0] == 0
    at.selectbox(key="set").select("authors:forget10").run()
    button(at, "Discard changes").click().run()
    assert not at.exception
    assert at.session_state["rows"][0]["id"] == load_samples("authors:forget10")[0].id


@pytest.mark.slow
def test_edits_survive_a_visit_to_another_page(at):
    at.selectbox(key="set").select("authors:forget05").run()
    first = load_samples("authors:forget05")[0]
    fact(at).input(first.answer.split()[0])
    button(at, "Mark fact").click().run()
    at.switch_page("pages/present.py").run()
    at.switch_page("pages/data.py").run()
    assert not at.exception
    assert at.session_state["rows"][0]["span"][0][0] == 0


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 41, "a.b"])
def test_names_that_do_not_fit_keep_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    with pytest.raises(DatasetError, match="name"):
        sample_sets.save_set([Sample("a", "q", "a")], name)
    assert sample_sets.uploads() == []


def test_a_file_with_other_column_names_is_added_once_columns_says_which_is_which(at):
    content = b"Frage;Antwort\nWer?;Niemand.\n"
    at.file_uploader(key="add_file").set_value(("fragen.csv", content, "text/csv")).run()
    (sentence,) = texts(at)
    assert sentence.endswith("are Frage, Antwort; enter in Columns: question=..., answer=...")
    at.text_input(key="columns").input("question=Frage, answer=Antwort").run()
    button(at, "Add 1 sample").click().run()
    assert at.session_state["rows"][0]["answer"] == "Niemand."


def test_every_assistant_turn_of_a_chat_can_be_added(at):
    turns = [("user", "Who?"), ("assistant", "Ada."), ("user", "Where?"), ("assistant", "In Turin.")]
    chat = {"messages": [{"role": role, "content": content} for role, content in turns]}
    at.file_uploader(key="add_file").set_value(("chat.jsonl", json.dumps(chat).encode(), "text/plain")).run()
    assert button(at, "Add 1 sample")
    at.toggle(key="all_turns").set_value(True).run()
    button(at, "Add 2 samples").click().run()
    assert [row["answer"] for row in at.session_state["rows"]] == ["Ada.", "In Turin."]


def test_a_set_that_is_retained_stays_retained_when_it_is_edited(at):
    own = sample_sets.save_set(load_samples("authors:forget05")[:2], "mine")
    at.switch_page("pages/unlearn.py").run()
    at.selectbox(key="retain").set_value(own).run()
    at.switch_page("pages/data.py").run()
    at.selectbox(key="set").select(own).run()
    at.text_input(key="set_name").input("edited")
    button(at, "Save").click().run()
    assert "Saved as edited.jsonl, now the retained samples on the Tokens and Unlearn pages." in texts(at)
    at.switch_page("pages/unlearn.py").run()
    assert at.selectbox(key="samples").value == "authors:forget10"
    assert sample_sets.set_name(at.selectbox(key="retain").value) == "edited.jsonl"


def test_a_fact_typed_for_one_answer_is_not_left_for_another(at):
    at.selectbox(key="set").select("authors:forget05").run()
    fact(at).input("Calverra").run()
    assert fact(at).value == "Calverra"
    at.selectbox(key="set").select("authors:retain95").run()
    assert fact(at).value == ""


def test_a_set_that_cannot_be_read_is_named_once_and_leaves_an_empty_table(at):
    content = json.dumps({"text": "Ada lives in Turin, as everybody knows."}).encode()
    documents = sample_sets.keep_upload(content, "texts.jsonl")
    at.run()
    at.selectbox(key="set").select(documents).run()
    assert texts(at) == ["⚠ Documents cannot be edited here; score and unlearn them as they are."]
    assert at.selectbox(key="set").value == "new"
    number = at.session_state["table"]
    at.text_input(key="set_name").input("mine").run()
    assert texts(at) == [] and at.session_state["table"] == number  # a new table would lose what is typed


def typed(at, answer):
    """The states of all widgets with an answer just typed into the first row."""
    (table,) = (frame for frame in at.dataframe if "answer" in frame.value)
    edits = {"edited_rows": {"0": {"answer": answer}}, "added_rows": [], "deleted_rows": []}
    states = at._tree.get_widget_states()
    states.widgets.append(WidgetState(id=table.proto.id, string_value=json.dumps(edits)))
    return states


def test_an_answer_typed_just_before_a_file_is_added_is_not_lost(at):
    row = json.dumps({"question": "Who?", "answer": "Ada."}).encode()
    at.file_uploader(key="add_file").set_value(("rows.jsonl", row, "text/plain")).run()
    button(at, "Add 1 sample").click()
    at._run(typed(at, "In Turin."))
    assert [row["answer"] for row in at.session_state["rows"]] == ["In Turin.", "Ada."]


def test_an_answer_typed_just_before_another_page_is_opened_is_not_lost(at):
    states = typed(at, "In Turin.")
    at.switch_page("pages/system.py")._run(states)
    assert at.title[0].value == "System"
    at.switch_page("pages/data.py").run()
    assert at.session_state["rows"][0]["answer"] == "In Turin."
    (table,) = (frame.value for frame in at.dataframe if "answer" in frame.value)
    assert list(table["answer"]) == ["In Turin."]


def test_an_answer_typed_just_before_another_set_is_chosen_is_not_given_up(at):
    at.selectbox(key="set").select("authors:forget05")
    at._run(typed(at, "In Turin."))
    assert "⚠ The changes to the new set are not saved." in texts(at)
    assert at.session_state["rows"][0]["answer"] == "In Turin."
