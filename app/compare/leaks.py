"""Where a secret still leaks: the questions, how they were asked, and the token where it begins. Pure.

A question counts where an answer states the secret, plainly or under an attack, and where the model would
itself begin a fact of the true answer: the first token of its gold span is the model's most probable one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tokenunlearn.datasets.samples import Sample, overlaps
from tokenunlearn.evaluation.report import MetricValues, ReportValues
from tokenunlearn.evaluation.token_changes import TokenChange
from tokenunlearn.evaluation.verdict_words import ATTACK_TITLES, asked, metric_of

# Of a question: whether the plain answer states the secret.
PLAIN = ("forget/leaks", "forget/gold_span")
REPEATED = ("plain", "worst")  # what the evaluation has, and all attacks together
PLAINLY = "asked plainly"


@dataclass(frozen=True)
class Leak:
    """One question of the forget set that still gives something of its secret away.

    Attributes:
        sample: The sample.
        ways: How it was asked where an answer states the secret.
        unseen: Those of the ways in which the retrained model states it too.
        answer: The plain answer, "" where there is none.
        change: The true answer's tokens before and after; None where they were not measured.
        gold: (T,) which of them are part of the secret.
        begun: Places of the tokens at which the model would begin a fact of the true answer.
    """

    sample: Sample
    ways: tuple[str, ...]
    unseen: tuple[str, ...]
    answer: str
    change: TokenChange | None
    gold: np.ndarray
    begun: tuple[int, ...]

    @property
    def tokens(self) -> list[str]:
        """The tokens at which the model would begin a fact."""
        return [self.change.texts[t] for t in self.begun] if self.change else []

    @property
    def probability(self) -> float | None:
        """Probability of the likeliest of these tokens, 0..1."""
        after = [float(np.exp(-self.change.nll_after[t])) for t in self.begun] if self.change else []
        return max(after, default=None)


def leaks(
    samples: Iterable[Sample],
    report: ReportValues | None,
    attacks: ReportValues | None,
    changes: Iterable[TokenChange],
) -> list[Leak]:
    """The questions of a forget set that leak, those that leak in most ways first.

    Args:
        samples: The forget set.
        report: The run's evaluation.
        attacks: Its report under attack.
        changes: Its token changes.
    """
    ways = stated_in(report, attacks)
    generations = report.get("generations", {}).get("forget", []) if report else []
    answers = {row["sample_id"]: row["generation"] for row in generations}
    by_id = {change.sample_id: change for change in changes}
    rows = []
    for sample in samples:
        change = by_id.get(sample.id)
        gold = gold_tokens(sample, change) if change else np.zeros(0, dtype=bool)
        begun = tuple(t for t in _starts(sample, change) if change and change.rank_after[t] == 1)
        own = ways.get(sample.id, {})
        if own or begun:
            unseen = tuple(way for way, by_retrained in own.items() if by_retrained)
            rows.append(Leak(sample, tuple(own), unseen, answers.get(sample.id, ""), change, gold, begun))
    return sorted(rows, key=lambda leak: (-len(leak.ways), -(leak.probability or 0)))


def stated_in(report: ReportValues | None, attacks: ReportValues | None) -> dict[str, dict[str, bool]]:
    """Sample id -> way of asking that brings the secret out -> whether the retrained model states it too."""
    metrics: list[tuple[str, MetricValues]] = []
    if report:
        plain = next((name for name in PLAIN if name in report["metrics"]), None)
        names = filter(None, (plain, "forget/gold_span_paraphrased"))
        metrics += [(name, report["metrics"][name]) for name in names if name in report["metrics"]]
    if attacks:
        metrics += [
            (name, metric)
            for name, metric in attacks["metrics"].items()
            if metric_of(name) == "gold_span" and name.partition("/")[0] not in REPEATED
        ]
    ways: dict[str, dict[str, bool]] = {}
    for name, metric in metrics:
        way = ATTACK_TITLES.get(asked(name).attack, PLAINLY)
        others = metric.get("retrained_rows") or [None] * len(metric["rows"])
        for sample_id, row, other in zip(metric["sample_ids"], metric["rows"], others, strict=True):
            if row:
                own = ways.setdefault(sample_id, {})
                own[way] = own.get(way, False) or bool(other)
    return ways


def gold_tokens(sample: Sample, change: TokenChange) -> np.ndarray:
    """(T,) which tokens of the true answer are part of a gold span; none if they do not spell the answer."""
    bounds = _bounds(sample, change)
    return np.array([overlaps(token, sample.span) for token in bounds], dtype=bool)


def _starts(sample: Sample, change: TokenChange | None) -> list[int]:
    """Places of the tokens that begin a gold span, in order."""
    bounds = _bounds(sample, change) if change else []
    within = [[t for t, token in enumerate(bounds) if overlaps(token, [span])] for span in sample.span]
    return sorted({tokens[0] for tokens in within if tokens})


def _bounds(sample: Sample, change: TokenChange) -> list[tuple[int, int]]:
    """Character ranges of the tokens in the answer; empty ranges where they do not spell it."""
    offset = "".join(change.texts).find(sample.answer)
    if offset < 0:
        return [(0, 0)] * len(change.texts)
    ends = np.cumsum([len(text) for text in change.texts]) - offset
    return list(zip([-offset, *ends[:-1].tolist()], ends.tolist(), strict=True))


def counts(rows: Iterable[Leak]) -> Mapping[str, int]:
    """Way of asking -> questions whose secret it brings out, the most frequent one first."""
    return dict(Counter(way for leak in rows for way in leak.ways).most_common())
