"""A data set of the Hub in the app: loaded by its id, chosen, offered again, and refused in one sentence."""

from __future__ import annotations

import datasets
import pytest

from app import sample_sets, tasks
from app.data import hub_sets
from tests.app.app_pages import shown, start_anew, visit
from tests.waiting import wait_until
from tokenunlearn.errors import AccessError

ROWS = [{"frage": f"Who lives in house {i}?", "antwort": f"The baker number {i} does."} for i in range(3)]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A Hub with these rows in every set but "ada/gone"; what it was asked for."""
    calls = []

    def load_dataset(*names, split):
        calls.append((*names, split))
        if names[0] == "ada/gone":
            raise ConnectionError("no route to\nthe host")
        return datasets.Dataset.from_list(ROWS)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    start_anew()
    return calls


def load(at, hub_id, columns=""):
    if columns:
        at.text_input(key="columns").input(columns).run()
    at.text_input(key="hub_id").input(hub_id).run()
    at.button(key="hub_load").click().run()
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    return at.run()


@pytest.mark.slow
def test_a_set_is_loaded_by_its_id_and_becomes_the_forget_set(asked):
    at = load(visit("tokens"), "ada/set[small]:test", "question=frage, answer=antwort")
    name = "hf:ada/set[small]:test?question=frage&answer=antwort"
    assert not at.exception
    assert asked == [("ada/set", "small", "test")]
    assert at.selectbox(key="samples").value == name
    assert "not scored yet" in shown(at)
    assert name in visit("unlearn").selectbox(key="samples").options
    assert [s.answer for s in sample_sets.load_samples(name)] == [row["antwort"] for row in ROWS]


def test_it_is_opened_on_the_data_page(asked):
    at = load(visit("data"), "hf:ada/set?question=frage&answer=antwort")
    assert not at.exception
    assert at.selectbox(key="set").value == "hf:ada/set?question=frage&answer=antwort"
    assert "The baker number 2 does." in shown(at)


@pytest.mark.parametrize(
    ("hub_id", "sentence"),
    [
        (
            "ada/gone",
            "ada/gone could not be downloaded from the Hub (ConnectionError: no route to the host).",
        ),
        ("set", '"set" is not a dataset on the Hub; use OWNER/NAME[CONFIG]:SPLIT.'),
        ("ada/set", "The columns of ada/set are frage, antwort; enter in Columns: question=..., answer=..."),
    ],
)
@pytest.mark.slow
def test_what_cannot_be_loaded_is_one_sentence_and_not_offered(asked, hub_id, sentence):
    at = load(visit("tokens"), hub_id)
    assert not at.exception
    assert sentence in shown(at)
    assert sample_sets.uploads() == []


def test_a_file_of_names_that_is_damaged_counts_as_none(tmp_path):
    hub_sets.add(tmp_path, "hf:a/b")
    hub_sets.add(tmp_path, "hf:a/a")
    assert hub_sets.names(tmp_path) == ["hf:a/a", "hf:a/b"]
    (tmp_path / hub_sets.FILE).write_text("{")
    assert hub_sets.names(tmp_path) == []


def test_a_visitor_who_may_not_upload_loads_nothing(asked, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_DEMO", "1")
    assert not any(field.key == "hub_id" for field in visit("tokens").text_input)
    with pytest.raises(AccessError):
        sample_sets.load_hub_set("hf:ada/set")
