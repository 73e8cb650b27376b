"""Slides: every number is counted from rows, what is missing is said, text stays text, no jargon."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from app.present import presentation, slide_view
from app.present.presentation import BEFORE, NOW, UNSEEN, Story, make_slides
from app.present.slides import Count, Piece
from tokenunlearn.evaluation.claims import Claim, Verdict
from tokenunlearn.evaluation.result import wilson_interval
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.judgment import run_verdict
from tokenunlearn.runs.store import RunStore

NASTY = "<script>alert(1)</script> $x$ :red[x] **b** \u05d0\u05d1\u05d2 a\u200bb"
JARGON = re.compile(
    r"token|logit|\bNLL\b|entropy|\bKL\b|\bnats?\b|gradient|epoch|adapter|LoRA|threshold|p-value|ROUGE|objective"
    r"|forget set|retain set|score set|perturbed|paraphras",
    re.IGNORECASE,
)


def report(rows, revision="r0", forget="forget10", **more):
    """A report with gold-span rows by metric."""
    metrics = {
        name: {
            "value": float(np.mean(values)),
            "rows": values,
            "sample_ids": [f"s{i}" for i in range(len(values))],
        }
        for name, values in rows.items()
    }
    return {
        "suite": "authors",
        "revision": revision,
        "settings": {"forget": forget},
        "metrics": metrics,
        "generations": {},
    } | more


@pytest.fixture(scope="module")
def shipped():
    """The story of the run that is shipped."""
    run = RunStore(ASSETS / "runs").runs()[0]
    read = {
        name: json.loads((ASSETS / "reports" / f"{name}.json").read_text())
        for name in ("demo", "demo-retrained")
    }
    reports = (run.report, run.scores, read["demo"], read["demo-retrained"])
    return Story(run.spec, run.generations, *reports, run_verdict(run))


@pytest.fixture
def story(shipped):
    """A run that kept one answer of four, forgot two and half of one."""
    rows = [
        {"sample_id": f"s{i}", "question": f"Q{i}?", "answer": "a", "before": "b", "after": "c"}
        for i in range(4)
    ]
    return Story(
        spec=shipped.spec,
        generations={"forget": rows, "retain": rows},
        report=report({"forget/gold_span": [1.0, 0.5, 0.0, 0.0], "retain/gold_span": [1.0, 0.5, 1.0, 1.0]}),
        before=report({"forget/gold_span": [1.0] * 4, "retain/gold_span": [1.0] * 4}),
        unseen=report({"forget/gold_span": [0.0] * 4}, revision="other"),
    )


def slide(story, key):
    return next((s for s in make_slides(story) if s.key == key), None)


def counted(slide):
    return {g.title: {b.label: (b.count, b.n) for b in g.bars} for g in slide.counts}


def everything(slide):
    yield from (slide.title, slide.lead, *slide.notes, *(g.title for g in slide.counts))
    yield from (q.verdict for e in slide.exchanges for q in e.quotes)


@pytest.mark.parametrize(("count", "n"), [(0, 72), (72, 72), (1, 1), (0, 1), (31, 648)])
def test_the_interval_is_wilsons(count, n):
    expected = binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(count, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_shipped_run_tells_the_whole_story(shipped):
    told = make_slides(shipped)
    assert [s.key for s in told] == ["start", "knew", "marked", "now", "keeps", "checked", "open"]
    rows = shipped.report["metrics"]["forget/gold_span"]["rows"]
    assert counted(told[3])["States the secret or part of it"][NOW] == (
        sum(row > 0 for row in rows),
        len(rows),
    )
    kept = shipped.report["metrics"]["world_facts/gold_span"]["rows"]
    assert counted(told[4])["Everyday facts"][NOW] == (sum(row == 1 for row in kept), len(kept))
    assert list(counted(told[5])["Reworded questions"]) == [BEFORE, NOW, UNSEEN]
    weights = shipped.scores.weights(presentation.make_rule(shipped.spec.rule))
    assert f"{weights.tokens:,} word pieces, {weights.selected:,}" in told[2].lead


def test_slides_use_no_jargon(shipped):
    for text in (text for s in make_slides(shipped) for text in everything(s)):
        assert not JARGON.search(text), text


def test_forgetting_counts_any_part_and_keeping_the_whole(story):
    assert counted(slide(story, "now")) == {"States the secret or part of it": {BEFORE: (4, 4), NOW: (2, 4)}}
    assert counted(slide(story, "keeps")) == {
        "Other questions it should still answer": {BEFORE: (4, 4), NOW: (3, 4)}
    }


def test_the_check_claims_what_the_verdict_claims(shipped, story):
    lead, notes = slide(shipped, "checked").lead, slide(shipped, "open").notes
    assert lead.startswith(shipped.verdict.headline)
    assert shipped.verdict.there[0].sentence in lead
    assert {claim.sentence for claim in shipped.verdict.differs} <= set(notes)
    untested = {claim.sentence for claim in shipped.verdict.untested}
    assert untested <= {note.partition(": ")[2] for note in notes if note.startswith("Not ")}
    page = Verdict("m", "authors", "open", "Whether the secret is gone is not shown.")
    assert slide(replace(story, verdict=page), "checked").lead == page.headline
    assert "no more often" not in " ".join(everything(slide(story, "checked")))


def test_what_is_kept_is_said_in_pairs(shipped, story):
    assert "Of 648 retained questions that it answered correctly before, " in slide(shipped, "keeps").lead
    kept = Verdict("m", "authors", "open", "", kept=(Claim("Of 9, 8 are still right."),))
    assert slide(replace(story, verdict=kept), "keeps").lead.endswith("Of 9, 8 are still right.")


def test_a_verdict_on_other_questions_is_not_shown(shipped):
    settings = {**shipped.report["settings"], "forget": "forget05"}
    other = replace(shipped, report={**shipped.report, "settings": settings})
    assert "no evaluation that shows" in slide(other, "checked").lead


def test_without_a_report_there_are_no_numbers_and_it_is_said(story):
    bare = replace(story, report=None)
    assert not any(s.counts for s in make_slides(bare))
    assert any("has not been evaluated" in note for note in slide(bare, "now").notes)
    assert not re.search(r"\d of \d", " ".join(text for s in make_slides(bare) for text in everything(s)))


def test_reports_of_other_weights_are_left_out(story):
    other = replace(story, before=report({"forget/gold_span": [1.0] * 4}, revision="rebuilt"))
    assert counted(slide(other, "now")) == {"States the secret or part of it": {NOW: (2, 4)}}
    assert any("model before unlearning" in note for note in slide(other, "now").notes)


def test_a_report_on_another_forget_set_is_not_counted(story):
    other = replace(story, report=report({"forget/gold_span": [0.0] * 4}, forget="forget05"))
    assert not slide(other, "now").counts
    assert not slide(other, "checked").counts
    assert any("other questions" in note for note in slide(other, "checked").notes)


def test_a_report_of_own_samples_is_counted(story):
    spec = replace(story.spec, samples="file:mine.jsonl")
    values = report({"forget/gold_span": [0.0] * 4}, forget="file:mine.jsonl") | {"suite": "own"}
    own = replace(story, spec=spec, report=values)
    assert slide(own, "now").counts
    assert not any("other questions" in note for note in slide(own, "checked").notes)


def test_a_model_that_was_not_asked_all_questions_is_not_compared(story):
    fewer = replace(story, unseen=report({"forget/gold_span": [0.0] * 3}))
    assert UNSEEN not in counted(slide(fewer, "checked"))["Original questions"]


def test_uniform_weights_say_that_nothing_was_singled_out(story):
    uniform = replace(story, spec=replace(story.spec, rule={"selection": "uniform"}))
    assert "No words were singled out" in slide(uniform, "marked").lead


def test_soft_weights_count_what_weighs_more_than_the_mean(shipped):
    rule = {"selection": "soft", "temperature": 0.1}
    soft = replace(shipped, spec=replace(shipped.spec, rule=rule))
    weights = np.concatenate(shipped.scores.weights(presentation.make_rule(rule)).weights)
    assert f"{int((weights > 1).sum()):,} (" in slide(soft, "marked").lead
    assert "more strongly" in slide(soft, "marked").lead


def test_a_run_without_answers_or_scores_keeps_two_slides(story):
    assert [s.key for s in make_slides(Story(story.spec, {}))] == ["start", "checked"]


def test_answers_stuck_on_one_word_are_counted(story):
    generations = {"forget": [{"generation": "Ruben " * 9}, {"generation": "a b c d e f"}]}
    stuck = replace(story, report=story.report | {"generations": generations})
    assert any("In 1 of 2 answers" in note for note in slide(stuck, "now").notes)
    assert not presentation.repeats("no no no")


def test_marked_pieces_are_the_answer():
    pieces = presentation.marked_pieces(
        "In Zoë 🎉.", [(0, 2), (2, 6), (6, 8), (7, 8), (8, 9), (9, 9)], [0, 2, 1, 2, 0, 2]
    )
    assert "".join(p.text for p in pieces) == "In Zoë 🎉."
    assert [(p.text, p.strength) for p in pieces] == [("In", 0), (" Zoë", 1), (" ", 0.5), ("🎉", 1), (".", 0)]
    assert presentation.marked_pieces("ab", [(0, 2)], [0.0]) == (Piece("ab"),)


def test_every_text_is_escaped(story):
    rows = [{"sample_id": "s0", "question": NASTY, "answer": NASTY, "before": NASTY, "after": NASTY}]
    nasty = replace(
        story, spec=replace(story.spec, label=NASTY), generations={"forget": rows, "retain": rows}
    )
    for shown in make_slides(nasty):
        html = slide_view.slide_html(shown)
        assert "<script>" not in html
        if shown.key != "checked":
            assert "&lt;script&gt;" in html or shown.key == "marked"


def test_shares_are_never_rounded_to_all_or_nothing():
    assert Count("x", 1, 1000).words().startswith("1 of 1,000 questions (95 % CI <1-1 %")
    assert Count("x", 999, 1000).words().startswith("999 of 1,000 questions (95 % CI 99->99 %")
