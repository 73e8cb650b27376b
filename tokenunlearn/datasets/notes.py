"""What reading a file passed over: columns without a use, and facts that stand in more than one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenunlearn.datasets.cells import to_list
from tokenunlearn.datasets.facts import locate
from tokenunlearn.datasets.layout import Layout, read_samples
from tokenunlearn.datasets.rows import parse_rows, split_ending

NAMED = 8


def file_notes(content: bytes, name: str, layout: Layout | None = None) -> list[str]:
    """One sentence for each thing to know of a file whose samples can be read; [] where there is nothing.

    Args:
        content: The whole file.
        name: Its name; the ending says the format.
        layout: Which column holds what.

    Raises:
        DatasetError: What :func:`~tokenunlearn.datasets.files.parse_samples` refuses.
    """
    rows, layout = parse_rows(content, name), layout or Layout()
    holder = f'the file "{name}"'
    columns = dict.fromkeys(column for _, row in rows for column in row)
    used = layout.find(columns, holder)
    ignored = [column for column in columns if column not in used.values()]
    notes = [f"Ignored columns: {_listed(ignored)}."] if ignored else []
    answers = [sample.answer for sample in read_samples(rows, holder, split_ending(name)[0], layout)]
    if len(answers) != len(rows):  # several samples a row
        return notes
    repeated = [
        (where, fact)
        for (where, row), answer in zip(rows, answers, strict=True)
        for fact in _facts(row, used, where)
        if len(locate(fact, answer)) > 1
    ]
    if repeated:
        where, fact = repeated[0]
        more = f" and {len(repeated) - 1:,} more" if len(repeated) > 1 else ""
        notes.append(
            f'A fact that occurs more than once is marked at its first place: "{fact}" '
            f"({where.partition(' of ')[0].lower()}){more}. Give [start, end] to mark another."
        )
    return notes


def _facts(row: Mapping[str, Any], used: Mapping[str, str], where: str) -> Iterator[str]:
    for name in ("span", "facts"):
        items = to_list(row.get(used.get(name, "")), name, where)
        yield from (item for item in items if isinstance(item, str))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
