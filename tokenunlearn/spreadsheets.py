"""Tables as CSV that a spreadsheet opens without running any of their text as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")


def to_csv(rows: Iterable[Mapping[str, Any]], names: Sequence[str], *, quoted: bool = False) -> str:
    """Rows as CSV, every text in them guarded.

    Args:
        rows: Cells by the name of their column.
        names: The columns, in order.
        quoted: Quote every cell, not only those that need it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(map(guarded, names))
    writer.writerows([guarded(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def guarded(cell: Any) -> Any:
    """A cell, a text that a spreadsheet would run with an apostrophe before it.

    >>> guarded("=1+1"), guarded("'=1+1"), guarded(-1.5)
    ("'=1+1", "''=1+1", -1.5)
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The text before :func:`guarded`; only for cells that went through it."""
    return cell[1:] if _GUARDED.match(cell) else cell
