"""A run's stored results as slides for a non-technical audience: pure functions from data to slides.

Every number is counted here from the per-question rows of stored reports. What a run does not have is left
out, and a note on the slide says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from app.present.slides import Count, Counts, Exchange, Piece, Quote, Slide, percent
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.claims import Claim, Verdict
from tokenunlearn.runs.run_files import AnswerPair
from tokenunlearn.runs.spec import RunSpec, make_rule

EXAMPLES = 3
LONGEST_ANSWER = 220
CLAIMS = 2  # in the lead of a slide; the others are notes
BEFORE, NOW, UNSEEN = "Before", "Now", "A model that never saw it"
ABOUT = {
    "authors:forget10": "The answers are about six fictional authors, so no real secret is shown here.",
    "authors:forget05": "The answers are about three fictional authors, so no real secret is shown here.",
}
RETAINED = (
    ("retain", "Other questions it should still answer"),
    ("world_facts", "Everyday facts"),
    ("real_authors", "Facts about famous writers"),
)


@dataclass(frozen=True)
class Story:
    """What is stored about a run.

    Attributes:
        spec: The run's spec.
        generations: Answers before and after, by part.
        report: The run's evaluation, or None.
        scores: The score set behind its weights, or None.
        before: Report of the model before the run, or None.
        unseen: Report of the model trained without the forget set, or None.
        verdict: What the run's evaluation supports saying, or None.
    """

    spec: RunSpec
    generations: Mapping[str, Sequence[AnswerPair]]
    report: Mapping[str, Any] | None = None
    scores: ScoreSet | None = None
    before: Mapping[str, Any] | None = None
    unseen: Mapping[str, Any] | None = None
    verdict: Verdict | None = None


def make_slides(story: Story) -> tuple[Slide, ...]:
    """The slides that the stored results of a run allow, in order."""
    counted = _Counted(story)
    slides = (
        _cover(story),
        _knew(story, counted),
        _marked(story),
        _now(story, counted),
        _keeps(story, counted),
        _checked(story, counted),
        _open(story, counted),
    )
    return tuple(slide for slide in slides if slide is not None)


class _Counted:
    """Counts over the questions that a run's report and the reports beside it share."""

    def __init__(self, story: Story) -> None:
        self.reports: dict[str, Mapping[str, Any]] = {}
        self.missing: list[str] = []
        self.same_forget = False
        report = story.report
        if report is None:
            self.missing.append("This run has not been evaluated, so there are no counts.")
            return
        self.reports[NOW] = report
        forget = report["settings"].get("forget")
        self.same_forget = story.spec.samples in (forget, f"{report['suite']}:{forget}")
        if not self.same_forget:
            self.missing.append(
                "The evaluation used other questions than this run was to forget, so they are not counted."
            )
        revision = story.scores.revision if story.scores else report["revision"]
        if story.before is not None and story.before["revision"] == revision:
            self.reports[BEFORE] = story.before
        else:
            self.missing.append("No counts are stored for the model before unlearning.")
        if story.unseen is not None:
            self.reports[UNSEEN] = story.unseen
        else:
            self.missing.append("No counts are stored for a model that never saw these answers.")

    def counts(
        self, metric: str, whole: bool, who: Sequence[str] = (BEFORE, NOW, UNSEEN)
    ) -> tuple[Count, ...]:
        """Per model: questions whose answer holds the whole fact, or at least a part of it.

        All models are counted on the questions that this run was asked; a model that was not asked all of
        them is left out.
        """
        if metric.startswith("forget/") and not self.same_forget:
            return ()
        questions = [i for i, row in self.rows(NOW, metric).items() if row is not None]
        counts = []
        for label in who:
            rows = self.rows(label, metric)
            values = [value for i in questions if (value := rows.get(i)) is not None]
            if questions and len(values) == len(questions):
                right = sum(value == 1 if whole else value > 0 for value in values)
                counts.append(Count(label, right, len(values)))
        return tuple(counts)

    def rows(self, label: str, metric: str) -> dict[str, float | None]:
        """Sample id -> share of the facts stated."""
        result = self.reports.get(label, {}).get("metrics", {}).get(metric)
        return dict(zip(result["sample_ids"], result["rows"], strict=True)) if result else {}


