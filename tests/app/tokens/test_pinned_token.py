"""The life of a token: cards of chosen numbers, what a run has recorded, and the tab as a whole."""

from __future__ import annotations

import shutil

import pytest

from app import tasks
from app.markdown import plain
from app.tokens import pinned_token, prediction_view
from app.tokens.prediction_view import Moment, moments_html, percent
from tests.app.app_pages import shown, visit
from tests.app.test_token_view import HOSTILE, Page
from tests.stored_run import write_run
from tests.waiting import wait_until
from tokenunlearn.folders import ASSETS

TOP = [("Lisbon", 0.6), (" Rome", 0.2), ("\ufffd", 0.1), ("\n", 0.05), ("a", 0.01)]


def prediction(rank=1, probability=0.6, top=TOP):
    alternatives = [{"text": text, "probability": p} for text, p in top]
    return {"probability": probability, "rank": rank, "alternatives": alternatives}


def test_a_card_marks_the_true_token_among_the_alternatives():
    page = Page(moments_html("Lisbon", [Moment("before", prediction())]))
    rows = [attributes["class"] for tag, attributes in page.tags if tag == "li"]
    assert rows == ["true", "", "", "", ""]
    assert [text for text in page.text if text.strip()] == [
        *("before", "Lisbon", "60.0 %", "␣Rome", "20.0 %", "part of a character", "10.0 %", "↵", "5.0 %"),
        *("a", "1.0 %"),
    ]


def test_a_true_token_below_them_has_a_row_with_its_rank():
    page = Page(moments_html(" Oslo", [Moment("after", prediction(1234, 2e-7))]))
    rows = [attributes["class"] for tag, attributes in page.tags if tag == "li"]
    assert rows[5:] == ["true below"]
    assert page.text[-2:] == ["␣Oslo, rank 1,234", "< 0.001 %"]


def test_untrusted_tokens_add_no_tag():
    hostile = [Moment(text, prediction(9, 0.1, [(text, 0.5)])) for text in HOSTILE]
    plain = [Moment("a", prediction(9, 0.1, [("a", 0.5)])) for _ in HOSTILE]
    assert [tag for tag, _ in Page(moments_html(HOSTILE[0], hostile)).tags] == [
        tag for tag, _ in Page(moments_html("a", plain)).tags
    ]


@pytest.mark.parametrize(
    ("probability", "text"), [(1, "100.0 %"), (0, "< 0.001 %"), (0.001, "0.1 %"), (0.0000234, "0.0023 %")]
)
def test_small_probabilities_keep_their_size(probability, text):
    assert percent(probability) == text


def test_what_a_run_recorded_is_spread_from_before_to_after(tmp_path):
    run = write_run(tmp_path / "runs", "20260101-100000-npo-hard-0001", "first")
    assert pinned_token.recorded(run, "a", 0) == []
    for step in range(0, 41, 4):
        run.append_predictions({"step": step, "samples": {"a": [prediction(step + 1)]}})
    moments = pinned_token.recorded(run, "a", 0)
    assert [moment.title for moment in moments] == [
        *("before", "step 8", "step 16", "step 24", "step 32", "after (step 40)")
    ]
    assert [moment.prediction["rank"] for moment in moments] == [1, 9, 17, 25, 33, 41]
    assert pinned_token.recorded(run, "a", 1) == pinned_token.recorded(run, "b", 0) == []


def test_a_token_is_found_in_another_tokenizer_by_its_characters():
    offsets = ((0, 3), (3, 4), (4, 9), (9, 9))
    assert [pinned_token.place_of(offsets, token) for token in ((3, 4), (5, 7), (9, 9), (20, 21))] == [
        *(1, 2, 3, None)
    ]


@pytest.mark.slow
def test_the_tab_shows_a_recorded_run_beside_another_model(tmp_path):
    run = write_run(tmp_path / "runs", "20260101-100000-npo-hard-0001", "first <run> :red[x]")
    rows = [prediction(2, 0.125)] * 40
    for step in (0, 5):
        run.append_predictions({"step": step, "samples": {"authors-054-00": rows}})
    at = visit("tokens", charts=pinned_token.TAB)
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    at.run()
    assert not at.exception
    assert at.selectbox(key="life-Run or model").value == run.id
    assert at.selectbox(key="life-Beside it").value == "demo-retrained"
    page = shown(at)
    assert "<h4>before</h4>" in page and "<h4>after (step 5)</h4>" in page
    assert "<h4>demo-retrained</h4>" in page
    assert {subheader.value for subheader in at.subheader} == {plain(run.label), plain("demo-retrained")}


@pytest.mark.slow
def test_a_run_that_recorded_nothing_is_computed_from_its_models(tmp_path):
    run = write_run(tmp_path / "runs", "20260101-100000-npo-hard-0001", "with weights")
    shutil.copytree(ASSETS / "models" / "demo-retrained", run.folder / "adapter", dirs_exist_ok=True)
    at = visit("tokens", charts=pinned_token.TAB, sample="2.")
    for _ in range(4):
        wait_until(lambda: not any(task.running for task in tasks.known().values()))
        at.run()
    assert not at.exception
    page = shown(at)
    assert run.label in {subheader.value for subheader in at.subheader}
    assert "<h4>before</h4>" in page and "<h4>after</h4>" in page
    assert prediction_view.STYLE in page
