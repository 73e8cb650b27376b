"""What a run's stored results say to people who are no specialists: pure functions from data to slides.

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

from app.present.slides import CONFIDENCE, Count, Counts, Exchange, Piece, Quote, Slide, percent
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.spec import RunSpec, make_rule

EXAMPLES = 3
LONGEST_ANSWER = 220
BEFORE, NOW, UNSEEN = "Before", "Now", "A model that never saw it"
ABOUT = {
    "authors:forget10": "questions about six invented authors, so nothing here is anyone's real secret",
    "authors:forget05": "questions about three invented authors, so nothing here is anyone's real secret",
}
KEPT = (
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
    """

    spec: RunSpec
    generations: Mapping[str, Sequence[Mapping[str, str]]]
    report: Mapping[str, Any] | None = None
    scores: ScoreSet | None = None
    before: Mapping[str, Any] | None = None
    unseen: Mapping[str, Any] | None = None


def make_slides(story: Story) -> tuple[Slide, ...]:
    """The slides that the stored results of a run allow, in order."""
    counted = _Counted(story)
    told = (_cover(story), _knew(story, counted), _marked(story), _now(story, counted))
    slides = (*told, _keeps(story, counted), _checked(story, counted))
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
        self.same_forget = f"{report['suite']}:{report['settings'].get('forget')}" == story.spec.samples
        if not self.same_forget:
            self.missing.append(
                "The evaluation asked other questions than those to be forgotten, so these are not counted."
            )
        revision = story.scores.revision if story.scores else report["revision"]
        if story.before is not None and story.before["revision"] == revision:
            self.reports[BEFORE] = story.before
        else:
            self.missing.append("There are no stored counts of the model before.")
        if story.unseen is not None:
            self.reports[UNSEEN] = story.unseen
        else:
            self.missing.append("There are no stored counts of a model that never saw these answers.")

    def counts(
        self, metric: str, whole: bool, who: Sequence[str] = (BEFORE, NOW, UNSEEN)
    ) -> tuple[Count, ...]:
        """Per model: questions whose answer holds the whole fact, or at least a part of it.

        All models are counted on the questions that this run was asked; a model that was not asked all of
        them is left out.
        """
        if metric.startswith("forget/") and not self.same_forget:
            return ()
        asked = [i for i, row in self.rows(NOW, metric).items() if row is not None]
        found = []
        for label in who:
            rows = self.rows(label, metric)
            values = [value for i in asked if (value := rows.get(i)) is not None]
            if asked and len(values) == len(asked):
                right = sum(value == 1 if whole else value > 0 for value in values)
                found.append(Count(label, right, len(values)))
        return tuple(found)

    def rows(self, label: str, metric: str) -> dict[str, float | None]:
        """Sample id -> share of the facts stated."""
        result = self.reports.get(label, {}).get("metrics", {}).get(metric)
        return dict(zip(result["sample_ids"], result["rows"], strict=True)) if result else {}


def _cover(story: Story) -> Slide:
    number = len(story.scores) if story.scores else None
    about = ABOUT.get(story.spec.samples, "")
    what = f"{number} answers" if number else "a set of answers"
    lead = f"A language model knew {what}. It was made to forget them and to keep everything else it knows."
    if about:
        lead += f" The answers belong to {about}."
    made = datetime.fromisoformat(story.spec.created)
    notes = (f"Stored results of a real run of {made:%Y-%m-%d}; nothing is computed while you read.",)
    return Slide("start", story.spec.label, lead, notes=notes)


def _knew(story: Story, counted: _Counted) -> Slide | None:
    rows = _examples(story, "forget")
    if not rows:
        return None
    known = counted.rows(BEFORE, "forget/gold_span")
    counts = counted.counts("forget/gold_span", whole=False, who=(BEFORE,))
    lead = "Asked before, the model gave these answers."
    if counts:
        lead = f"Asked before, the model gave the secret, or part of it, in {counts[0].words()}."
    exchanges = tuple(
        Exchange(r["question"], (_quote(BEFORE, r["before"], _verdict(known.get(r["sample_id"]))),))
        for r in rows
    )
    return Slide("knew", "What it knew", lead, exchanges, notes=(_choice(story, "forget"), *counted.missing))


