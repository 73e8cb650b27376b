"""Whatever is typed, linked or uploaded ends in a value or one sentence, never in another error."""

from __future__ import annotations

import os
from functools import partial
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app import score_sets, state
from tests.app.scores import sample, score_set
from tests.damage import JSON, damaged
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.datasets import load_choices, load_samples
from tokenunlearn.datasets.choices import parse_choices, to_choice
from tokenunlearn.datasets.files import parse_samples, to_csv, to_jsonl
from tokenunlearn.datasets.samples import Sample, unit_starts, word_spans
from tokenunlearn.errors import DatasetError, ModelNotFoundError, TokenUnlearnError
from tokenunlearn.models.checkpoints import CHECKPOINTS, find_checkpoint
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.presets import PRESETS, local_folder
from tokenunlearn.models.source import ModelSource
from tokenunlearn.objectives import OBJECTIVES, WEIGHTINGS
from tokenunlearn.runs.grid import make_grid
from tokenunlearn.runs.spec import make_rule
from tokenunlearn.training.settings import UnlearnSettings

ANY_TEXT = st.text(st.characters(), max_size=40)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
NAMES = (
    st.sampled_from([*UnlearnSettings.__dataclass_fields__, "beta", "weighting_beta", "npo.beta"]) | ANY_TEXT
)
VALUES = JSON | st.sampled_from([*OBJECTIVES, *WEIGHTINGS, "kl", "uniform", "auto", 1, 0.5, True])
SCORES = score_set([sample([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]), sample([1, 2], [2, 1], name="s1")])
PATHS = (
    "~nobody",
    "~",
    "/proc/self/mem",
    "/proc/self/pagemap",
    "/dev/zero",
    "/",
    ".",
    "",
    "a\0b",
    "~\0",
    "~\ud800",
    "x" * 5000,
)


def one_sentence(error):
    assert str(error).strip() and len(str(error)) < 2_000


@given(st.dictionaries(NAMES, VALUES, max_size=4))
@pytest.mark.slow
def test_any_settings_are_settings_or_refused(values):
    try:
        settings = UnlearnSettings.from_settings(values)
    except TokenUnlearnError as error:
        one_sentence(error)
    else:
        own = values.keys() & (UnlearnSettings.__dataclass_fields__.keys() - {"weighting", "control"})
        for name in own - {"parameters", "weighting_parameters"}:
            assert getattr(settings, name) == values[name] or values[name] is None


@given(st.dictionaries(NAMES, st.lists(VALUES, max_size=3), max_size=4))
@pytest.mark.slow
def test_any_grid_is_a_grid_or_refused(values):
    try:
        assert 0 < len(make_grid(values)) <= 100
    except TokenUnlearnError as error:
        one_sentence(error)


@given(
    st.dictionaries(
        st.sampled_from(["selection", "threshold", "temperature", "top_share"]) | ANY_TEXT, VALUES
    )
)
@pytest.mark.slow
def test_any_rule_is_a_rule_or_refused(described):
    try:
        rule = make_rule({"selection": "hard"} | described)
    except TokenUnlearnError as error:
        one_sentence(error)
    else:
        (weights,) = rule.weights([np.linspace(0, 1, 5)]) if described else [np.ones(1)]
        assert np.isfinite(weights).all()


@given(JSON)
@pytest.mark.slow
def test_any_selector_is_a_selector_or_refused(value):
    with pytest.raises(TokenUnlearnError):
        Selector.from_json(value, "The selector")


OVERRIDES = st.from_regex(r"([0-9]{1,2}(\.[io][0-9](-[0-9])?)*_?){1,3}", fullmatch=True)
CHOSEN = [value for kind in state.CHOICES.values() for value in get_args(kind)]
LINKED = st.sampled_from([*CHOSEN, "true", "false", "1", "0", "0.5", "nan", "1e999", "-0", "9" * 5000])
LINKS = st.dictionaries(
    st.sampled_from(state.PARAMETERS) | ANY_TEXT, LINKED | OVERRIDES | ANY_TEXT, max_size=6
)


