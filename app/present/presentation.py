"""A run's stored results as slides for a non-technical audience: pure functions from data to slides.

Every number is counted here from the per-question rows of stored reports, or comes from the verdict. What a
run does not have is left out, and a note on the slide says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app import numbers
from app.chat.answer_view import fact_words
from app.present.marks import count_marks, marked_pieces, secret_pieces
from app.present.slides import Attempt, Count, Counts, Exchange, Quote, Slide, percent
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.claims import SECTIONS, Claim, Verdict
from tokenunlearn.evaluation.difference import FEWEST_ROWS
from tokenunlearn.evaluation.verdict_words import ATTACK_TITLES, asked, listed, metric_of
from tokenunlearn.runs.run_files import AnswerPair
from tokenunlearn.runs.spec import RunSpec, make_rule

EXAMPLES = 2
LONGEST_ANSWER = 220
LONGEST_TITLE = 80
POINTS = 6
BEFORE, NOW, UNSEEN = "Before", "Now", "A model that never saw it"
ABOUT = {
    "authors:forget10": "The answers are about six fictional authors, so no real secret is shown here.",
    "authors:forget05": "The answers are about three fictional authors, so no real secret is shown here.",
}
RETAINED = (
    ("retain", "Other questions"),
    ("world_facts", "Everyday facts"),
    ("real_authors", "Famous writers"),
)
# Measures of the secret that count questions, and how the ways to ask are called that are no single attack.
COUNTED = ("leaks", "gold_span", "gold_span_paraphrased", "right_option", "accuracy")
TITLES = {"": "the original questions", **ATTACK_TITLES, "worst": "all attacks together"}


@dataclass(frozen=True)
class Story:
    """What is stored about a run.

    Attributes:
        spec: The run's spec.
        generations: Answers before and after, by part.
        report: The run's evaluation, or None.
        scores: The score set behind its weights, or None.
        before: Report of the model before the run, or None.
        verdict: What the run's evaluation supports saying, or None.
    """

    spec: RunSpec
    generations: Mapping[str, Sequence[AnswerPair]]
    report: Mapping[str, Any] | None = None
    scores: ScoreSet | None = None
    before: Mapping[str, Any] | None = None
    verdict: Verdict | None = None


def make_slides(story: Story, title: str = "") -> tuple[Slide, ...]:
    """The slides that the stored results of a run allow, in order; the first bears a title of one's own."""
    counted = _Counted(story)
    slides = (
        _cover(story, " ".join(title.split())[:LONGEST_TITLE]),
        _knew(story, counted),
        _marked(story, counted),
        _now(story, counted),
        _keeps(story, counted),
        _checked(story, counted),
        _open(story, counted),
        _ask(story, counted),
    )
    return tuple(slide for slide in slides if slide is not None)


class _Counted:
    """Counts over the questions that a run's report and the report of its start model share."""

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
                "The evaluation asked other questions than those to be forgotten, so there are no counts."
            )
        revision = story.scores.revision if story.scores else report["revision"]
        if story.before is not None and story.before["revision"] == revision:
            self.reports[BEFORE] = story.before
        else:
            self.missing.append("No counts are stored for the model before unlearning.")

    def counts(self, metric: str, whole: bool, who: Sequence[str] = (BEFORE, NOW)) -> tuple[Count, ...]:
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


def _cover(story: Story, title: str) -> Slide:
    what = numbers.counted(len(story.scores), "answer") if story.scores else "a set of answers"
    lead = f"A language model had learned {what}. The goal: make it forget them, and nothing else."
    created = datetime.fromisoformat(story.spec.created)
    stored = f"Stored results of a real run from {created:%-d %B %Y}."
    notes = filter(None, (ABOUT.get(story.spec.samples), stored))
    return Slide("start", title or story.spec.label, lead, notes=tuple(notes))


def _knew(story: Story, counted: _Counted) -> Slide | None:
    rows = _forgotten(story, counted)
    if not rows:
        return None
    known = counted.rows(BEFORE, "forget/gold_span")
    counts = counted.counts("forget/gold_span", whole=False, who=(BEFORE,))
    lead = "Before unlearning, the model gave these answers."
    if counts:
        lead = f"Before unlearning, the model stated the secret or part of it for {counts[0].words()}."
    exchanges = tuple(
        Exchange(r["question"], (_quote(story, r, BEFORE, known.get(r["sample_id"])),)) for r in rows
    )
    choice = f"The {len(rows)} examples are evenly spaced, not selected by result."
    if known and all(known.get(row["sample_id"]) for row in rows):
        choice = (
            f"The {len(rows)} examples are evenly spaced among those that stated it, not selected by what "
            "became of them."
        )
    notes = (f"{_SECRET} {choice}", *counted.missing)
    return Slide("knew", "What it knew", lead, exchanges, notes=notes)


