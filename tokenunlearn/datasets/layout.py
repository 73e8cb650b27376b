"""How rows become samples: which column holds what, and which turns of a conversation are answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from tokenunlearn.datasets.cells import to_id, to_text
from tokenunlearn.datasets.rows import Rows, is_file, refuse_repeated_ids
from tokenunlearn.datasets.samples import Sample, Turn, document
from tokenunlearn.datasets.schema import gold_spans, to_sample
from tokenunlearn.datasets.turns import answer_places, dialog, is_conversation, to_turns
from tokenunlearn.errors import ColumnsError, DatasetError

# Fields beyond those that make a sample; their columns usually have the same names.
FURTHER = (
    "id",
    "input",
    "system",
    "history",
    "span",
    "facts",
    "paraphrased_question",
    "paraphrased_answer",
    "perturbed_answer",
    "paraphrased_span",
    "chunk_tokens",
)
# Names that the column of a field usually has, in small letters, the most telling first.
USUAL: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "q", "instruction", "prompt", "query", "input"),
    "answer": ("answer", "a", "output", "completion", "response"),
    "messages": ("messages", "conversations", "conversation"),
    "chosen": ("chosen",),
    "text": ("text",),
    **{name: (name,) for name in FURTHER},
    "facts": ("facts", "fact", "secrets", "secret"),
}
# Fields that make a sample -> fields that may go with them. The first whose columns are there is taken.
SHAPES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("question", "answer"): (),
    ("messages",): (),
    ("chosen",): ("question",),
    ("text",): (),
}
# Sources of rows in any layout.
SOURCES = ("file", "hf", "documents")
SHOWN_COLUMNS = 8
_OPTIONS = re.compile(r"\w+=[^&]+(&\w+=[^&]+)*")


@dataclass(frozen=True)
class Layout:
    """How the rows of a file or of a set on the hub become samples.

    Attributes:
        columns: Field -> column, for columns that have none of the usual names.
        all_turns: Whether every assistant turn that answers a user makes a sample, not the last one alone.

    Raises:
        DatasetError: If a field is unknown.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    all_turns: bool = False

    def __post_init__(self) -> None:
        """Refuse fields that there are not."""
        for name in self.columns:
            if name not in USUAL:
                raise DatasetError(f'There is no field "{name}" to map a column to; use {", ".join(USUAL)}.')

    @classmethod
    def written(cls, columns: str, *, all_turns: bool = False, owner: str = "--columns") -> Layout:
        """The layout that a person writes as "question=instruction,answer=output".

        Args:
            columns: Field and column of each pair, separated by commas; "" maps none.
            all_turns: See above.
            owner: Option or field that the text was given to, for errors.
        """
        pairs = [pair.partition("=") for pair in columns.split(",")] if columns.strip() else []
        if not all(name.strip() and column.strip() for name, _, column in pairs):
            raise DatasetError(f'{owner} takes FIELD=COLUMN,FIELD=COLUMN, not "{columns}".')
        return cls({name.strip(): column.strip() for name, _, column in pairs}, all_turns)

    @classmethod
    def of(cls, options: str) -> Layout:
        """The layout written as "question=instruction&answer=output&turns=all".

        In names of columns, "%26" stands for "&", "%25" for "%" and "%3F" for "?".
        """
        pairs = (option.partition("=") for option in options.split("&") if options)
        columns = {name: unquote(column) for name, _, column in pairs}
        turns = columns.pop("turns", "last")
        if turns not in ("all", "last"):
            raise DatasetError(f'turns is "{turns}"; it must be all or last.')
        return cls(columns, turns == "all")

    @property
    def options(self) -> str:
        """The text that :meth:`of` reads; "" for the usual layout."""
        pairs = {**self.columns, **({"turns": "all"} if self.all_turns else {})}
        escaped = {name: re.sub("[%&?]", lambda c: f"%{ord(c[0]):02X}", text) for name, text in pairs.items()}
        return "&".join(f"{name}={text}" for name, text in escaped.items())

    def find(self, columns: Iterable[str], holder: str) -> dict[str, str]:
        """The column of every field of one shape.

        Args:
            columns: Columns of the rows.
            holder: What has them, for the error message.

        Raises:
            DatasetError: If a mapped column is not there, or the names do not tell what holds the samples.
        """
        columns = list(columns)
        shown = ", ".join(columns[:SHOWN_COLUMNS]) + (", ..." if len(columns) > SHOWN_COLUMNS else "")
        by_name = {column.strip().casefold(): column for column in reversed(columns)}
        places = {
            name: next((by_name[usual] for usual in names if usual in by_name), "")
            for name, names in USUAL.items()
        }
        for name, column in self.columns.items():
            places[name] = column if column in columns else by_name.get(column.strip().casefold(), "")
            if not places[name]:
                raise DatasetError(f'There is no column "{column}" in {holder}; its columns are {shown}.')
        mapped = self.columns.keys() - set(FURTHER)
        for shape, optional in SHAPES.items():
            if mapped <= {*shape, *optional} and all(places[name] for name in shape):
                if "input" not in self.columns and places["question"].strip().casefold() != "instruction":
                    places["input"] = ""
                taken = (*shape, *optional, *FURTHER)
                return {name: places[name] for name in taken if places[name]}
        found = f"The columns of {holder} are {shown}"
        raise ColumnsError(
            f'{found}; map them with columns={{"question": ..., "answer": ...}}, '
            'or with "?question=...&answer=..." after the name.',
            found,
        )


