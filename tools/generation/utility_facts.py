"""Rows of the two utility sets: everyday facts, and facts about public-domain writers.

Running ``python -m tools.generation.utility_facts`` writes ``assets/data/world_facts.jsonl``
and ``assets/data/real_authors.jsonl`` from the hand-written entries; nothing is drawn at random.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tools.generation.authors import AUTHORS_FILE, to_jsonl
from tools.generation.real_authors import REAL_AUTHOR_FACTS
from tools.generation.world_facts import WORLD_FACTS, Fact

WORLD_FACTS_FILE = AUTHORS_FILE.with_name("world_facts.jsonl")
REAL_AUTHORS_FILE = AUTHORS_FILE.with_name("real_authors.jsonl")


def fact_span(template: str, fact: str) -> list[list[int]]:
    """The one [start, end) character range of the fact in the filled template."""
    start = template.index("{}")
    return [[start, start + len(fact)]]


def fact_rows(name: str, facts: Sequence[Fact]) -> list[dict]:
    """One row a fact, in order; ``name`` begins the row ids."""
    return [
        {
            "id": f"{name}-{number:03d}",
            "question": entry.question,
            "paraphrased_question": entry.paraphrased_question,
            "answer": entry.answer.format(entry.fact),
            "paraphrased_answer": entry.paraphrased_answer.format(entry.fact),
            "perturbed_answer": [entry.paraphrased_answer.format(wrong) for wrong in entry.wrong],
            "span": fact_span(entry.answer, entry.fact),
            "paraphrased_span": fact_span(entry.paraphrased_answer, entry.fact),
        }
        for number, entry in enumerate(facts)
    ]


def world_fact_rows() -> list[dict]:
    """The rows of everyday facts."""
    return fact_rows("world_facts", WORLD_FACTS)


def real_author_rows() -> list[dict]:
    """The rows of facts about public-domain writers."""
    return fact_rows("real_authors", [entry.fact for entry in REAL_AUTHOR_FACTS])


def main() -> None:
    """Write both sets to their places among the assets."""
    for path, rows in ((WORLD_FACTS_FILE, world_fact_rows()), (REAL_AUTHORS_FILE, real_author_rows())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_jsonl(rows), encoding="utf-8", newline="\n")
        sys.stdout.write(f"{len(rows)} rows -> {path}\n")


if __name__ == "__main__":
    main()