@given(LINKS)
@pytest.mark.slow
def test_any_link_gives_settings_that_work_and_names_what_it_leaves_out(link):
    base = state.defaults(SCORES)
    settings, faults = state.from_text(link, base, SCORES)
    ignored = {name for name in link if any(fault.startswith(f"The setting {name} ") for fault in faults)}
    assert ignored <= set(state.PARAMETERS)
    for name in set(state.PARAMETERS) - {*link} | ignored:
        assert getattr(settings, name) == getattr(base, name)
    for name in link.keys() & {*state.CHOICES} - ignored:
        assert getattr(settings, name) == link[name]
    try:
        settings.apply(SCORES).weights(settings.rule)
    except TokenUnlearnError as error:
        one_sentence(error)
    again, faults = state.from_text(state.to_text(settings, SCORES), base, SCORES)
    assert faults == [] and again.overrides == settings.overrides


@given(TEXT)
def test_words_and_units_cover_any_text_in_order(text):
    spans = word_spans(text)
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    inside = {i for a, b in spans for i in range(a, b)}
    assert all(i in inside for i, character in enumerate(text) if character.isalnum())
    starts = unit_starts(text)
    assert starts == sorted(set(starts)) and (starts[:1] == [0] or not text)


@given(TEXT, TEXT, st.data())
def test_samples_with_spans_survive_every_file_format(question, answer, data):
    assume(question.strip() and answer.strip())
    start = data.draw(st.integers(0, len(answer) - 1))
    stop = data.draw(st.integers(start + 1, len(answer)))
    samples = (Sample("a", question, answer, span=((start, stop),)),)
    assert parse_samples(to_jsonl(samples), "a.jsonl") == samples
    assert parse_samples(to_csv(samples), "a.csv") == samples


FILES = {
    "a.jsonl": b'{"question": "Who?", "answer": "Ada.", "span": [[0, 3]]}\n{"question": "B", "answer": "C"}',
    "a.json": b'[{"question": "Who?", "choices": ["a", "b"], "answer": 1}]',
    "a.csv": b"question,answer,choices\nWho?,1,\"['a', 'b']\"\n",
    "a.parquet": b"PAR1",
    "a.arrow": b"ARROW1",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.slow
def test_any_file_is_samples_or_refused(name):
    @given(damaged(FILES[name]))
    def holds(content):
        for parse in (parse_samples, parse_choices):
            try:
                parse(content, name)
            except DatasetError as error:
                one_sentence(error)

    holds()


@pytest.mark.parametrize("answer", ["9" * 5000, "1" + "0" * 4000, 10**400, "٣" * 30])
def test_an_answer_of_many_digits_is_refused(answer):
    with pytest.raises(DatasetError, match=r"index of the right choice|outside its 2 choices") as caught:
        to_choice({"question": "Who?", "choices": ["a", "b"], "answer": answer}, "row 1", "a")
    one_sentence(caught.value)


@pytest.mark.parametrize("text", ["{[]: 1}", "[" * 5000, "\0", "['a'", "x" * 10])
def test_choices_of_no_list_are_refused(text):
    with pytest.raises(DatasetError, match='has no "choices"'):
        to_choice({"question": "Who?", "choices": text, "answer": 0}, "row 1", "a")


@pytest.mark.parametrize("path", PATHS)
def test_a_name_of_no_plain_file_is_refused_at_once(path):
    for load in (load_samples, load_choices):
        with pytest.raises(DatasetError) as caught:
            load(f"file:{path}")
        one_sentence(caught.value)


def test_a_pipe_is_no_file_of_samples(tmp_path):
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(DatasetError, match="There is no file"):
        load_samples(f"file:{tmp_path / 'a.jsonl'}")


@given(ANY_TEXT)
def test_any_name_of_samples_is_refused(name):
    for kind in ("", "file:", "documents:", "tofu:", "authors:", "wmdp:"):
        try:
            load_samples(kind + name)
        except DatasetError:
            continue


@given(ANY_TEXT | st.sampled_from(PATHS))
def test_any_name_of_a_model_has_a_folder_that_is_there_or_not(name):
    assume(name not in PRESETS)  # which are there, or made
    assert local_folder(name) is not None
    assert find_checkpoint(name) is None or name in CHECKPOINTS
    assert isinstance(ModelSource(name, (name,)).revision, str)
    score_sets.score_path(ModelSource(name), "authors:forget10", {})


@pytest.mark.parametrize("name", [path for path in PATHS if path not in ("/", ".", "~")])
def test_a_model_of_an_odd_name_is_refused_in_one_sentence(name):
    for load in (load_model, partial(load_model, "demo", adapter=name or "none")):
        with pytest.raises(ModelNotFoundError) as caught:
            load(name) if load is load_model else load()
        assert len(str(caught.value)) < 7_000