def _marked(story: Story) -> Slide | None:
    if story.spec.rule.get("selection") == "uniform":
        lead = "Nothing was singled out: every piece of every answer was to be forgotten with the same force."
        return Slide("marked", "What was marked", lead)
    scores = story.scores
    if scores is None:
        return None
    try:
        weights = scores.weights(make_rule(story.spec.rule))
    except TokenUnlearnError:
        return None
    everything = np.concatenate(weights.weights)
    soft = story.spec.rule.get("selection") == "soft"
    marked = int((everything > (1 if soft else 0)).sum())
    lead = (
        "An answer is mostly ordinary language; only a few words carry the secret. "
        f"Of {len(everything):,} pieces of text, {marked:,} ({percent(marked / len(everything))} %) "
        "were marked"
    )
    lead += " more strongly than the rest." if soft else ", and only those were to be forgotten."
    wanted = [row["sample_id"] for row in _examples(story, "forget")]
    by_id = {sample.sample_id: (sample, w) for sample, w in zip(scores.samples, weights.weights, strict=True)}
    exchanges = tuple(
        Exchange(sample.question, (Quote("Marked", marked_pieces(sample.answer, sample.offsets, w)),))
        for sample, w in (by_id[i] for i in wanted if i in by_id)
    )
    notes = (
        "A piece is a word or part of a word. The marks were chosen by measurement, without knowing the "
        "secret: how much a piece depends on what was asked, and how unsure the model is there.",
    )
    return Slide("marked", "What was marked", lead, exchanges, notes=notes)


def _now(story: Story, counted: _Counted) -> Slide | None:
    rows = _examples(story, "forget")
    if not rows:
        return None
    known = counted.rows(NOW, "forget/gold_span") if counted.same_forget else {}
    counts = counted.counts("forget/gold_span", whole=False, who=(BEFORE, NOW))
    lead = "Asked the same questions now, the model gives these answers."
    now = next((c for c in counts if c.label == NOW), None)
    if now:
        lead = f"Asked the same questions now, it gives the secret, or part of it, in {now.words()}."
    exchanges = tuple(
        Exchange(
            r["question"],
            (_quote(BEFORE, r["before"]), _quote(NOW, r["after"], _verdict(known.get(r["sample_id"])))),
        )
        for r in rows
    )
    notes = [*_stuck(story), *counted.missing]
    return Slide(
        "now", "What it says now", lead, exchanges, _group("The secret, or part of it", counts), tuple(notes)
    )


def _keeps(story: Story, counted: _Counted) -> Slide | None:
    rows = _examples(story, "retain")
    groups: list[Counts] = []
    sentences = []
    for part, title in KEPT:
        counts = counted.counts(f"{part}/gold_span", whole=True, who=(BEFORE, NOW))
        groups += _group(title, counts)
        now = next((c for c in counts if c.label == NOW), None)
        if now:
            sentences.append(f"{title.lower()}: {now.count:,} of {now.n:,}")
    if not rows and not groups:
        return None
    lead = "What was not to be forgotten should still be answered."
    if sentences:
        lead += f" Right now: {'; '.join(sentences)}."
    known = counted.rows(NOW, "retain/gold_span")
    exchanges = tuple(
        Exchange(
            r["question"],
            (_quote(BEFORE, r["before"]), _quote(NOW, r["after"], _verdict(known.get(r["sample_id"])))),
        )
        for r in rows[:2]
    )
    notes = [_UNCERTAINTY] if groups else []
    notes += [] if rows else ["This run has stored no answers to questions that it should keep."]
    return Slide(
        "keeps", "What it still knows", lead, exchanges, tuple(groups), (*notes, *counted.missing[:1])
    )


