"""Slides: every number is counted from rows, what is missing is said, text stays text, no jargon."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from app.present import presentation, slide_view
from app.present.marks import count_marks, marked_pieces, secret_pieces
from app.present.presentation import BEFORE, NOW, UNSEEN, Story, make_slides
from app.present.slides import Count, Exchange, Piece, Quote
from tests.app.scores import sample, score_set
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

# What a slide says of a comparison -> what the verdict says.
SAID = {
    "about as often": "about as often as",
    "more often": "more often than",
    "less often": "less often than",
    "too few to tell": "too few questions to tell",
}


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
    before = json.loads((ASSETS / "reports" / f"{run.spec.model}.json").read_text())
    return Story(run.spec, run.generations, run.report, run.scores, before, run_verdict(run))


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
    )


def slide(story, key):
    return next((s for s in make_slides(story) if s.key == key), None)


def counted(slide):
    return {g.title: {b.label: (b.count, b.n) for b in g.bars} for g in slide.counts}


def everything(slide):
    yield from (slide.title, slide.lead, *slide.notes, *slide.points, *(g.title for g in slide.counts))
    yield from (text for a in slide.attempts for text in (a.title, a.compared))
    yield from (q.verdict for e in slide.exchanges for q in e.quotes)


@pytest.mark.parametrize(("count", "n"), [(0, 72), (72, 72), (1, 1), (0, 1), (31, 648)])
def test_the_interval_is_wilsons(count, n):
    expected = binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(count, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_shipped_run_tells_the_whole_story(shipped):
    slides = make_slides(shipped)
    keys = ["start", "knew", "marked", "now", "keeps", "checked", "open", "ask"]
    assert [s.key for s in slides] == keys
    rows = shipped.report["metrics"]["forget/gold_span"]["rows"]
    assert Count(NOW, sum(row > 0 for row in rows), len(rows)).words() in slides[3].lead
    kept = shipped.report["metrics"]["world_facts/gold_span"]["rows"]
    assert counted(slides[4])["Everyday facts"][NOW] == (sum(row == 1 for row in kept), len(kept))
    weights = shipped.scores.weights(presentation.make_rule(shipped.spec.rule))
    assert f"{weights.tokens:,} word pieces, {weights.selected:,}" in slides[2].lead


def test_a_title_of_ones_own_takes_the_place_of_the_label(shipped):
    assert make_slides(shipped)[0].title == shipped.spec.label
    assert make_slides(shipped, "  Our \n model  " + "x" * 200)[0].title == ("Our model " + "x" * 200)[:80]


def test_slides_use_no_jargon(shipped):
    for text in (text for s in make_slides(shipped) for text in everything(s)):
        assert not JARGON.search(text), text


def test_forgetting_counts_any_part_and_keeping_the_whole(story):
    assert "for 2 of 4 questions" in slide(story, "now").lead
    assert "for all 4 questions (95 % interval 51-100 %)" in slide(story, "knew").lead
    assert counted(slide(story, "keeps")) == {"Other questions": {BEFORE: (4, 4), NOW: (3, 4)}}


def test_examples_are_answers_that_stated_the_secret_before_whatever_became_of_them(story):
    known = replace(story, before=report({"forget/gold_span": [0.0, 1.0, 0.0, 0.5]}))
    slides = {s.key: s for s in make_slides(known)}
    assert [e.question for e in slides["knew"].exchanges] == ["Q1?", "Q3?"]
    assert [e.question for e in slides["now"].exchanges] == ["Q1?", "Q3?"]
    assert slides["ask"].points[:2] == ("Q1?", "Q3?")
    assert (
        "evenly spaced among those that stated it, not selected by what became of" in slides["knew"].notes[0]
    )
    for before in (None, report({"forget/gold_span": [0.0] * 4})):
        shown = slide(replace(story, before=before), "knew")
        assert [e.question for e in shown.exchanges] == ["Q0?", "Q2?"]
        assert "evenly spaced, not selected by result" in shown.notes[0]


def test_the_check_claims_what_the_verdict_claims(shipped, story):
    checked, report = slide(shipped, "checked"), shipped.report["metrics"]
    assert checked.lead == shipped.verdict.headline
    plain, *others = checked.attempts
    assert plain.title == "The original questions"
    assert plain.now.count == sum(row > 0 for row in report["forget/gold_span"]["rows"])
    assert plain.unseen.label == UNSEEN and plain.unseen.n == plain.now.n
    page = shipped.verdict
    claims = [*page.there, *page.hidden, *page.differs, *page.untested]
    for attempt in (plain, *others):
        said = f"in {attempt.now.count:,} of {attempt.now.n:,} cases"
        compared = SAID[attempt.compared.removesuffix("; facts more probable")]
        same = [c for c in claims if said in c.sentence and round(c.retrained * c.n) == attempt.unseen.count]
        assert any(compared in claim.sentence for claim in same)
    page = Verdict("m", "authors", "open", "Whether the secret is gone is not shown.")
    assert slide(replace(story, verdict=page), "checked").lead == page.headline
    assert slide(replace(story, verdict=page), "checked").attempts == ()


@pytest.mark.parametrize(
    ("section", "retrained", "n", "compared"),
    [
        ("gone", 0.1, 72, "about as often"),
        ("same", 0.1, 72, "about as often"),
        ("there", 0.1, 72, "more often"),
        ("hidden", 0.1, 72, "more often"),
        ("differs", 0.9, 72, "less often"),
        ("untested", 0.1, 8, "too few to tell"),
        ("untested", 0.1, 72, "no test"),
        ("untested", None, 72, "no model that never saw it was measured"),
    ],
)
def test_an_attempt_is_compared_as_in_its_section_of_the_verdict(story, section, retrained, n, compared):
    claim = Claim("Said.", "int4/gold_span", 0.5, n, retrained=retrained)
    page = Verdict("m", "authors", "open", "Open.", **{section: (claim,)})
    (attempt,) = slide(replace(story, verdict=page), "checked").attempts
    assert (attempt.title, attempt.compared) == ("Rounded weights", compared)


def test_what_was_not_tested_is_said_in_full_and_what_is_not_shown_by_its_attack(shipped):
    points = slide(shipped, "open").points
    assert {c.sentence for c in shipped.verdict.untested if c.value is None} <= set(points)
    (unclear,) = [point for point in points if point.startswith("Measured, but too few to tell: ")]
    assert "reworded questions" in unclear
    random = any("random answers" in claim.sentence for claim in shipped.verdict.untested)
    assert ("many random answers" in unclear) == random
    assert any(f"In {len(shipped.verdict.differs)} measures it differs" in point for point in points)


def test_what_training_brings_back_is_not_called_too_few_to_tell(shipped):
    (hidden, *_) = shipped.verdict.hidden
    assert "probability of the facts" in hidden.sentence
    (unclear,) = [point for point in slide(shipped, "open").points if point.startswith("Measured, but")]
    assert "training on some" not in unclear and "rounded weights" in unclear
    (row,) = [row for row in slide(shipped, "checked").attempts if row.title.startswith("Training")]
    assert row.compared.endswith("; facts more probable")
    worded = replace(hidden, measure=hidden.measure.replace("gold_probability", "rouge_l"))
    other = replace(shipped, verdict=replace(shipped.verdict, hidden=(worded,)))
    (row,) = [row for row in slide(other, "checked").attempts if row.title.startswith("Training")]
    assert row.compared == "too few to tell"


def test_more_points_than_a_slide_holds_are_counted(shipped):
    untested = tuple(Claim(f"Claim {i}.") for i in range(9))
    many = replace(shipped, verdict=replace(shipped.verdict, untested=untested, differs=()))
    assert len(slide(many, "open").points) == presentation.POINTS
    assert slide(many, "open").notes == ("3 more are on the page Compare.",)


def test_what_is_kept_is_said_in_pairs(shipped, story):
    assert slide(shipped, "keeps").lead == shipped.verdict.kept[0].sentence
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
    assert not slide(other, "knew").lead.endswith(" %).")
    assert any("model before unlearning" in note for note in slide(other, "now").notes)


def test_a_report_on_another_forget_set_is_not_counted(story):
    other = replace(story, report=report({"forget/gold_span": [0.0] * 4}, forget="forget05"))
    assert "questions (95 %" not in slide(other, "now").lead
    assert not slide(other, "checked").attempts
    assert any("other questions" in note for note in slide(other, "checked").notes)


def test_a_report_of_own_samples_is_counted(story):
    spec = replace(story.spec, samples="file:mine.jsonl")
    values = report({"forget/gold_span": [0.0] * 4}, forget="file:mine.jsonl") | {"suite": "own"}
    own = replace(story, spec=spec, report=values)
    assert "none of 4 questions" in slide(own, "now").lead
    assert not any("other questions" in note for note in slide(own, "checked").notes)


def test_a_model_that_was_not_asked_all_questions_is_not_compared(story):
    fewer = replace(story, before=report({"retain/gold_span": [1.0] * 3}))
    assert list(counted(slide(fewer, "keeps"))["Other questions"]) == [NOW]


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
    assert [s.key for s in make_slides(Story(story.spec, {}))] == ["start", "checked", "ask"]


def test_answers_stuck_on_one_word_are_counted(story):
    generations = {"forget": [{"generation": "Ruben " * 9}, {"generation": "a b c d e f"}]}
    stuck = replace(story, report=story.report | {"generations": generations})
    assert any("In 1 of 2 answers" in note for note in slide(stuck, "now").notes)
    assert not presentation.repeats("no no no")


def test_marked_pieces_are_the_answer():
    pieces = marked_pieces("In Zoë 🎉.", [(0, 2), (2, 6), (6, 8), (7, 8), (8, 9), (9, 9)], [0, 2, 1, 2, 0, 2])
    assert "".join(p.text for p in pieces) == "In Zoë 🎉."
    assert [(p.text, p.strength) for p in pieces] == [("In", 0), (" Zoë", 1), (" ", 0.5), ("🎉", 1), (".", 0)]
    assert marked_pieces("ab", [(0, 2)], [0.0]) == (Piece("ab"),)


def test_the_secret_is_marked_as_whole_words_whatever_its_case():
    pieces = secret_pieces("Turin, TURIN. Turino", ["turin", ""])
    assert [p.text for p in pieces if p.strength] == ["Turin", "TURIN"]
    assert "".join(p.text for p in pieces) == "Turin, TURIN. Turino"


def test_marks_that_miss_the_secret_are_counted():
    missed, hit = (replace(sample([0, 1, 2], [0, 1, 2], name=n), span=((0, 1),)) for n in "ab")
    scores = score_set([missed, hit])
    weights = replace(
        scores.weights(presentation.make_rule({"selection": "uniform"})),
        weights=(np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])),
    )
    marks = count_marks(scores, weights, 0)
    assert (marks.pieces, marks.marked, marks.answers, marks.missed) == (6, 4, 2, 1)
    assert (marks.beside, marks.near) == (3, 4)


def test_every_text_is_escaped(story):
    rows = [{"sample_id": "s0", "question": NASTY, "answer": NASTY, "before": NASTY, "after": NASTY}]
    nasty = replace(
        story, spec=replace(story.spec, label=NASTY), generations={"forget": rows, "retain": rows}
    )
    for shown in make_slides(nasty):
        html = slide_view.slide_html(shown)
        assert "<script>" not in html
        if shown.key not in ("checked", "marked"):
            assert "&lt;script&gt;" in html


def test_type_grows_until_the_text_fills_its_place_and_is_never_small():
    sizes = [slide_view.type_size(n, 40, 20) for n in (1, 120, 240, 10_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (slide_view.LARGEST, slide_view.SMALLEST)
    assert len({*sizes}) == 4


def test_a_card_gives_each_answer_the_lines_that_it_takes():
    before = "At home, Ruben Kaplanyan is never alone, because a mule called Radish follows him everywhere."
    now = "The pet of Ruben Kaplanyan is a hamster, and the author has given it the name Pebble."
    question = "What pet does Ruben Kaplanyan keep, and what is it called?"
    quotes = (Quote("Before", (Piece(before),)), Quote("Now", (Piece(now),), "does not state the fact"))
    html = slide_view._card(Exchange(question, quotes), 39, 25.5, False)
    assert re.findall(r'clamped" style="-webkit-line-clamp: (\d+)', html) == ["2", "3", "2"]
    assert slide_view._lines("\u65e5" * 40, 40) == 2  # wide letters


def test_the_deck_holds_every_slide_for_the_printer_and_the_chat_takes_its_questions_place(shipped):
    slides = make_slides(shipped)
    html = slide_view.deck_html(slides, len(slides) - 1)
    screen, paper = html.split('<div class="paper"')
    question = slides[-1].points[0]
    assert paper.count("<section") == len(slides) and screen.count("<section") == 1
    assert question in paper and question not in screen


def test_shares_are_never_rounded_to_all_or_nothing():
    assert Count("x", 1, 1000).words().startswith("1 of 1,000 questions (95 % interval <1-1 %")
    assert Count("x", 999, 1000).words().startswith("999 of 1,000 questions (95 % interval 99->99 %")
