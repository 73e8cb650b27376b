"""The one schema every source comes out as, and its conversion to samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenunlearn.datasets.cells import to_id, to_list, to_text
from tokenunlearn.datasets.facts import locate
from tokenunlearn.datasets.samples import Sample, Span
from tokenunlearn.datasets.turns import to_turns
from tokenunlearn.errors import DatasetError

REQUIRED = ("question", "answer")
TEXTS = ("id", "question", "paraphrased_question", "answer", "paraphrased_answer")
LISTS = ("perturbed_answer", "span", "paraphrased_span", "history")
# Columns of the CSV files that are written here; the last one only where there are documents.
WRITTEN = (*TEXTS, *LISTS, "chunk_tokens")


def to_sample(row: Mapping[str, Any], where: str, default_id: str) -> Sample:
    """One row as a sample.

    Args:
        row: Fields by name; "question" and "answer" are required, the others may be missing or None. "facts"
            are gold spans as well, by their texts. An answer without a question is a document where
            "chunk_tokens" says how long its chunks are.
        where: What the error message calls this row, "line 3 of my.jsonl" for example.
        default_id: Id for rows that carry none.

    Raises:
        DatasetError: If a required field is missing or empty, a field is no text, or a span leaves the
            answer.
    """
    where = where[:1].upper() + where[1:]
    for name in REQUIRED:
        if row.get(name) is None:
            raise DatasetError(f'{where} has no "{name}"; every sample needs a question and an answer.')
    row = {**row, "id": to_id(row.get("id"), where)}
    texts = {name: to_text(row.get(name), name, where) for name in TEXTS}
    if not texts["answer"].strip():
        raise DatasetError(f"{where} has an empty answer, so there is nothing to forget or retain.")
    wrong = to_list(row.get("perturbed_answer"), "perturbed_answer", where)
    perturbed = tuple(to_text(answer, "perturbed_answer", where) for answer in wrong)
    if not all(map(str.strip, perturbed)):
        raise DatasetError(f'{where} has an empty answer in "perturbed_answer"; leave it out.')
    return Sample(
        id=texts["id"] or default_id,
        question=texts["question"],
        answer=texts["answer"],
        span=gold_spans(row, texts["answer"], where),
        paraphrased_question=texts["paraphrased_question"],
        paraphrased_answer=texts["paraphrased_answer"],
        perturbed_answer=perturbed,
        paraphrased_span=to_spans(
            row.get("paraphrased_span"), texts["paraphrased_answer"], "paraphrased_span", where
        ),
        chunk_tokens=None if texts["question"] else _to_count(row.get("chunk_tokens"), where),
        history=tuple(to_turns(row.get("history"), "history", where)),
    )


def to_row(sample: Sample) -> dict[str, Any]:
    """A sample as a row of the schema, the inverse of :func:`to_sample`."""
    return {
        **{name: getattr(sample, name) for name in TEXTS},
        "perturbed_answer": list(sample.perturbed_answer),
        "span": [list(span) for span in sample.span],
        "paraphrased_span": [list(span) for span in sample.paraphrased_span],
        "history": [{"role": turn.role, "content": turn.content} for turn in sample.history],
        "chunk_tokens": sample.chunk_tokens,
    }


def _to_count(value: Any, where: str) -> int | None:
    """The field "chunk_tokens" as a whole number above 0, or its text; None for nothing."""
    if value is None or value == "":
        return None
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value
    if type(number) is not int or number < 1:
        raise DatasetError(f'{where} has a "chunk_tokens" that is not a whole number of at least 1.')
    return number


def gold_spans(row: Mapping[str, Any], text: str, where: str) -> tuple[Span, ...]:
    """The gold spans of a row in a text: its "span" and its "facts"."""
    spans = (span for name in ("span", "facts") for span in to_spans(row.get(name), text, name, where))
    return tuple(dict.fromkeys(spans))


def to_spans(value: Any, text: str, name: str, where: str) -> tuple[Span, ...]:
    """A field as [start, end) character ranges of a text.

    Args:
        value: Ranges, or strings of the text, located by :func:`~tokenunlearn.datasets.facts.locate`.
        text: The text.
        name: What the field is called.
        where: What the error message calls the row.

    Raises:
        DatasetError: If it is neither, a range leaves the text, or a string does not occur in it.
    """
    return tuple(_to_span(item, text, name, where) for item in to_list(value, name, where))


def _to_span(item: Any, text: str, name: str, where: str) -> Span:
    if isinstance(item, str):
        places = locate(item, text)
        if not places:
            raise DatasetError(f'{where} has a "{name}" "{item[:60]}" that does not occur in its text.')
        return places[0]
    if not (isinstance(item, list | tuple) and len(item) == 2 and all(type(bound) is int for bound in item)):
        raise DatasetError(
            f'{where} has a "{name}" that is not a list of [start, end] character ranges or strings.'
        )
    start, end = item
    if not 0 <= start < end <= len(text):
        raise DatasetError(
            f'{where} has a "{name}" [{start}, {end}] outside its text of {len(text)} characters.'
        )
    return start, end