def _checked(story: Story, counted: _Counted) -> Slide:
    direct = counted.counts("forget/gold_span", whole=False)
    other = counted.counts("forget/gold_span_paraphrased", whole=False)
    groups = _group("Asked as before", direct) + _group("Asked in other words", other)
    lead = "This run has no evaluation that could show whether the answers are gone."
    if groups:
        lead = _against({"as before": direct, "in other words": other})
    notes = [_UNCERTAINTY] if groups else []
    notes += [_tells_apart(counted)] if UNSEEN in counted.reports and counted.same_forget else []
    if groups and not other:
        notes.append("It was not asked in other words.")
    notes.append(
        "Not shown: whether further training, or someone with access to the model's inside, brings it back."
    )
    return Slide(
        "checked",
        "Is it gone? How we checked",
        lead,
        (),
        groups,
        tuple(n for n in (*notes, *counted.missing) if n),
    )


_UNCERTAINTY = (
    "The thin line is the uncertainty: with this many questions the true share lies there "
    "with 95 % confidence."
)


def _against(asked: Mapping[str, Sequence[Count]]) -> str:
    """What the counts say of this run against the model that never saw the answers."""
    sentences = []
    more = compared = False
    for how, counts in asked.items():
        by = {count.label: count for count in counts}
        if NOW not in by:
            continue
        now, unseen = by[NOW], by.get(UNSEEN)
        sentence = f"Asked {how}, it gives the secret, or part of it, in {now.count:,} of {now.n:,}"
        if unseen:
            compared = True
            more |= now.interval[0] > unseen.interval[1]
            sentence += f"; a model that never saw it, in {unseen.count:,}"
        sentences.append(sentence + ".")
    if compared and more:
        sentences.append("That is more often than guessing without having seen it explains.")
    elif compared:
        sentences.append("Within the uncertainty it says it no more often than one that never saw it.")
    return " ".join(sentences)


def _tells_apart(counted: _Counted) -> str:
    """What the Kolmogorov-Smirnov test between the run and the unseen model says, in words."""
    quality = counted.reports[NOW].get("metrics", {}).get("forget_quality")
    if not quality or quality["value"] is None:
        return ""
    p, n = quality["value"], quality["n"]
    chance = f"{percent(p)} %" if p >= 0.01 else "under 1 %"
    found = "finds no difference" if p >= 1 - CONFIDENCE else "still finds a difference"
    return (
        f"A statistical test on {n} questions {found} in how it weighs right against wrong answers, "
        f"compared with a model that never saw them (chance of a gap this large by luck: {chance})."
    )


def _group(title: str, counts: tuple[Count, ...]) -> tuple[Counts, ...]:
    return (Counts(title, counts),) if counts else ()


def _examples(story: Story, part: str) -> list[Mapping[str, str]]:
    """A few stored answers, evenly spread, so that nobody picked them by how they came out."""
    rows = story.generations.get(part, ())
    size = min(EXAMPLES, len(rows))
    return [rows[i * len(rows) // size] for i in range(size)]


def _choice(story: Story, part: str) -> str:
    shown = len(_examples(story, part))
    return f"The {shown} examples are evenly spread over the questions, not picked by how they came out."


def _stuck(story: Story) -> list[str]:
    """Say how many answers say little but one word again and again."""
    rows = (story.report or {}).get("generations", {}).get("forget", ())
    stuck = sum(repeats(row["generation"]) for row in rows)
    if not stuck:
        return []
    return [
        f"In {stuck:,} of {len(rows):,} questions it now repeats one word over and over instead of an answer."
    ]


def repeats(text: str) -> bool:
    """Whether one word makes up more than half of a text of at least six words."""
    words = text.casefold().split()
    return len(words) >= 6 and Counter(words).most_common(1)[0][1] > len(words) / 2


def _verdict(row: float | None) -> str:
    if row is None:
        return ""
    return "gives the fact" if row == 1 else "gives part of the fact" if row > 0 else "does not give the fact"


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
        for i in range(start, end):
            strengths[i] = max(strengths[i], float(weight) / top if top > 0 else 0.0)
    pieces: list[Piece] = []
    for character, strength in zip(answer, strengths, strict=True):
        if pieces and pieces[-1].strength == strength:
            pieces[-1] = Piece(pieces[-1].text + character, strength)
        else:
            pieces.append(Piece(character, strength))
    return tuple(pieces)
