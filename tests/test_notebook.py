"""What notebooks show: every figure, every text escaped, and no interface imported."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.evaluation.report import Report
from tokenunlearn.evaluation.result import MetricResult
from tokenunlearn.notebook import SHOWN_SAMPLES, SHOWN_STEPS, NotebookView, history_html

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = "<script>alert('x')</script>"
ESCAPED = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;"


@pytest.fixture(scope="module")
def scores() -> ScoreSet:
    return ScoreSet.load(ROOT / "assets" / "scores" / "demo-authors-forget10.parquet")


def changed(scores: ScoreSet, **changes) -> ScoreSet:
    """The set with its first sample changed."""
    return replace(scores, samples=(replace(scores.samples[0], **changes), *scores.samples[1:]))


def test_markup_in_tokens_questions_and_names_stays_text(scores):
    texts = (SCRIPT, *scores.samples[0].texts[1:])
    hostile = replace(changed(scores, question=SCRIPT, texts=texts), source=SCRIPT, model=SCRIPT)
    html = hostile._repr_html_()
    assert "<script" not in html
    assert html.count(ESCAPED) == 4


def test_a_character_of_several_tokens_is_shown_once(scores):
    texts = ("\ufffd", "\ufffd", *scores.samples[0].texts[2:])
    answer = "🦙" + scores.samples[0].answer[1:]
    offsets = ((0, 1), (0, 1), *scores.samples[0].offsets[2:])
    html = changed(scores, texts=texts, answer=answer, offsets=offsets)._repr_html_()
    assert ">🦙</span>" in html and "\ufffd" not in html


def test_the_strongest_tint_is_the_most_important_token(scores):
    html, importance = scores._repr_html_(), scores.importance[0]
    tokens = html.split("<span title=")[1 : 1 + len(importance)]
    tints = [float(token.split("217, 119, 6, ")[1].split(")")[0]) for token in tokens]
    assert np.allclose(tints, 0.62 * importance, atol=1e-3)
    assert f"importance {importance[0]:.2f}, NLL {scores.samples[0].nll[0]:.2f} nats" in tokens[0]


def test_a_large_set_shows_its_first_samples_and_says_how_many_more(scores):
    html = scores._repr_html_()
    assert html.count("<br>") == SHOWN_SAMPLES
    assert f"and {len(scores) - SHOWN_SAMPLES} more" in html
    assert "more" not in replace(scores, samples=scores.samples[:2])._repr_html_()


def test_scores_that_are_not_numbers_have_no_tint(scores):
    nothing = np.full(len(scores.samples[0].texts), np.nan, dtype=np.float32)
    assert "nan)" not in changed(scores, entropy=nothing, tail_entropy=nothing)._repr_html_()


def test_a_report_shows_interval_n_reference_and_notes_and_escapes_them():
    metrics = {
        "forget/x": MetricResult("forget/x", 0.25, 12, (0.125, 0.5), "lower", retrained=0.2),
        SCRIPT: MetricResult(SCRIPT, math.nan, 3, None, "higher"),
    }
    html = Report(SCRIPT, "abc", "authors", {}, metrics, notes=[SCRIPT])._repr_html_()
    cells = ["forget/x", "0.25", "0.125 to 0.5", "12", "lower", "0.2"]
    assert "".join(f"<td>{cell}</td>" for cell in cells) in html
    assert f"<td>{ESCAPED}</td><td>–</td><td></td><td>3</td><td>higher</td><td>–</td>" in html
    assert "<script" not in html and html.count(ESCAPED) == 3


def test_a_report_draws_shares_beside_the_retrained_model_and_folds_its_answers():
    metrics = {
        "forget/x": MetricResult("forget/x", 0.25, 12, (0.125, 0.5), "lower", retrained=0.5),
        "perplexity": MetricResult("perplexity", 12.0, 12, None, "lower"),
    }
    rows = [{"sample_id": "a", "question": SCRIPT, "answer": "Ada.", "generation": "Bo."}]
    view = Report("demo", "abc", "authors", {}, metrics, {"forget": rows}).show()
    assert view._repr_html_() == view.body
    assert view.body.count("<circle") == 1 and 'cx="32.0"' in view.body
    assert 'x1="18.0" x2="60.0"' in view.body and 'x1="60.0" x2="60.0"' in view.body
    assert "<summary>forget: 1 answers</summary>" in view.body
    assert f"<td>{ESCAPED}</td><td>Ada.</td><td>Bo.</td>" in view.body


def test_a_saved_page_requests_nothing_and_escapes_its_title(tmp_path):
    page = NotebookView(SCRIPT, "<p>x</p>").save(tmp_path / "x.html").read_text(encoding="utf-8")
    assert f"<title>{ESCAPED}</title>" in page and "default-src 'none'" in page


def test_a_history_draws_the_curves_that_it_has_values_for():
    records = [{"step": float(i), "forget_nll": value} for i, value in ((1, 2.0), (2, math.nan), (3, 4.0))]
    html = history_html(records)
    assert html.count("<polyline") == 1
    assert 'points="44.0,62.0 312.0,8.0"' in html and "retain loss" not in html


def test_a_history_of_one_step_draws_its_point():
    assert '<circle cx="178.0" cy="8.0"' in history_html([{"step": 1.0, "forget_nll": 2.0}])


def test_a_history_shows_its_first_and_last_step():
    html = history_html([{"step": float(i), "loss": 100.0 - i} for i in range(1, 42)])
    assert "<td>1</td><td>99</td>" in html and "<td>41</td><td>59</td>" in html
    assert html.count("<tr>") == 1 + SHOWN_STEPS
    assert "No steps" in history_html([])


def test_a_record_without_a_figure_has_a_dash():
    assert "<td>2</td><td>–</td>" in history_html([{"step": 1, "loss": 1}, {"step": 2, "loss": math.inf}])