def _cover(story: Story) -> Slide:
    what = f"{len(story.scores)} answers" if story.scores else "a set of answers"
    lead = f"A language model had learned {what}. The goal: make it forget them, and nothing else."
    if about := ABOUT.get(story.spec.samples):
        lead += f" {about}"
    created = datetime.fromisoformat(story.spec.created)
    notes = (f"Stored results of a real run from {created:%Y-%m-%d}; nothing is computed live.",)
    return Slide("start", story.spec.label, lead, notes=notes)


def _knew(story: Story, counted: _Counted) -> Slide | None:
    rows = _examples(story, "forget")
    if not rows:
        return None
    known = counted.rows(BEFORE, "forget/gold_span")
    counts = counted.counts("forget/gold_span", whole=False, who=(BEFORE,))
    lead = "Before unlearning, the model gave these answers."
    if counts:
        lead = f"Before unlearning, the model stated the secret or part of it for {counts[0].words()}."
    exchanges = tuple(
        Exchange(r["question"], (_quote(BEFORE, r["before"], _judged(known.get(r["sample_id"]))),))
        for r in rows
    )
    return Slide("knew", "What it knew", lead, exchanges, notes=(_choice(story, "forget"), *counted.missing))


def _marked(story: Story) -> Slide | None:
    if story.spec.rule.get("selection") == "uniform":
        lead = "No words were singled out: every part of every answer was unlearned with the same strength."
        return Slide("marked", "What was marked", lead)
    scores = story.scores
    if not scores:
        return None
    try:
        weights = scores.weights(make_rule(story.spec.rule))
    except TokenUnlearnError:
        return None
    everything = np.concatenate(weights.weights)
    soft = story.spec.rule.get("selection") == "soft"
    marked = int((everything > (1 if soft else 0)).sum())
    lead = (
        "Most of an answer is ordinary language; only a few words carry the secret. "
        f"Of {len(everything):,} word pieces, {marked:,} ({percent(marked / len(everything))} %) were marked"
    )
    lead += " more strongly than the rest." if soft else ", and only those were unlearned."
    wanted = [row["sample_id"] for row in _examples(story, "forget")]
    by_id = {sample.sample_id: (sample, w) for sample, w in zip(scores.samples, weights.weights, strict=True)}
    exchanges = tuple(
        Exchange(sample.question, (Quote("Marked", marked_pieces(sample.answer, sample.offsets, w)),))
        for sample, w in (by_id[i] for i in wanted if i in by_id)
    )
    notes = (
        "A word piece is a word or part of a word. The marks come from measurements, without knowledge of "
        "the secret: how much a piece depends on the question, and how uncertain the model is about it.",
    )
    return Slide("marked", "What was marked", lead, exchanges, notes=notes)


def _now(story: Story, counted: _Counted) -> Slide | None:
    rows = _examples(story, "forget")
    if not rows:
        return None
    known = counted.rows(NOW, "forget/gold_span") if counted.same_forget else {}
    counts = counted.counts("forget/gold_span", whole=False, who=(BEFORE, NOW))
    lead = "After unlearning, the model gives these answers to the same questions."
    now = next((c for c in counts if c.label == NOW), None)
    if now:
        lead = f"After unlearning, the model states the secret or part of it for {now.words()}."
    exchanges = tuple(
        Exchange(
            r["question"],
            (_quote(BEFORE, r["before"]), _quote(NOW, r["after"], _judged(known.get(r["sample_id"])))),
        )
        for r in rows
    )
    notes = [*_stuck(story), *counted.missing]
    return Slide(
        "now",
        "What it says now",
        lead,
        exchanges,
        _group("States the secret or part of it", counts),
        tuple(notes),
    )


def _keeps(story: Story, counted: _Counted) -> Slide | None:
    rows = _examples(story, "retain")
    groups: list[Counts] = []
    for split, title in RETAINED:
        groups += _group(title, counted.counts(f"{split}/gold_span", whole=True, who=(BEFORE, NOW)))
    if not rows and not groups:
        return None
    kept = story.verdict.kept if story.verdict else ()
    sentences = ["Everything else should still be answered correctly.", *(claim.sentence for claim in kept)]
    lead = " ".join(sentences)
    known = counted.rows(NOW, "retain/gold_span")
    exchanges = tuple(
        Exchange(
            r["question"],
            (_quote(BEFORE, r["before"]), _quote(NOW, r["after"], _judged(known.get(r["sample_id"])))),
        )
        for r in rows[:2]
    )
    notes = [_UNCERTAINTY] if groups else []
    notes += [] if rows else ["No answers to other questions are stored for this run."]
    return Slide(
        "keeps", "What it still knows", lead, exchanges, tuple(groups), (*notes, *counted.missing[:1])
    )


