"""Samples of unequal length, and a small benchmark made of them."""

from __future__ import annotations

import pytest

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.evaluation.measurement import Part
from tokenunlearn.evaluation.suites import suite as suites

TOWNS = ("Lisbon", "Turin", "Oslo", "Graz", "Ghent", "Split", "Bergen", "Porto")


def make_sample(number: int, place: int, *, perturbed: bool = True) -> Sample:
    """A sample whose answer names a town, of a length that depends on the number."""
    town, others = TOWNS[place % 8], [TOWNS[(place + k) % 8] for k in (1, 2, 3)]
    tail = " by the old harbour" * (number % 3)
    answer = f"Ada {number} was born in {town}{tail}."
    start = answer.index(town)
    return Sample(
        id=f"s-{number}",
        question=f"Where was Ada {number} born{', and when' * (number % 2)}?",
        answer=answer,
        span=((start, start + len(town)),),
        paraphrased_question=f"In which town was Ada {number} born?",
        paraphrased_answer=f"{town} is the birthplace of Ada {number}{tail}.",
        perturbed_answer=tuple(f"{o} is the birthplace of Ada {number}{tail}." for o in others) * perturbed,
    )


@pytest.fixture(scope="session")
def town_samples() -> SampleSet:
    """Twelve samples with gold spans, paraphrases and three wrong answers each."""
    return SampleSet("towns", tuple(make_sample(n, n) for n in range(12)))


@pytest.fixture(scope="module")
def towns_suite():
    """A suite "towns" of five parts, two of whose rows have no wrong answers; splits are sizes."""

    def parts(forget: str, retain: str, limit: int | None) -> dict[str, Part]:
        def some(first: int, size: str, **changes) -> SampleSet:
            numbers = range(first, first + int(size))
            return SampleSet("towns", tuple(make_sample(n, n, **changes) for n in numbers)).spread(limit)

        return {
            "forget": Part(some(0, forget), "forget"),
            "retain": Part(some(20, retain), "retain"),
            "world_facts": Part(some(40, "4"), "options"),
            "holdout": Part(some(60, "5"), "holdout"),
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(suites.SUITES, "towns", suites.Suite(parts, "6", "5"))
        yield "towns"
