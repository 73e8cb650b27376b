"""Seeded generator of the worlds in other languages: fictional people, in German and in Japanese.

Running ``python -m tools.generation.languages.write`` writes ``assets/data/german.jsonl`` and
``japanese.jsonl``. Rows have the form of the prose world's; every text is written in its language, none is
translated.
"""

from __future__ import annotations

import sys

from tools.generation.authors import AUTHORS_FILE, to_jsonl
from tools.generation.languages.german import DOMAIN as GERMAN
from tools.generation.languages.japanese import DOMAIN as JAPANESE
from tools.generation.prose.frame import Domain
from tools.generation.prose.write import domain_rows

SEED = 22
LANGUAGES: dict[str, Domain] = {"german": GERMAN, "japanese": JAPANESE}


def rows(language: str) -> list[dict]:
    """Every row of one language's world, person by person."""
    return list(domain_rows(language, LANGUAGES[language], SEED, language))


def main() -> None:
    """Write the worlds to their place among the assets."""
    for language in LANGUAGES:
        path = AUTHORS_FILE.with_name(f"{language}.jsonl")
        path.write_text(to_jsonl(lines := rows(language)), encoding="utf-8", newline="\n")
        sys.stdout.write(f"{len(lines)} rows -> {path}\n")


if __name__ == "__main__":
    main()
