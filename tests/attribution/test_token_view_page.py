"""The token view as a page of its own: what it holds, what it refuses, what no text can do to it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest

from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection, SoftWeighting, Uniform
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.attribution.token_view.page import MAX_SAMPLES
from tokenunlearn.errors import ScoreSetError

SCORES = score_set([sample([1, 2, 3], [0.5, 0.25, 0], gold=(0,)), sample([4, 1], [1, 2], name="s1")])
HOSTILE = "</script><script>alert(1)</script>"


def data(view):
    """What the page's script reads."""
    (text,) = re.findall(r'<script type="application/json" id="page">(.*?)</script>', view.document)
    return json.loads(text)


def test_the_page_holds_every_sample_and_begins_as_the_weights_do():
    page = data(SCORES.show(sample=1))
    assert [x["id"] for x in page["details"]] == page["ids"] == ["s0", "s1"]
    assert page["questions"] == [x.question for x in SCORES.samples]
    assert page["index"] == 1
    assert (page["settings"]["weights"], page["settings"]["criterion"]) == ("hard", "threshold")
    assert float(page["settings"]["threshold"]) == pytest.approx(SCORES.suggested_threshold)


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        (HardSelection(top_share=0.5), {"weights": "hard", "criterion": "top_share", "top_share": "0.5"}),
        (SoftWeighting(0.3), {"weights": "soft", "temperature": "0.3"}),
        (Uniform(), {"weights": "uniform"}),
        (HardSelection(), {"weights": "hard", "criterion": "threshold"}),
    ],
)
def test_it_begins_with_a_rule(rule, settings):
    assert settings.items() <= data(SCORES.show(rule))["settings"].items()


def test_overrides_and_importance_settings_are_those_of_the_set():
    changed = SCORES.with_settings(alpha=0.25, copy_guard=False).with_override("s1", 1, True)
    settings = data(changed.show())["settings"]
    assert (settings["alpha"], settings["copy_guard"], settings["overrides"]) == ("0.25", "false", "1.i1")


def test_a_rule_without_controls_and_a_sample_that_is_not_there_are_refused():
    class Gold(Uniform):
        pass

    with pytest.raises(ScoreSetError, match="not Gold"):
        SCORES.show(Gold())
    with pytest.raises(ScoreSetError, match="no sample 2 to show; use 0 to 1"):
        SCORES.show(sample=2)


def test_a_large_set_says_how_many_samples_can_be_opened():
    samples = [sample([1, 2], [1, 2], name=f"s{i}") for i in range(MAX_SAMPLES + 1)]
    page = data(score_set(samples).show())
    assert len(page["details"]) == MAX_SAMPLES and len(page["ids"]) == MAX_SAMPLES + 1
    assert page["title"].endswith(f"; the first {MAX_SAMPLES} can be opened")


def test_no_text_ends_its_element_and_nothing_is_requested():
    hostile = replace(SCORES.samples[0], question=HOSTILE, sample_id=HOSTILE, contexts=(HOSTILE,))
    scores = replace(SCORES, samples=(hostile,), source=HOSTILE, model='"><img src=x>')
    view = scores.show()
    plain = SCORES.show().document
    assert view.document.count("<script") == plain.count("<script")
    assert "<img" not in view.document
    assert data(view)["questions"] == [HOSTILE]
    assert "default-src 'none'" in plain and "http" not in plain.replace("http-equiv", "")


def test_a_notebook_draws_it_in_a_frame_without_rights(tmp_path):
    view = SCORES.show(theme="dark")
    frame = view._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts" ')
    assert unescape(re.findall(r'srcdoc="([^"]*)"', frame)[0]) == view.document
    assert 'style="color-scheme: dark"' in view.document
    assert view.save(tmp_path / "tokens.html").read_text(encoding="utf-8") == view.document


def test_a_set_with_a_selector_sends_its_importance():
    learned = replace(SCORES, selector=Selector("x", ("entropy",), (2.0,), 0.0))
    assert data(learned.show())["set"]["learned"]
