"""The page Tokens, and what it hands to the page Unlearn, run as a whole without a browser."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest

from app import score_sets, selectors, services, state, tasks
from app.tokens import sample_notes, token_notices
from app.tokens.sample_notes import SampleNote
from tests.app.app_pages import labeled_box, shown, visit
from tests.app.scores import sample, score_set
from tests.stored_run import write_run
from tests.waiting import wait_until
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.attribution.selection_check import check_selection
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.fit import fit

LEGEND = '<span class="template" title="template">template</span><span class="question"'


@pytest.fixture(scope="module")
def shipped() -> ScoreSet:
    return ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet")


def data(app) -> dict:
    (view,) = app.get("bidi_component")
    (sent,) = json.loads(view.proto.json)
    return sent


@pytest.mark.parametrize("page", ["tokens", "unlearn"])
def test_an_address_brings_back_the_run_to_continue_from(tmp_path, page):
    run = write_run(tmp_path / "runs", "20260101-100000-npo-hard-0001", "first")
    app = visit(page, adapter=run.id)
    assert app.selectbox(key="adapter").value == run.id
    assert app.query_params["adapter"] == run.id
    app.selectbox(key="model").set_value("demo-retrained").run()
    assert app.selectbox(key="adapter").value == ""
    assert visit(page, adapter="gone").selectbox(key="adapter").value == ""


def test_a_model_that_a_run_left_shows_the_scores_of_the_model_before_it(tmp_path, shipped):
    run = write_run(tmp_path / "runs", "20260101-100000-npo-hard-0001", "first")
    app = visit("tokens", adapter=run.id)
    assert data(app)["setKey"] == shipped.hash
    assert "Before all runs: The model knows all 72 answers." in shown(app)
    assert "Before all runs" not in shown(visit("tokens"))


def test_the_view_gets_the_scores_and_the_settings(shipped):
    sent = data(visit("tokens"))
    assert sent["setKey"] == shipped.hash
    assert sent["sample"]["texts"] == list(shipped.samples[0].texts)
    assert float(sent["settings"]["threshold"]) == shipped.suggested_threshold
    assert sent["settings"] == sent["defaults"]


def test_a_link_sets_the_settings_and_names_what_it_cannot_use():
    app = visit("tokens", threshold="0.9", overrides="0.i1", temperature="hot")
    sent = data(app)
    assert (sent["settings"]["threshold"], sent["settings"]["overrides"]) == ("0.9", "0.i1")
    assert any('temperature "hot"' in text.value for text in app.text)


TABS = {
    "This answer": 1,
    "Distribution": 2,
    "Knowledge × entropy": 1,
    "Rule": 2,
    "Forget set": 1,
    "Sensitivity": 5,
}


@pytest.mark.parametrize("tab", list(TABS))
@pytest.mark.parametrize("query", [{}, {"weights": "soft"}, {"threshold": "1"}, {"weights": "uniform"}])
@pytest.mark.slow
def test_every_tab_draws_and_says_what_to_see(tab, query):
    app = visit("tokens", **query)
    app.session_state["charts"] = tab
    app.run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == TABS[tab]
    assert len(app.caption) >= TABS[tab]


def test_masked_words_one_by_one_add_their_matrix():
    path = score_sets.score_path(ModelSource("demo"), "authors:forget10", {"mask": "leave-one-out"})
    score_set([sample([1, 2, 3], [1, 2, 3], contexts=3)]).save(path)
    app = visit("tokens", mask="leave-one-out")
    assert len(app.get("plotly_chart")) == 2


def test_a_threshold_that_selects_nothing_is_said_in_one_sentence():
    app = visit("tokens", threshold="1")
    assert any("No token is selected" in text.value for text in app.text)
    assert "will not be forgotten" not in shown(app)


def said(app) -> str:
    return "\n".join(element.value for element in (*app.caption, *app.info, *app.warning))


@pytest.mark.slow
def test_what_does_not_fit_is_said_below_the_text(shipped):
    weights = shipped.weights().weights
    check = check_selection(shipped, weights)
    app = visit("tokens")
    assert token_notices.origin(shipped, check) in said(app)
    missed = len(fit(shipped, HardSelection(threshold=0.9)).unreached)
    page = shown(visit("tokens", threshold="0.9"))
    assert f"{missed} of 72 known facts have no selected token (sample " in page
    first = shipped.samples[0]
    words = [t for t in range(len(first.texts)) if (first.words == first.words[t]).sum() > 1]
    split = visit("tokens", overrides=f"0.{'o' if weights[0][words[0]] else 'i'}{words[0]}")
    assert any("only partly selected" in box.value for box in split.info)
    assert "only partly selected" not in said(app)


@pytest.mark.slow
def test_the_panel_shows_what_the_model_reads_of_the_sample_in_view(shipped):
    third = shipped.samples[2]
    app = visit("tokens", model_input="true", sample=f"3. {third.question}")
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    app.run()
    everything = shown(app)
    assert f"of them in the response: {LEGEND}" in everything
    assert f"{len(third.texts)} of them in the response" in everything
    assert "tokens equal those of the chat template&#x27;s own text" in everything
    assert "found no problems" in everything


def test_a_folded_panel_needs_no_model():
    visit("tokens")
    assert not tasks.known()


@pytest.mark.slow
def test_a_selector_is_fitted_on_the_marked_answers_and_chosen(shipped):
    app = visit("tokens")
    assert labeled_box(app, "Importance from").value == ""
    known = set(selectors.files())
    next(button for button in app.button if button.label == "Fit selector").click().run()
    assert not app.exception
    (name,) = set(selectors.files()) - known
    assert labeled_box(app, "Importance from").value == name
    learned = replace(shipped, selector=selectors.find(name))
    sent = data(app)
    assert sent["setKey"] == learned.hash
    assert sent["settings"]["selector"] == name
    assert float(sent["settings"]["threshold"]) == learned.suggested_threshold
    assert app.query_params["selector"] == name
    assert "threshold" not in app.query_params
    assert "Importance comes from a selector fitted on `demo authors:forget10 (72 samples)`." in said(app)
    app.session_state[state.SESSION] = app.session_state[state.SESSION] | {"tint": "entropy"}
    labeled_box(app, "Importance from").set_value("").run()
    assert data(app)["setKey"] == shipped.hash
    assert data(app)["settings"]["tint"] == "entropy"  # changed since the box was drawn
    assert "selector" not in app.query_params
    linked = visit("tokens", selector=name, threshold="0.5")
    assert data(linked)["setKey"] == learned.hash
    assert data(linked)["settings"]["threshold"] == "0.5"


def test_a_link_to_an_unknown_selector_is_named_and_the_two_signals_stay(shipped):
    app = visit("tokens", selector="gone")
    assert any('selector "gone"' in text.value for text in app.text)
    assert data(app)["setKey"] == shipped.hash


def test_without_marked_facts_there_is_nothing_to_fit():
    path = score_sets.score_path(ModelSource("demo"), "authors:forget05", {})
    score_set([sample([1, 2, 3], [1, 2, 3])]).save(path)
    app = visit("tokens", samples="authors:forget05")
    assert next(button for button in app.button if button.label == "Fit selector").disabled
    assert "0 of 1 answers have gold spans" in said(app)


def idle_worker(submitted):
    """A worker that does nothing but to keep what it is given."""
    return SimpleNamespace(
        submit=submitted.append,
        waiting=lambda: submitted,
        ask=lambda work, description: Future(),
        before=lambda future: 0,
        doing=str,
        state=lambda run: run.state,
        unstored=dict,
    )


@pytest.mark.slow
def test_unlearn_takes_the_importance_of_the_selector(shipped, monkeypatch):
    monkeypatch.setattr(tasks, "worker", lambda: idle_worker([]))
    name = selectors.fit(shipped)
    app = visit("tokens", selector=name)
    app.switch_page("pages/unlearn.py").run()
    assert not app.exception
    learned = replace(shipped, selector=selectors.find(name))
    assert any(f"importance from the selector {learned.selector.name}" in text.value for text in app.text)
    assert f"--selector {selectors.files()[name]}" in app.code[0].value
    next(button for button in app.button if button.label == "Start").click().run()
    (run,) = services.store().runs()
    assert run.spec.score_hash == learned.hash
    assert run.spec.rule == {"selection": "hard", "threshold": learned.suggested_threshold}
    assert run.scores.selector == learned.selector


@pytest.mark.slow
def test_unlearn_launches_exactly_those_weights_overrides_included(shipped, monkeypatch):
    submitted = []
    monkeypatch.setattr(tasks, "worker", lambda: idle_worker(submitted))
    app = visit("tokens", threshold="0.8", alpha="0.5", overrides="0.i1-2_3.o0")
    app.switch_page("pages/unlearn.py").run()
    assert not app.exception
    next(button for button in app.button if button.label == "Start").click().run()
    (run,) = services.store().runs()
    assert [r.id for r in submitted] == [run.id]
    expected = shipped.with_settings(alpha=0.5)
    for number, position, inside in ((0, 1, True), (0, 2, True), (3, 0, False)):
        expected = expected.with_override(shipped.samples[number].sample_id, position, inside)
    assert run.spec.score_hash == expected.hash
    assert run.spec.rule == {"selection": "hard", "threshold": 0.8}
    kept = ScoreSet.load(run.folder / "scores.parquet").weights(HardSelection(threshold=0.8))
    assert kept.weights[0][1] == kept.weights[0][2] == 1 and kept.weights[3][0] == 0


def note_fields(app) -> list:
    return [field for field in app.text_input if field.label == "Note on this sample"]


def test_a_second_tab_changes_only_its_own_part_of_a_note(shipped):
    first, second = visit("tokens"), visit("tokens")
    key, (field,) = shipped.samples[0].sample_id, note_fields(first)
    field.input(" important ").run()
    next(box for box in second.checkbox if box.label == "False positive").check().run()
    assert sample_notes.read_notes(shipped) == {key: SampleNote("important", True)}
    field.input("").run()
    assert sample_notes.read_notes(shipped) == {key: SampleNote("", True)}


def test_a_note_is_shown_only_with_the_score_set_that_it_is_stored_with(shipped):
    other = replace(shipped, masking=shipped.masking | {"measure": "kl"})
    other.save(score_sets.score_path(ModelSource("demo"), "authors:forget10", {"measure": "kl"}))
    sample_notes.write_note(other, shipped.samples[0].sample_id, SampleNote("of the other"))
    app = visit("tokens")
    note_fields(app)[0].input("of this one").run()
    app.selectbox(key="measure").select("kl").run()
    assert note_fields(app)[0].value == "of the other"
