"""Writes the table of ``docs/models.md`` from a run of its checks: ``python -m tools.architectures``."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

from benchmarks.markdown import markdown
from tests.conftest import build_tokenizer
from tests.models.architectures import ARCHITECTURES, CHECKS, build
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.loaded_model import LoadedModel

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"
BEGIN, END = "<!-- architectures: written by tools.architectures -->\n", "<!-- end of architectures -->"


def cell(lm: LoadedModel, check: str) -> str:
    """What a check says of a model: "yes", with its note, or why not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            note = CHECKS[check](lm, Path(folder))
        except TokenUnlearnError as error:
            return f"**no**: {error}"
        except AssertionError:
            return "**no**: results differ"
    return f"yes, {note}" if note else "yes"


def table() -> str:
    """Architectures as rows, checks as columns."""
    tokenizer = build_tokenizer()
    rows = []
    for architecture in sorted(ARCHITECTURES):
        lm = build(architecture, tokenizer)
        rows.append([f"`{architecture}`", *(cell(lm, check) for check in CHECKS)])
    return markdown(["model type", *CHECKS], rows)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
