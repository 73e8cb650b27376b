"""Samples as rows of an editable table: pure functions between samples, rows and the table.

A row is what a person is editing, whole or not yet: the fields of the schema, and ``marked_in``, the answer
that its gold spans were marked in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from tokenunlearn.datasets.facts import locate, occurrences
from tokenunlearn.datasets.samples import Sample, overlaps
from tokenunlearn.datasets.schema import LISTS, REQUIRED, to_row, to_sample
from tokenunlearn.errors import DatasetError

TEXT_COLUMNS = ("id", "question", "answer", "paraphrased_question", "paraphrased_answer")
Row = dict[str, Any]


def empty_row() -> Row:
    """A row without content."""
    lists: Row = {name: [] for name in LISTS}
    return {**dict.fromkeys(TEXT_COLUMNS, ""), **lists, "marked_in": ""}


def to_rows(samples: Iterable[Sample]) -> list[Row]:
    """Samples as rows.

    Raises:
        DatasetError: If there is a document among them, which has no question to edit.
    """
    samples = list(samples)
    if any(sample.document for sample in samples):
        raise DatasetError("Documents cannot be edited here; score and unlearn them as they are.")
    rows = (to_row(sample) | {"marked_in": sample.answer} for sample in samples)
    return [{name: row[name] for name in empty_row()} for row in rows]


def has_text(row: Row) -> bool:
    """Whether anything is entered in a row."""
    return any(row[column].strip() for column in TEXT_COLUMNS)


def to_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as the table that is edited; "facts" are the texts of the gold spans, for reading only."""
    columns = [*TEXT_COLUMNS, "facts", *LISTS, "marked_in"]
    shown = [row | {"facts": facts(row)} for row in rows]
    return pd.DataFrame({name: pd.Series([row[name] for row in shown], dtype=object) for name in columns})


def edited(table: pd.DataFrame, edits: Mapping[str, Any]) -> pd.DataFrame:
    """A table with what was edited in it.

    Args:
        table: As :func:`to_table` makes it.
        edits: As a data editor states them: cells by row number and column, rows added, rows deleted.
    """
    changed = table.copy()
    for number, cells in edits.get("edited_rows", {}).items():
        for name, value in cells.items():
            changed.at[int(number), name] = value
    added = pd.DataFrame(edits.get("added_rows", []), columns=table.columns, dtype=object)
    return pd.concat([changed.drop(index=edits.get("deleted_rows", [])), added], ignore_index=True)


def from_table(table: pd.DataFrame) -> tuple[list[Row], list[str]]:
    """Rows out of the edited table, their gold spans moved along with edits of the answer.

    Returns:
        The rows, and a sentence for each fact that is no longer in its answer.
    """
    rows, notes = [], []
    for number, values in enumerate(table.to_dict("records"), start=1):
        row = empty_row()
        for name, empty in row.items():
            value = values.get(name)
            if value is not None and not (isinstance(value, float) and pd.isna(value)) and value is not pd.NA:
                row[name] = [_plain(item) for item in value] if isinstance(empty, list) else str(value)
        if row["answer"] != row["marked_in"]:
            row["span"], lost = moved_spans(row["marked_in"], row["span"], row["answer"])
            row["marked_in"] = row["answer"]
            notes += [
                f'The answer of row {number} no longer contains the fact "{fact}"; mark it again.'
                for fact in lost
            ]
        rows.append(row)
    return rows, notes


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | dict) else [int(bound) for bound in value]


def facts(row: Mapping[str, Any]) -> list[str]:
    """The texts of a row's gold spans."""
    return [row["marked_in"][start:end] for start, end in row["span"]]


def moved_spans(old: str, spans: Sequence[Sequence[int]], new: str) -> tuple[list[list[int]], list[str]]:
    """Gold spans of an answer after an edit: each at the nearest place of its text.

    Returns:
        The spans in the new answer, and the texts that are no longer in it.
    """
    moved, lost = [], []
    for start, end in spans:
        text = old[start:end]
        places = [p for p in occurrences(new, text) if [p, p + len(text)] not in moved]
        if places:
            place = min(places, key=lambda p: abs(p - start))
            moved.append([place, place + len(text)])
        else:
            lost.append(text)
    return moved, lost


def mark_fact(row: Row, fact: str) -> Row:
    """The row with the first unmarked place of a fact's text in its answer marked, whatever the case.

    Raises:
        DatasetError: If the text is empty, not in the answer, or marked already.
    """
    fact = fact.strip()
    if not fact:
        raise DatasetError("There is no text to mark; enter part of the answer.")
    places = locate(fact, row["answer"])
    if not places:
        raise DatasetError(f'The answer does not contain "{fact}"; enter text exactly as in the answer.')
    free = [place for place in places if not overlaps(place, row["span"])]
    if not free:
        raise DatasetError(f'"{fact}" is already marked.')
    return set_spans(row, [*row["span"], free[0]])


def set_spans(row: Row, spans: Iterable[Sequence[int]]) -> Row:
    """The row with these gold spans, in order, those that touch joined.

    Raises:
        DatasetError: If a span is no pair of whole numbers inside the answer.
    """
    given = [list(span) for span in spans]
    for span in given:
        inside = (
            len(span) == 2
            and all(type(b) is int for b in span)
            and 0 <= span[0] < span[1] <= len(row["answer"])
        )
        if not inside:
            raise DatasetError(
                f"The gold span {span} is outside the answer of {len(row['answer'])} characters."
            )
    joined: list[list[int]] = []
    for start, end in sorted(given):
        if joined and start < joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return row | {"span": joined, "marked_in": row["answer"]}


def check(rows: Sequence[Row], name: str) -> tuple[list[Sample], list[str]]:
    """Rows as samples, with one sentence for each row that is none.

    Args:
        rows: The rows; one without any text is passed over.
        name: Beginning of the ids of rows that have none.
    """
    samples: list[Sample] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        if not has_text(row):
            continue
        where = f"Row {number}"
        missing = [field for field in REQUIRED if not row[field].strip()]
        if missing:
            faults.append(
                f"{where} has no {' and no '.join(missing)}; every sample needs a question and an answer."
            )
            continue
        try:
            sample = to_sample(row, where, f"{name}-{number:04d}")
        except DatasetError as error:
            faults.append(str(error))
            continue
        if sample.id in seen:
            faults.append(
                f'{where} has the same id "{sample.id}" as row {seen[sample.id]}; ids must be unique.'
            )
            continue
        seen[sample.id] = number
        samples.append(sample)
    if not samples and not faults:
        faults.append("The table has no samples yet; enter a question and an answer.")
    return samples, faults