def _marked(story: Story, counted: _Counted) -> Slide | None:
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
    soft = story.spec.rule.get("selection") == "soft"
    marks = count_marks(scores, weights, 1 if soft else 0)
    lead = (
        "Only a few words carry the secret. "
        f"Of {marks.pieces:,} word pieces, {marks.marked:,} ({percent(marks.marked / marks.pieces)} %) were "
        f"marked{' more strongly than the rest' if soft else ', and only those were unlearned'}."
    )
    wanted = [row["sample_id"] for row in _forgotten(story, counted)]
    by_id = {sample.sample_id: (sample, w) for sample, w in zip(scores.samples, weights.weights, strict=True)}
    exchanges = tuple(
        Exchange(sample.question, (Quote("Marked", marked_pieces(sample.answer, sample.offsets, w)),))
        for sample, w in (by_id[i] for i in wanted if i in by_id)
    )
    notes = ["The marks come from measurements, without knowledge of the secret."]
    if marks.answers:
        beside = percent(marks.beside / marks.near) if marks.near else "0"
        notes.append(
            f"In {marks.missed:,} of {marks.answers:,} answers they miss the secret altogether; {beside} % "
            "of the marked pieces are not part of it."
        )
    return Slide("marked", "What was marked", lead, exchanges, notes=tuple(notes), fades=True)


def _now(story: Story, counted: _Counted) -> Slide | None:
    rows = _forgotten(story, counted)
    if not rows:
        return None
    known = counted.rows(NOW, "forget/gold_span") if counted.same_forget else {}
    counts = counted.counts("forget/gold_span", whole=False, who=(NOW,))
    lead = "After unlearning, the model gives these answers to the same questions."
    if counts:
        lead = f"After unlearning, the model states the secret or part of it for {counts[0].words()}."
    exchanges = tuple(_pair(story, r, known.get(r["sample_id"])) for r in rows)
    notes = (*_stuck(story), *counted.missing)
    return Slide("now", "What it says now", lead, exchanges, notes=notes or (_SECRET,))


def _keeps(story: Story, counted: _Counted) -> Slide | None:
    rows = _spread(story.generations.get("retain", ()))[:1]
    groups: list[Counts] = []
    for split, title in RETAINED:
        bars = counted.counts(f"{split}/gold_span", whole=True)
        groups += [Counts(title, bars)] if bars else []
    if not rows and not groups:
        return None
    kept = story.verdict.kept if story.verdict else ()
    lead = kept[0].sentence if kept else "Everything else should still be answered correctly."
    exchanges = [Exchange(r["question"], (_quote(story, r, ""),)) for r in rows]
    exchanges += [
        Exchange(fact["question"], (_quote(story, {**fact, "after": fact["generation"]}, ""),))
        for fact in _generations(story, "world_facts")[:1]
    ]
    notes = ["Only whole facts are counted. The thin line is the 95 % interval."] if groups else []
    notes += [] if rows else ["No answers to other questions are stored for this run."]
    return Slide(
        "keeps",
        "What it still knows",
        lead,
        tuple(exchanges),
        tuple(groups),
        notes=(*notes, *counted.missing[:1]),
    )


def _checked(story: Story, counted: _Counted) -> Slide:
    """What the verdict claims of the secret, and every way to ask for it beside the retrained model."""
    verdict = story.verdict if counted.same_forget else None
    if verdict is None:
        lead = "This run has no evaluation that shows whether the answers are gone."
        return Slide("checked", "Is it gone?", lead, notes=tuple(counted.missing))
    return Slide(
        "checked", "Is it gone?", verdict.headline, attempts=_attempts(verdict), notes=tuple(counted.missing)
    )


def _attempts(verdict: Verdict) -> tuple[Attempt, ...]:
    """The strongest claim of the verdict on each way to ask for the secret, the plain one first."""
    strongest: dict[str, tuple[Claim, str]] = {}
    for section in SECTIONS:
        for claim in getattr(verdict, section):
            way = _way(claim)
            if way is not None and (way not in strongest or _excess(claim) > _excess(strongest[way][0])):
                strongest[way] = claim, _compared(claim, section)
    likelier = _likelier(verdict)
    return tuple(
        _attempt(title, claim, compared + ("; facts more probable" if way in likelier else ""))
        for way, title in TITLES.items()
        if way in strongest
        for claim, compared in [strongest[way]]
    )


def _likelier(verdict: Verdict) -> set[str]:
    """Ways to ask under which the facts are seldom stated, but more probable than in the retrained model."""
    facts = [claim for claim in verdict.hidden if metric_of(claim.measure) == "gold_probability"]
    return {asked(claim.measure).attack for claim in facts}


def _way(claim: Claim) -> str | None:
    """The key in TITLES of how the secret was asked for; None for a claim that counts something else."""
    place, metric = claim.measure.partition("/")[0], metric_of(claim.measure)
    if claim.value is None or metric not in COUNTED or place in [split for split, _ in RETAINED]:
        return None
    return "worst" if place == "worst" else asked(claim.measure).attack


