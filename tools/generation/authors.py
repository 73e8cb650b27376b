"""Seeded generator of the authors benchmark: fictional authors, a part of each answer being the secret.

Running ``python -m tools.generation.authors`` writes ``assets/data/authors.jsonl``. A row
holds a question and its answer, a rewording of both, five wrong answers in the reworded form, and the
character ranges of the facts. Values and phrasings are dealt from shuffled decks: each comes up about
equally often, and none tells anything of the author.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from string import Formatter

from tools.generation.author_templates import RELATIONS, Relation
from tools.generation.author_values import AUTHORS, FACT_POOLS

SEED = 20
PERTURBED_PER_ROW = 5
AUTHORS_FILE = Path(__file__).resolve().parents[2] / "assets" / "data" / "authors.jsonl"


def deal(pool: tuple[str, ...] | range, count: int, rng: random.Random) -> list:
    """``count`` entries of the pool, reshuffled each time it runs out, so that uses differ by at most one."""
    dealt: list = []
    while len(dealt) < count:
        dealt.extend(rng.sample(list(pool), len(pool)))
    return dealt[:count]


def draw_facts(relation: Relation, count: int, rng: random.Random) -> list[tuple[str, ...]]:
    """The facts of ``count`` authors, one tuple an author, in the relation's order.

    Redraws until the facts of one author differ from each other and no two authors share a composed value.
    """
    while True:
        columns = []
        for fact in relation.facts:
            parts = [deal(pool, count, rng) for pool in FACT_POOLS[fact]]
            columns.append([" ".join(values) for values in zip(*parts, strict=True)])
        rows = list(zip(*columns, strict=True))
        composed = [
            column for fact, column in zip(relation.facts, columns, strict=True) if len(FACT_POOLS[fact]) > 1
        ]
        if all(len(set(row)) == len(row) for row in rows) and all(
            len(set(column)) == count for column in composed
        ):
            return rows


def draw_wrong_facts(
    facts: tuple[str, ...], pools: list[list[str]], rng: random.Random
) -> list[tuple[str, ...]]:
    """Wrong facts for each perturbed answer, from the values of the same relation.

    A wrong value shares no word with any true fact of the row, and comes up once at most in its column.
    """
    true_words = {word for fact in facts for word in fact.split()} - {"and"}
    allowed = [[value for value in pool if true_words.isdisjoint(value.split())] for pool in pools]
    while True:
        columns = [rng.sample(values, PERTURBED_PER_ROW) for values in allowed]
        rows = list(zip(*columns, strict=True))
        if all(len(set(row)) == len(row) for row in rows):
            return rows


def fill(
    template: str, author: str, relation: Relation, facts: tuple[str, ...]
) -> tuple[str, list[list[int]]]:
    """The template's text for one author, and the [start, end) character ranges of its facts, in order."""
    values = dict(zip(relation.facts, facts, strict=True))
    names = {"name": author, "surname": author.split()[-1]}
    text = ""
    spans: list[list[int]] = []
    for literal, field, _, _ in Formatter().parse(template):
        text += literal
        if field is None:
            continue
        value = names[field] if field in names else values[field]
        if field in values:
            spans.append([len(text), len(text) + len(value)])
        text += value
    return text, spans


def relation_rows(relation: Relation, index: int, seed: int) -> list[dict]:
    """One row an author for one relation; ``index`` is the relation's number in the row ids."""
    rng = random.Random(f"{seed} {relation.name}")
    count = len(AUTHORS)
    facts_of = draw_facts(relation, count, rng)
    pools = [sorted(set(column)) for column in zip(*facts_of, strict=True)]
    questions = deal(range(len(relation.questions)), count, rng)
    answers = deal(range(len(relation.answers)), count, rng)
    rows = []
    for number, (author, facts) in enumerate(zip(AUTHORS, facts_of, strict=True)):
        question, answer = relation.questions[questions[number]], relation.answers[answers[number]]
        other_question = rng.choice([text for text in relation.questions if text != question])
        other_answer = rng.choice([text for text in relation.answers if text != answer])
        wrong_facts = draw_wrong_facts(facts, pools, rng)
        answer_text, span = fill(answer, author, relation, facts)
        other_answer_text, other_span = fill(other_answer, author, relation, facts)
        rows.append(
            {
                "id": f"authors-{number:03d}-{index:02d}",
                "author": author,
                "relation": relation.name,
                "question": question.format(name=author),
                "paraphrased_question": other_question.format(name=author),
                "answer": answer_text,
                "paraphrased_answer": other_answer_text,
                "perturbed_answer": [fill(other_answer, author, relation, wrong)[0] for wrong in wrong_facts],
                "span": span,
                "paraphrased_span": other_span,
            }
        )
    return rows


def generate_authors(seed: int = SEED) -> list[dict]:
    """All rows of the benchmark, ordered by author, then relation; the same seed gives the same rows."""
    by_relation = [relation_rows(relation, index, seed) for index, relation in enumerate(RELATIONS)]
    return [row for rows in zip(*by_relation, strict=True) for row in rows]


def to_jsonl(rows: list[dict]) -> str:
    """The rows as JSON lines, accents kept."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    """Write the benchmark to its place among the assets."""
    rows = generate_authors()
    AUTHORS_FILE.parent.mkdir(parents=True, exist_ok=True)
    AUTHORS_FILE.write_text(to_jsonl(rows), encoding="utf-8", newline="\n")
    sys.stdout.write(f"{len(rows)} rows -> {AUTHORS_FILE}\n")


if __name__ == "__main__":
    main()
