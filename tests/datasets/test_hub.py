"""Any set on the hub by name: what is asked of the hub, how rows are read, one sentence a fault."""

from __future__ import annotations

import datasets
import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.rows import MAX_ROWS
from tokenunlearn.errors import DatasetError

ROWS = [{"frage": "Who?", "antwort": "Ada.", "id": 7}, {"frage": "Where?", "antwort": "In Lisbon.", "id": 8}]


@pytest.fixture
def hub(monkeypatch):
    """Lets the hub hold these rows; the list of what it was asked for."""
    asked = []

    def hold(rows):
        def load_dataset(*names, split):
            asked.append((*names, split))
            return datasets.Dataset.from_list(rows)

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    return hold


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("hf:ada/set", ("ada/set", None, "train")),
        ("hf:ada/set:test", ("ada/set", None, "test")),
        ("hf:ada/set[small]", ("ada/set", "small", "train")),
        ("hf:ada/set.v2[small]:train[:50]", ("ada/set.v2", "small", "train[:50]")),
    ],
)
def test_names(hub, name, asked):
    calls = hub([{"prompt": "Who?", "completion": "Ada."}])
    samples = tu.load_samples(name)
    assert calls == [asked] and samples.name == name
    assert samples[0].id == f"{asked[0][4:]}-0000" and samples[0].answer == "Ada."


def test_columns_are_mapped_and_the_name_loads_the_set_again(hub):
    hub(ROWS)
    samples = tu.load_samples("hf:ada/set:test", {"question": "frage", "answer": "antwort"})
    assert [(s.id, s.question, s.answer) for s in samples] == [
        ("7", "Who?", "Ada."),
        ("8", "Where?", "In Lisbon."),
    ]
    assert samples.name == "hf:ada/set:test?question=frage&answer=antwort"
    assert tu.load_samples(samples.name) == samples


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:set", '"set" is not a dataset on the Hub; use OWNER/NAME'),
        ("hf:../set", "is not a dataset on the Hub"),
        ("hf:ada/set[small:train", "is not a dataset on the Hub"),
        ("hf:ada/set[small]", r"The columns of ada/set are frage, antwort, id; map them"),
        ("hf:ada/set?question=frage&answer=id", r'set has a value of type int in "id", not text'),
    ],
)
def test_each_fault_has_its_own_sentence(hub, name, message):
    hub(ROWS)
    with pytest.raises(DatasetError, match=message) as error:
        tu.load_samples(name)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_set_with_more_rows_than_can_be_loaded(hub):
    hub([{"question": "Who?", "answer": "Ada."}] * (MAX_ROWS + 1))
    with pytest.raises(DatasetError, match=r"ada/set has 5,001 rows; at most 5,000 .* train\[:5000\]"):
        tu.load_samples("hf:ada/set")


def test_a_hub_out_of_reach_is_one_sentence(monkeypatch):
    def unreachable(*_names, split):
        raise ConnectionError(f"no route\nto the host of {split}.")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DatasetError) as error:
        tu.load_samples("hf:ada/set[small]:test")
    assert str(error.value) == (
        "ada/set (small) could not be downloaded from the Hub "
        "(ConnectionError: no route to the host of test)."
    )
