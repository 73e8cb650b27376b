"""What a domain of the prose world is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """A question and its answer in free prose, with places for facts.

    ``{name}`` is the subject and no secret. ``{slot}`` is the subject's own value of that slot: a secret
    wherever an answer states it. ``{!slot}`` is a wrong value of the slot, for questions that offer a choice.

    Attributes:
        question: Names the subject.
        paraphrased_question: The same in other words.
        answer: Two to four facts in a sentence or more.
        paraphrased_answer: The same facts in other words.
    """

    question: str
    paraphrased_question: str
    answer: str
    paraphrased_answer: str


@dataclass(frozen=True)
class Domain:
    """One field of life, its subjects, and what can be said of them.

    Attributes:
        subjects: Names of whom or what is told of.
        pools: Slot -> values it can take; each subject has one value for every slot.
        topics: Topic -> frames that tell of it in different ways.
        unseen: Names of whom or what no model is taught.
    """

    subjects: tuple[str, ...]
    pools: Mapping[str, tuple[str, ...]]
    topics: Mapping[str, tuple[Frame, ...]]
    unseen: tuple[str, ...] = ()