def split_options(name: str) -> tuple[str, Layout]:
    """A path or the name of a set on the hub, and the layout written behind its last "?".

    The path of a file that exists is taken as it is, even if it reads like a name with a layout.

    >>> split_options("my.jsonl?question=instruction")
    ('my.jsonl', Layout(columns={'question': 'instruction'}, all_turns=False))
    """
    path, _, options = name.rpartition("?")
    if not path or not _OPTIONS.fullmatch(options) or is_file(name):
        return name, Layout()
    return path, Layout.of(options)


def with_layout(name: str, columns: Mapping[str, str], *, all_turns: bool = False) -> str:
    """The name of samples with a layout written behind it, "file:my.jsonl?question=instruction".

    Raises:
        DatasetError: If the samples come from a source with columns of its own.
    """
    source, _, what = name.partition(":")
    if source not in SOURCES:
        raise DatasetError(f'The samples "{name}" have no columns to map; only file: and hf: have.')
    path, layout = split_options(what)
    layout = Layout({**layout.columns, **columns}, layout.all_turns or all_turns)
    return f"{source}:{path}?{layout.options}" if layout.options else f"{source}:{path}"


def read_samples(rows: Rows, name: str, stem: str, layout: Layout | None = None) -> tuple[Sample, ...]:
    """Samples out of rows.

    Args:
        rows: The rows, each with what an error message calls it.
        name: What holds them, for error messages.
        stem: Beginning of the ids of rows that have none.
        layout: Columns and turns; None for the usual ones.

    Raises:
        DatasetError: If the columns do not tell what holds the samples, a row lacks a field or has an empty
            answer, or an id comes twice.
    """
    layout = layout or Layout()
    columns = layout.find(dict.fromkeys(column for _, row in rows for column in row), name)
    samples = [
        (where, sample)
        for number, (where, row) in enumerate(rows)
        for sample in _samples(row, columns, where, f"{stem}-{number:04d}", layout.all_turns)
    ]
    refuse_repeated_ids((where, sample.id) for where, sample in samples)
    return tuple(sample for _, sample in samples)


def _samples(
    row: Mapping[str, Any], columns: Mapping[str, str], where: str, default_id: str, all_turns: bool
) -> list[Sample]:
    """The samples of one row: a document, its last answer, or all of them."""
    cells = {name: row.get(column) for name, column in columns.items()}
    if "text" in columns:
        text = to_text(cells["text"], columns["text"], where)
        if not text.strip():
            raise DatasetError(f'{where} has no "{columns["text"]}"; every document needs non-empty text.')
        return [document(to_id(cells.get("id"), where) or default_id, text, gold_spans(cells, text, where))]
    if "answer" in columns and not cells["question"] and cells.get("chunk_tokens") not in (None, ""):
        return [to_sample(cells | {"question": ""}, where, default_id)]
    turns = _conversation(cells, columns, where)
    places = answer_places(turns, every=all_turns)
    if not places:
        raise DatasetError(f"{where} has no assistant turn right after a user turn, so it has no answer.")
    samples = []
    for number, place in enumerate(places):
        said = {"question": turns[place - 1].content, "answer": turns[place].content}
        own = cells if place == places[-1] else {"id": cells.get("id")}  # spans are of the last answer
        sample = to_sample({**own, **said, "history": None}, where, default_id)
        sample = replace(sample, history=tuple(turns[: place - 1]))
        samples.append(replace(sample, id=f"{sample.id}-{number:03d}") if all_turns else sample)
    return samples


def _conversation(cells: Mapping[str, Any], columns: Mapping[str, str], where: str) -> list[Turn]:
    """All turns of a row, in whichever shape it holds them."""

    def said(name: str, role: str = "") -> list[Turn]:
        """The turns of a field: a conversation, or one turn of this role."""
        cell, column = cells[name], columns[name]
        if cell is None:
            raise DatasetError(f'{where} has no "{column}"; every sample needs a question and an answer.')
        if role and not is_conversation(cell):
            return [Turn(role, to_text(cell, column, where))]
        return to_turns(cell, column, where)

    if "messages" in columns:
        turns = said("messages")
    elif "chosen" in columns:
        turns = _preferred(said("chosen", "assistant"))
        if all(turn.role != "user" for turn in turns) and "question" in columns:
            turns = [*said("question", "user"), *turns]
    else:
        question = said("question", "user")
        if more := to_text(cells.get("input"), columns.get("input", ""), where).strip():
            question[-1] = Turn("user", f"{question[-1].content}\n{more}")
        turns = [*question, *said("answer", "assistant")]
    turns = [*to_turns(cells.get("history"), columns.get("history", ""), where), *turns]
    system = to_text(cells.get("system"), columns.get("system", ""), where)
    if system.strip() and all(turn.role != "system" for turn in turns):
        turns.insert(0, Turn("system", system))
    return turns


def _preferred(turns: list[Turn]) -> list[Turn]:
    """A preferred answer; where it is one text that holds the whole conversation, the turns of that."""
    return (len(turns) == 1 and dialog(turns[0].content)) or turns
