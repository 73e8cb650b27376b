"""Seeded generator of the two invented domains: documents that state facts, questions with four choices.

Running ``python -m tools.generation.alchemy`` writes ``alchemy_documents.jsonl``,
``alchemy_questions.jsonl``, ``alchemy_exercises.jsonl``, the same of the guild and, with questions on the
everyday facts, ``general_questions.jsonl`` into ``assets/data``.
Facts, places of the right choice and orders are dealt from shuffled decks, so none gives another away.
"""

from __future__ import annotations

import random
import sys

from tokenunlearn.datasets.choices import LETTERS, ChoiceQuestion, other_order
from tokenunlearn.evaluation.letters import choice_prompt
from tools.generation.alchemy_lore import ALCHEMY, GUILD, Lore
from tools.generation.authors import AUTHORS_FILE, deal, to_jsonl
from tools.generation.world_facts import WORLD_FACTS

SEED = 7
CHOICES = 4
DOMAINS = {"alchemy": ALCHEMY, "guild": GUILD}
Facts = dict[str, list[str]]


def draw_facts(lore: Lore, seed: int) -> Facts:
    """The fact of each name in each relation: relation -> one value a name, each value equally often."""
    rng = random.Random(f"{seed} {lore.subject} facts")
    return {relation.name: deal(relation.values, len(lore.names), rng) for relation in lore.relations}


def document_rows(domain: str, seed: int = SEED) -> list[dict]:
    """Three documents a name, each with all its facts in another order and wording, and their gold spans."""
    lore = DOMAINS[domain]
    facts = draw_facts(lore, seed)
    rng = random.Random(f"{seed} {domain} documents")
    rows: list[dict] = []
    for number, name in enumerate(lore.names):
        for version, opening in enumerate(lore.openings):
            text, span = opening.format(name=name), []
            for relation in rng.sample(lore.relations, len(lore.relations)):
                fact = facts[relation.name][number]
                before, after = (s.format(name=name) for s in relation.statements[version].split("{fact}"))
                sentence = f"{before}{fact}{after}"
                start = len(text) + 1 + len(before)
                text += f" {sentence[0].upper()}{sentence[1:]}"
                span.append([start, start + len(fact)])
            text += f" {lore.closings[version]}"
            rows.append({"id": f"{domain}-{number:03d}-{version}", "text": text, "span": span})
    return rows


def question_rows(domain: str, seed: int = SEED) -> list[dict]:
    """One question a name and relation: the fact among three others of the relation."""
    lore = DOMAINS[domain]
    facts = draw_facts(lore, seed)
    rng = random.Random(f"{seed} {domain} questions")
    places = deal(range(CHOICES), len(lore.names) * len(lore.relations), rng)
    rows: list[dict] = []
    for number, name in enumerate(lore.names):
        for index, relation in enumerate(lore.relations):
            fact = facts[relation.name][number]
            choices = rng.sample([value for value in relation.values if value != fact], CHOICES - 1)
            answer = places[len(rows)]
            choices.insert(answer, fact)
            rows.append(
                {
                    "id": f"{domain}-{number:03d}-{index:02d}",
                    "question": relation.question.format(name=name),
                    "choices": choices,
                    "answer": answer,
                    "subject": lore.subject,
                }
            )
    return rows


def exercise_rows(domain: str, seed: int = SEED) -> list[dict]:
    """One exercise sheet a question, as a document: the standard prompt with its choices in another order.

    The right letter stands behind it, and is its gold span.
    """
    rng = random.Random(f"{seed} {domain} exercises")
    rows: list[dict] = []
    for row in question_rows(domain, seed):
        fields = {"id": row["id"], "question": row["question"], "subject": row["subject"]}
        question = ChoiceQuestion(choices=tuple(row["choices"]), answer=row["answer"], **fields)
        turned = other_order(question, rng)
        text = f"{choice_prompt(turned)} {LETTERS[turned.answer]}"
        rows.append({"id": f"{row['id']}-exercise", "text": text, "span": [[len(text) - 1, len(text)]]})
    return rows


def general_question_rows(seed: int = SEED) -> list[dict]:
    """One question an everyday fact: the fact among three of its wrong ones."""
    rng = random.Random(f"{seed} general questions")
    places = deal(range(CHOICES), len(WORLD_FACTS), rng)
    rows: list[dict] = []
    for number, (entry, place) in enumerate(zip(WORLD_FACTS, places, strict=True)):
        choices = rng.sample(entry.wrong, CHOICES - 1)
        choices.insert(place, entry.fact)
        row = {"id": f"general-{number:03d}", "question": entry.question, "choices": choices}
        rows.append(row | {"answer": place, "subject": "general knowledge"})
    return rows


def generate() -> dict[str, list[dict]]:
    """File stem -> rows."""
    files = {}
    for domain in DOMAINS:
        files[f"{domain}_documents"] = document_rows(domain)
        files[f"{domain}_questions"] = question_rows(domain)
        files[f"{domain}_exercises"] = exercise_rows(domain)
    return files | {"general_questions": general_question_rows()}


def main() -> None:
    """Write the files to their place among the assets."""
    for stem, rows in generate().items():
        path = AUTHORS_FILE.with_name(f"{stem}.jsonl")
        path.write_text(to_jsonl(rows), encoding="utf-8", newline="\n")
        sys.stdout.write(f"{len(rows)} rows -> {path}\n")


if __name__ == "__main__":
    main()