def _checked(story: Story, counted: _Counted) -> Slide:
    """What the verdict claims of the secret, and the counts behind it."""
    direct = counted.counts("forget/gold_span", whole=False)
    other = counted.counts("forget/gold_span_paraphrased", whole=False)
    groups = _group("Original questions", direct) + _group("Reworded questions", other)
    verdict = story.verdict if counted.same_forget else None
    notes = [_UNCERTAINTY] if groups else []
    if verdict is None:
        lead = "This run has no evaluation that shows whether the answers are gone."
    else:
        claims = (*verdict.there, *verdict.hidden, *verdict.gone)
        lead = " ".join([verdict.headline, *(claim.sentence for claim in claims[:CLAIMS])])
        notes += [claim.sentence for claim in claims[CLAIMS:]]
    return Slide("checked", "Is it gone? How we checked", lead, (), groups, (*notes, *counted.missing))


def _open(story: Story, counted: _Counted) -> Slide | None:
    """In what it differs from a model that never saw the answers, and what was not tested."""
    if story.verdict is None or not counted.same_forget:
        return None
    notes = [claim.sentence for claim in story.verdict.differs]
    notes += [f"{_missing(claim)}: {claim.sentence}" for claim in story.verdict.untested]
    lead = "Where it differs from a model that never saw the answers, and what was not tested."
    return Slide("open", "What this does not show", lead, notes=tuple(notes))


def _missing(claim: Claim) -> str:
    return "Not tested" if claim.value is None else "Not shown"


_UNCERTAINTY = "The thin line is the 95 % confidence interval (CI) for this number of questions."


def _group(title: str, counts: tuple[Count, ...]) -> tuple[Counts, ...]:
    return (Counts(title, counts),) if counts else ()


def _examples(story: Story, part: str) -> list[AnswerPair]:
    """A few stored answers, evenly spread, so that nobody picked them by how they came out."""
    rows = story.generations.get(part, ())
    size = min(EXAMPLES, len(rows))
    return [rows[i * len(rows) // size] for i in range(size)]


def _choice(story: Story, part: str) -> str:
    shown = len(_examples(story, part))
    return f"The {shown} examples are evenly spaced over the questions, not selected by result."


def _stuck(story: Story) -> list[str]:
    """Say how many answers say little but one word again and again."""
    rows = (story.report or {}).get("generations", {}).get("forget", ())
    stuck = sum(repeats(row["generation"]) for row in rows)
    if not stuck:
        return []
    return [f"In {stuck:,} of {len(rows):,} answers it now only repeats one word over and over."]


def repeats(text: str) -> bool:
    """Whether one word makes up more than half of a text of at least six words."""
    words = text.casefold().split()
    return len(words) >= 6 and Counter(words).most_common(1)[0][1] > len(words) / 2


def _judged(row: float | None) -> str:
    if row is None:
        return ""
    if row == 1:
        return "states the fact"
    return "states part of the fact" if row > 0 else "does not state the fact"


def _quote(label: str, text: str, verdict: str = "") -> Quote:
    shown = text if len(text) <= LONGEST_ANSWER else text[: LONGEST_ANSWER - 1].rstrip() + "…"
    return Quote(label, (Piece(shown),), verdict)


def marked_pieces(
    answer: str, offsets: Sequence[tuple[int, int]], weights: Sequence[float] | np.ndarray
) -> tuple[Piece, ...]:
    """An answer cut where its marking changes; what several tokens share takes the strongest weight.

    Args:
        answer: The answer.
        offsets: (T,) character ranges of the tokens in the answer.
        weights: (T,) weights, at least 0; the largest one is strength 1.
    """
    top = max((float(w) for w in weights), default=0.0)
    strengths = [0.0] * len(answer)
    for (start, end), weight in zip(offsets, weights, strict=True):
        for i in range(start, min(end, len(answer))):
            strengths[i] = max(strengths[i], float(weight) / top if top > 0 else 0.0)
    pieces: list[Piece] = []
    for character, strength in zip(answer, strengths, strict=True):
        if pieces and pieces[-1].strength == strength:
            pieces[-1] = Piece(pieces[-1].text + character, strength)
        else:
            pieces.append(Piece(character, strength))
    return tuple(pieces)