def _excess(claim: Claim) -> float:
    return (claim.value or 0.0) - (claim.retrained or 0.0)


def _attempt(title: str, claim: Claim, compared: str) -> Attempt:
    unseen = claim.retrained
    return Attempt(
        title[0].upper() + title[1:],
        Count(NOW, round((claim.value or 0.0) * claim.n), claim.n),
        None if unseen is None else Count(UNSEEN, round(unseen * claim.n), claim.n),
        compared,
    )


def _compared(claim: Claim, section: str) -> str:
    """How a section of the verdict compares a claim's figure with the retrained model's, in a few words."""
    if claim.retrained is None:
        return f"no{UNSEEN.removeprefix('A')} was measured"
    if section == "untested":
        return "too few to tell" if claim.difference or claim.n < FEWEST_ROWS else "no test"
    if section in ("gone", "same"):
        return "about as often"
    return "more often" if _excess(claim) > 0 else "less often"


def _open(story: Story, counted: _Counted) -> Slide | None:
    """What was not tested or is not shown, and in how much it differs from a model that never saw it."""
    verdict = story.verdict
    if verdict is None or not counted.same_forget:
        return None
    points = [claim.sentence for claim in verdict.untested if claim.value is None]
    unclear: dict[str, list[str]] = {}
    likelier = _likelier(verdict)
    for claim in verdict.untested:
        if (way := _way(claim)) is not None and way not in likelier:
            unclear.setdefault(_compared(claim, "untested"), []).append(TITLES.get(way, way))
    points += [
        f"Measured, but {reason}: {listed(list(dict.fromkeys(ways)))}." for reason, ways in unclear.items()
    ]
    if verdict.differs:
        measures = f"{len(verdict.differs)} measure{'s' if len(verdict.differs) > 1 else ''}"
        points.append(f"In {measures} it differs from a model that never saw it; Compare lists them.")
    more = [f"{len(points) - POINTS} more are on the page Compare."] if len(points) > POINTS else []
    lead = "A test can only show what it looked for."
    return Slide("open", "What we did not test", lead, points=tuple(points[:POINTS]), notes=tuple(more))


def _ask(story: Story, counted: _Counted) -> Slide:
    lead = "Type a question, or attack it: the models answer side by side."
    questions = [row["question"] for row in _forgotten(story, counted)]
    questions += [row["question"] for row in _generations(story, "world_facts")[:1]]
    return Slide("ask", "Ask it yourself", lead, points=tuple(questions))


_SECRET = "The secret is in amber."


def _forgotten(story: Story, counted: _Counted) -> list[AnswerPair]:
    """A few stored answers to what is forgotten, of those that stated it before if any are known to have."""
    rows, known = story.generations.get("forget", ()), counted.rows(BEFORE, "forget/gold_span")
    return _spread([row for row in rows if known.get(row["sample_id"])] or rows)


def _spread(rows: Sequence[AnswerPair]) -> list[AnswerPair]:
    """A few answers, evenly spread, so that nobody picked them by how they came out."""
    size = min(EXAMPLES, len(rows))
    return [rows[i * len(rows) // size] for i in range(size)]


def _generations(story: Story, part: str) -> Sequence[Mapping[str, Any]]:
    """Answers of a part that the run's evaluation has stored."""
    rows: Sequence[Mapping[str, Any]] = (story.report or {}).get("generations", {}).get(part, ())
    return rows


def _stuck(story: Story) -> list[str]:
    """Say how many answers say little but one word again and again."""
    rows = _generations(story, "forget")
    stuck = sum(repeats(row["generation"]) for row in rows)
    if not stuck:
        return []
    return [f"In {stuck:,} of {len(rows):,} answers it now only repeats one word over and over."]


def repeats(text: str) -> bool:
    """Whether one word makes up more than half of a text of at least six words."""
    words = text.casefold().split()
    return len(words) >= 6 and Counter(words).most_common(1)[0][1] > len(words) / 2


def _pair(story: Story, row: AnswerPair, known: float | None) -> Exchange:
    """What is answered before and now."""
    return Exchange(row["question"], (_quote(story, row, BEFORE), _quote(story, row, NOW, known)))


def _quote(story: Story, row: Mapping[str, Any], label: str, known: float | None = None) -> Quote:
    """An answer, before or now, with the secret in it marked, cut where it is long."""
    text = row["before" if label == BEFORE else "after"]
    shown = text if len(text) <= LONGEST_ANSWER else text[: LONGEST_ANSWER - 1].rstrip() + "…"
    samples = story.scores.samples if story.scores else ()
    facts = [s.answer[start:end] for s in samples if s.sample_id == row["sample_id"] for start, end in s.span]
    return Quote(label, secret_pieces(shown, facts), fact_words(known))
