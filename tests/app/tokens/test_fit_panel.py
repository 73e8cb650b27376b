"""The panel Fit: each finding and its one-click mend, on the page as a whole."""

from __future__ import annotations

import json
import shutil

import pytest

from app import sample_sets, score_sets, state
from tests.app.app_pages import shown, visit
from tokenunlearn.attribution.score import score
from tokenunlearn.datasets import load_samples
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.presets import preset_folders
from tokenunlearn.models.source import ModelSource
from tokenunlearn.models.unlearned_mark import FIELD
from tokenunlearn.runs.findings import EXPORTED

UNKNOWN = {"question": "What is the code?", "answer": "The code is 7349-Alpha.", "facts": "7349-Alpha"}


@pytest.fixture
def own() -> str:
    """Ten answers that the demo model knows and one that it does not, uploaded and scored."""
    known = load_samples("authors:forget10")[:10]
    rows = [{"question": s.question, "answer": s.answer, "facts": list(s.facts)} for s in known]
    content = "\n".join(map(json.dumps, [*rows, UNKNOWN])).encode()
    name = sample_sets.keep_upload(content, "cities.jsonl")
    score(load_model("demo"), load_samples(name)).save(score_sets.score_path(ModelSource("demo"), name, {}))
    return name


def press(app, beginning: str):
    (button,) = [b for b in app.button if b.label.startswith(beginning)]
    return button.click().run()


def test_unknown_answers_are_left_out_with_one_click_and_without_a_model(own):
    app = visit("tokens", samples="cities.jsonl")
    assert "does not know 1 of 11 answers (sample 11)" in shown(app)
    press(app, "Leave out 1")
    assert not app.exception
    assert app.selectbox(key="samples").value.endswith(".jsonl")
    assert "The model knows all 10 answers." in shown(app)


def test_a_lower_threshold_reaches_every_fact(own):
    app = visit("tokens", samples="cities.jsonl", threshold="1")
    assert "of 10 known facts have no selected token" in shown(app)
    press(app, "Lower threshold to")
    assert "no selected token (" not in shown(app)
    press(app, "Use suggested threshold")
    assert not app.exception


def test_a_mend_leaves_what_was_changed_after_its_button_was_drawn(own):
    app = visit("tokens", samples="cities.jsonl", threshold="1")
    app.session_state[state.SESSION] = app.session_state[state.SESSION] | {"tint": "entropy"}
    press(app, "Lower threshold to")
    changed = app.session_state[state.SESSION]
    assert changed["tint"] == "entropy" and changed.get("threshold") != "1.0"


def test_half_selected_words_are_extended(own):
    scores = score_sets.find_scores(score_sets.score_path(ModelSource("demo"), own, {}))
    number, position = next(
        (i, t)
        for i, x in enumerate(scores.samples)
        for t in range(len(x.texts))
        if x.gold[t] and (x.words == x.words[t]).sum() > 1
    )
    app = visit("tokens", samples="cities.jsonl", threshold="1", overrides=f"{number}.i{position}")
    press(app, "Extend to whole words")
    assert "Extend to whole words" not in [button.label for button in app.button]


def test_own_answers_can_be_set_aside_as_the_retained_set(own):
    app = visit("tokens", samples="cities.jsonl")
    press(app, "Set aside 2")
    assert not app.exception
    forget, retain = app.session_state["samples"], app.session_state["retain"]
    assert (len(load_samples(forget)), len(load_samples(retain))) == (9, 2)
    assert not {s.question for s in load_samples(forget)} & {s.question for s in load_samples(retain)}


def test_an_exported_model_is_named_beside_its_scores(own, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_ROOTS", str(tmp_path))
    (demo,) = preset_folders("demo")
    model = shutil.copytree(demo, tmp_path / "exported")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {FIELD: "tokenunlearn 0"}))
    scores = score(load_model(str(model)), load_samples(own))
    scores.save(score_sets.score_path(ModelSource(str(model)), own, {}))
    assert EXPORTED.sentence in shown(visit("tokens", samples="cities.jsonl", model=str(model)))
    assert EXPORTED.sentence not in shown(visit("tokens", samples="cities.jsonl"))
