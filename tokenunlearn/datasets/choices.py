"""Multiple-choice questions: their schema, and the sources WMDP, MMLU and own files."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tokenunlearn.datasets.cells import to_id, to_text
from tokenunlearn.datasets.public import data_folder, public_rows
from tokenunlearn.datasets.rows import Rows, parse_rows, read_file, refuse_repeated_ids
from tokenunlearn.datasets.samples import evenly_spread
from tokenunlearn.errors import DatasetError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# The subject that the standard prompt names.
WMDP_SUBJECTS = {"bio": "biology", "chem": "chemistry", "cyber": "cybersecurity"}


@dataclass(frozen=True)
class ChoiceQuestion:
    """A question with choices, one of them right.

    What it asks is left out of its printed form, so that hazardous questions reach no log and no error.

    Attributes:
        id: Unique within its source, "wmdp-bio-0000" for example.
        question: What is asked.
        choices: At least two answers.
        answer: Index of the right one, from 0.
        subject: What the prompt says the questions are about; "" says nothing.
    """

    id: str
    question: str = field(repr=False)
    choices: tuple[str, ...] = field(repr=False)
    answer: int
    subject: str = ""


@dataclass(frozen=True)
class ChoiceSet(Sequence[ChoiceQuestion]):
    """Questions in order, under the name that loads them again ("wmdp:bio")."""

    name: str
    questions: tuple[ChoiceQuestion, ...]

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[ChoiceQuestion]:
        return iter(self.questions)

    def __getitem__(self, index):  # type: ignore[no-untyped-def, override]
        """One question for an integer, a smaller set of the same name for a slice."""
        if isinstance(index, slice):
            return ChoiceSet(self.name, self.questions[index])
        return self.questions[index]

    def spread(self, limit: int | None) -> ChoiceSet:
        """At most ``limit`` questions, evenly spaced over the set; all of them for None."""
        spread = evenly_spread(self.questions, limit)
        return self if spread is self.questions else ChoiceSet(self.name, spread)


def to_choice(row: Mapping[str, Any], where: str, default_id: str, subject: str = "") -> ChoiceQuestion:
    """One row as a question with choices.

    Args:
        row: "question", "choices" (a list, or its text as JSON or Python writes it), "answer" (an index from
            0), and optionally "id" and "subject".
        where: What the error message calls this row. No message quotes what the row asks.
        default_id: Id for a row that carries none.
        subject: Subject of a row that carries none.

    Raises:
        DatasetError: If the question is missing or empty, there are fewer than two choices, one is no text,
            or the answer is no index of a choice.
    """
    where = where[:1].upper() + where[1:]
    question = to_text(row.get("question"), "question", where)
    if not question.strip():
        raise DatasetError(f'{where} has no "question"; it must be non-empty text.')
    choices = _list(row.get("choices"), where)
    if len(choices) < 2:
        raise DatasetError(f"{where} has {len(choices)} choices; a question needs at least two.")
    if len(choices) > len(LETTERS):
        raise DatasetError(f"{where} has {len(choices)} choices; at most {len(LETTERS)} are supported.")
    if not all(isinstance(choice, str) for choice in choices):
        raise DatasetError(f'{where} has "choices" that are not all text.')
    choices = [to_text(choice, "choices", where) for choice in choices]
    answer = row.get("answer")
    if isinstance(answer, str) and answer.strip().isdecimal() and len(answer) < 20:
        answer = int(answer)
    if type(answer) is not int:
        raise DatasetError(
            f'{where} needs an "answer" that is the index of the right choice, a whole number.'
        )
    if not 0 <= answer < len(choices):
        raise DatasetError(
            f"{where} has the answer {str(answer)[:20]}, outside its {len(choices)} choices; "
            f"use 0 to {len(choices) - 1}."
        )
    about = str(row.get("subject") or subject).replace("_", " ")
    return ChoiceQuestion(to_id(row.get("id"), where) or default_id, question, tuple(choices), answer, about)


def load_wmdp(part: str) -> ChoiceSet:
    """WMDP's questions (arXiv 2403.03218): bio (1273), chem (408) or cyber (1987).

    Raises:
        DatasetError: If there is no such part, or neither a local file nor the hub has it.
    """
    if part not in WMDP_SUBJECTS:
        raise DatasetError(f'There is no split "{part}" of WMDP; use one of {", ".join(WMDP_SUBJECTS)}.')
    rows = public_rows(f"wmdp/{part}_questions.json", "cais/wmdp", f"wmdp-{part}", "test")
    return ChoiceSet(f"wmdp:{part}", _questions(rows, f"wmdp-{part}", WMDP_SUBJECTS[part]))


def load_mmlu(subject: str) -> ChoiceSet:
    """One subject of MMLU (arXiv 2009.03300), "computer_security" for example, or "all".

    The local files are MMLU-Redux (arXiv 2406.04127), of which the rows that its annotators found in order
    are kept; "all" is every subject that has a file. From the hub come the whole subjects of MMLU.

    Raises:
        DatasetError: If neither a local file nor the hub has the subject.
    """
    folder = data_folder() / "mmlu_redux"
    files = sorted(folder.glob("mmlu_*.csv"))
    if subject == "all" and files:
        parts = [load_mmlu(file.stem.removeprefix("mmlu_")) for file in files]
        return ChoiceSet("mmlu:all", tuple(question for part in parts for question in part))
    if not subject.replace("_", "").isalnum():
        raise DatasetError(
            f'"{subject}" is not an MMLU subject; use a name such as computer_security, or all.'
        )
    rows = public_rows(f"mmlu_redux/mmlu_{subject}.csv", "cais/mmlu", subject, "test")
    usable = [(where, row) for where, row in rows if str(row.get("error_type") or "ok").casefold() == "ok"]
    if not usable:
        raise DatasetError(f'The subject "{subject}" of MMLU has no valid rows.')
    return ChoiceSet(f"mmlu:{subject}", _questions(usable, f"mmlu-{subject}", subject))


def load_choice_file(path: str | Path) -> ChoiceSet:
    """Questions of an own .jsonl, .json or .csv file with question, choices and answer.

    Raises:
        DatasetError: If the file is missing, unreadable, or a row does not fit.
    """
    return ChoiceSet(f"file:{path}", parse_choices(read_file(str(path)), Path(path).name))


def parse_choices(content: bytes, name: str) -> tuple[ChoiceQuestion, ...]:
    """Questions from the bytes of a file or an upload.

    Raises:
        DatasetError: One sentence that says what is wrong and where.
    """
    return _questions(parse_rows(content, name), Path(name).stem)


def _questions(rows: Rows, stem: str, subject: str = "") -> tuple[ChoiceQuestion, ...]:
    questions = [
        to_choice(row, where, f"{stem}-{number:04d}", subject) for number, (where, row) in enumerate(rows)
    ]
    refuse_repeated_ids([(where, q.id) for (where, _), q in zip(rows, questions, strict=True)])
    return tuple(questions)


def _list(value: Any, where: str) -> list[Any]:
    """A list, or what a text holds that writes one as JSON or Python does."""
    if isinstance(value, str):
        for read in (json.loads, ast.literal_eval):
            try:
                value = read(value)
                break
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                continue
    if not isinstance(value, list | tuple):
        raise DatasetError(f'{where} has no "choices"; they must be a list of texts.')
    return list(value)


def other_order(question: ChoiceQuestion, rng: random.Random) -> ChoiceQuestion:
    """The question with its choices in an order drawn at random, which is not its own."""
    places = list(range(len(question.choices)))
    order = places
    while order == places:
        order = rng.sample(places, len(places))
    choices = tuple(question.choices[i] for i in order)
    return replace(question, choices=choices, answer=order.index(question.answer))
