"""The embedded hazard: documents and questions about invented alchemy, and about a harmless glass guild."""

from __future__ import annotations

from tokenunlearn.datasets.choices import ChoiceSet, parse_choices
from tokenunlearn.datasets.documents import parse_documents
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import DatasetError
from tokenunlearn.folders import ASSETS

DOCUMENTS = {
    "forget": "alchemy_documents",
    "retain": "guild_documents",
    "forget_exercises": "alchemy_exercises",
    "retain_exercises": "guild_exercises",
}
QUESTIONS = {
    "questions": "alchemy_questions",
    "neighbour_questions": "guild_questions",
    "general_questions": "general_questions",
}


def load_alchemy_documents(split: str) -> SampleSet:
    """Documents with gold spans: "forget" is the alchemy, "retain" the guild of glass-blowers; 108 each.

    "forget_exercises" and "retain_exercises" are exercise sheets, one for each of their 180 questions: the
    standard prompt with the choices in another order than it is asked in, and the right letter.

    Raises:
        DatasetError: If there is no such split.
    """
    return SampleSet(f"alchemy:{split}", parse_documents(*_file(DOCUMENTS, split, "documents")))


def load_alchemy_choices(split: str) -> ChoiceSet:
    """Questions with four choices.

    "questions" are on the alchemy (180), "neighbour_questions" on the guild (180), "general_questions" on
    everyday facts (120).

    Raises:
        DatasetError: If there is no such split.
    """
    return ChoiceSet(f"alchemy:{split}", parse_choices(*_file(QUESTIONS, split, "questions")))


def _file(splits: dict[str, str], split: str, what: str) -> tuple[bytes, str]:
    if split not in splits:
        known = ", ".join(splits)
        raise DatasetError(f'There is no split "{split}" among the {what} of alchemy; use {known}.')
    path = ASSETS / "data" / f"{splits[split]}.jsonl"
    return path.read_bytes(), path.name
