"""The one schema every source comes out as, and its conversion to samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from tokenunlearn.datasets.samples import Sample, Span
from tokenunlearn.errors import DatasetError

if TYPE_CHECKING:
    from datasets import Features

REQUIRED = ("question", "answer")
TEXTS = ("id", "question", "paraphrased_question", "answer", "paraphrased_answer")


@cache
def features() -> Features:
    """The schema as ``datasets`` features: texts, any number of perturbed answers, spans as [start, end)."""
    from datasets import Features, List, Value

    text, spans = Value("string"), List(List(Value("int32")))
    return Features(
        {name: text for name in TEXTS}
        | {"perturbed_answer": List(text), "span": spans, "paraphrased_span": spans}
    )


def to_sample(row: Mapping[str, Any], where: str, default_id: str) -> Sample:
    """One row as a sample.

    Args:
        row: Fields by name; "question" and "answer" are required, the others may be missing or None.
        where: What the error message calls this row, "line 3 of my.jsonl" for example.
        default_id: Id for rows that carry none.

    Raises:
        DatasetError: If a required field is missing or empty, a field is no text, or a span leaves the
            answer.
    """
    for name in REQUIRED:
        if row.get(name) is None:
            raise DatasetError(
                f'{_upper(where)} has no "{name}"; every sample needs a question and an answer.'
            )
    number = row.get("id")
    if isinstance(number, int) and not isinstance(number, bool):
        row = {**row, "id": str(number)}
    texts = {name: to_text(row.get(name), name, where) for name in TEXTS}
    if not texts["answer"].strip():
        raise DatasetError(
            f"{_upper(where)} has an empty answer; there would be nothing to forget or to keep."
        )
    perturbed = row.get("perturbed_answer") or ()
    if isinstance(perturbed, str):
        perturbed = (perturbed,)
    if not isinstance(perturbed, list | tuple):
        raise DatasetError(f'{_upper(where)} has a "perturbed_answer" that is no list of texts.')
    return Sample(
        id=texts["id"] or default_id,
        question=texts["question"],
        answer=texts["answer"],
        span=to_spans(row.get("span"), texts["answer"], "span", where),
        paraphrased_question=texts["paraphrased_question"],
        paraphrased_answer=texts["paraphrased_answer"],
        perturbed_answer=tuple(to_text(p, "perturbed_answer", where) for p in perturbed),
        paraphrased_span=to_spans(
            row.get("paraphrased_span"), texts["paraphrased_answer"], "paraphrased_span", where
        ),
    )


def to_row(sample: Sample) -> dict[str, Any]:
    """A sample as a row of the schema, the inverse of :func:`to_sample`."""
    return {
        **{name: getattr(sample, name) for name in TEXTS},
        "perturbed_answer": list(sample.perturbed_answer),
        "span": [list(span) for span in sample.span],
        "paraphrased_span": [list(span) for span in sample.paraphrased_span],
    }


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def to_text(value: Any, name: str, where: str) -> str:
    """A field as a text, "" for None; a ``DatasetError`` when it is no text or holds half of a character."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DatasetError(f'{_upper(where)} has a "{name}" that is no text but {type(value).__name__}.')
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise DatasetError(f'{_upper(where)} has a "{name}" with half of a character (a lone surrogate).')
    return value


def to_spans(value: Any, text: str, name: str, where: str) -> tuple[Span, ...]:
    """A field as [start, end) character ranges of a text; a ``DatasetError`` when it is none or leaves it."""
    try:
        spans = tuple((start, end) for start, end in _items(value))
    except (TypeError, ValueError):
        spans = (("", ""),)
    if not all(type(bound) is int for span in spans for bound in span):
        raise DatasetError(
            f'{_upper(where)} has a "{name}" that is no list of [start, end] character ranges.'
        )
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise DatasetError(
                f'{_upper(where)} has a "{name}" [{start}, {end}] outside its text of {len(text)} characters.'
            )
    return spans


def _items(value: Any) -> Iterable[Any]:
    return () if value is None else value
