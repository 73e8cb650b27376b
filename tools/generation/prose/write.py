"""Seeded generator of the prose world: free prose about people, firms, patients and software.

Running ``python -m tools.generation.prose.write`` writes ``assets/data/prose.jsonl``. A row
holds a question and its answer, a rewording of both, five wrong answers in the reworded form, and the
character ranges of the facts. Every subject has one value of each of its domain's slots, and is told of once
a topic, so the same fact comes up in several rows; frames are dealt so that each serves about equally many
subjects.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.generation.authors import PERTURBED_PER_ROW, deal
from tools.generation.prose.code import DOMAIN as CODE
from tools.generation.prose.company import DOMAIN as COMPANY
from tools.generation.prose.frame import Domain, Frame
from tools.generation.prose.medical import DOMAIN as MEDICAL
from tools.generation.prose.people import DOMAIN as PEOPLE

SEED = 21
DOMAINS: dict[str, Domain] = {"people": PEOPLE, "company": COMPANY, "medical": MEDICAL, "code": CODE}
PROSE_FILE = Path(__file__).resolve().parents[3] / "assets" / "data" / "prose.jsonl"
_SLOT = re.compile(r"\{(!?)(\w+)\}")


def slots_of(text: str) -> list[str]:
    """The slots that a text states, in order; the subject's name and wrong values are none.

    >>> slots_of("{name} has a {pet}, not a {!pet}.")
    ['pet']
    """
    return [slot for wrong, slot in _SLOT.findall(text) if slot != "name" and not wrong]


def fill(
    text: str, values: Mapping[str, str], wrong: Mapping[str, str] | None = None
) -> tuple[str, list[list[int]]]:
    """A text with its places filled, and the [start, end) character ranges of its facts, in order."""
    result, spans, end = "", [], 0
    for place in _SLOT.finditer(text):
        result += text[end : place.start()]
        value = (wrong or {})[place[2]] if place[1] else values[place[2]]
        if not place[1] and place[2] != "name":
            spans.append([len(result), len(result) + len(value)])
        result += value
        end = place.end()
    return result + text[end:], spans


def rows() -> Iterator[dict[str, Any]]:
    """Every row of the world, domain by domain and subject by subject; unseen subjects are last in theirs."""
    for name, domain in DOMAINS.items():
        yield from domain_rows(name, domain, SEED, f"prose-{name}")
        unseen = replace(domain, subjects=domain.unseen)
        yield from domain_rows(name, unseen, SEED + 1, f"prose-{name}-unseen")


def domain_rows(name: str, domain: Domain, seed: int, ids: str) -> Iterator[dict[str, Any]]:
    """Every row of one domain, subject by subject.

    Args:
        name: The domain's name.
        domain: Its subjects, values and frames.
        seed: Seed of what is dealt.
        ids: What the ids of its rows begin with.
    """
    rng = random.Random(f"{seed} {name}")
    count = len(domain.subjects)
    facts = {slot: deal(pool, count, rng) for slot, pool in domain.pools.items()}
    frames = {topic: deal(range(len(kinds)), count, rng) for topic, kinds in domain.topics.items()}
    for number, subject in enumerate(domain.subjects):
        values = {"name": subject} | {slot: column[number] for slot, column in facts.items()}
        for turn, (topic, kinds) in enumerate(domain.topics.items()):
            head = {"id": f"{ids}-{number:02d}-{turn}", "domain": name, "subject": subject, "topic": topic}
            yield head | make_row(kinds[frames[topic][number]], values, domain.pools, rng)


def make_row(
    frame: Frame, values: Mapping[str, str], pools: Mapping[str, tuple[str, ...]], rng: random.Random
) -> dict[str, Any]:
    """One subject's row out of a frame."""
    wrong = {
        slot: rng.sample([v for v in pool if v != values[slot]], PERTURBED_PER_ROW)
        for slot, pool in pools.items()
    }
    answer, span = fill(frame.answer, values)
    paraphrased, paraphrased_span = fill(frame.paraphrased_answer, values)
    offered = {slot: several[0] for slot, several in wrong.items()}
    perturbed = [
        fill(
            frame.paraphrased_answer,
            {"name": values["name"]} | {slot: several[i] for slot, several in wrong.items()},
        )[0]
        for i in range(PERTURBED_PER_ROW)
    ]
    return {
        "question": fill(frame.question, values, offered)[0],
        "paraphrased_question": fill(frame.paraphrased_question, values, offered)[0],
        "answer": answer,
        "paraphrased_answer": paraphrased,
        "perturbed_answer": perturbed,
        "span": span,
        "paraphrased_span": paraphrased_span,
    }


def main() -> None:
    """Write the world."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows()]
    PROSE_FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(lines)} rows\n")


if __name__ == "__main__":
    main()
