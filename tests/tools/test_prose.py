"""The prose world: the committed file is the generator's, rows are sound, and text alone is a weak guide."""

from __future__ import annotations

import doctest
import json
import math
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from itertools import combinations

import numpy as np
import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.embedded import PROSE_SPLITS, ROWS_PER_SUBJECT
from tokenunlearn.datasets.samples import overlaps, word_spans
from tokenunlearn.errors import DatasetError
from tokenunlearn.evaluation import evaluate
from tokenunlearn.evaluation.metrics.roc import auc
from tools.generation.authors import PERTURBED_PER_ROW
from tools.generation.prose import write
from tools.generation.prose.write import DOMAINS, PROSE_FILE, fill, slots_of

pytestmark = pytest.mark.slow

SIZES = {"full": 360, "retain": 264, "forget": 96, "holdout": 96}
FIELDS = [
    "id",
    "domain",
    "subject",
    "topic",
    "question",
    "paraphrased_question",
    "answer",
    "paraphrased_answer",
    "perturbed_answer",
    "span",
    "paraphrased_span",
]
FRAMES = [
    pytest.param(name, frame, id=f"{name}-{topic}-{number}")
    for name, domain in DOMAINS.items()
    for topic, frames in domain.topics.items()
    for number, frame in enumerate(frames)
]


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """All rows of the world, generated."""
    return list(write.rows())


def cut(text, spans):
    return [text[start:end] for start, end in spans]


def words(text):
    return [text[start:end].casefold() for start, end in word_spans(text)]


def frame_of(row):
    """The one frame whose filled answer is the row's, and the row's value for each slot of it."""
    fitting = []
    for frame in DOMAINS[row["domain"]].topics[row["topic"]]:
        slots = slots_of(frame.answer)
        if len(slots) == len(row["span"]):
            values = dict(zip(slots, cut(row["answer"], row["span"]), strict=True))
            if fill(frame.answer, values | {"name": row["subject"]}) == (row["answer"], row["span"]):
                fitting.append((frame, values))
    assert len(fitting) == 1, row["id"]
    return fitting[0]


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(write)
    assert result.attempted and not result.failed


def test_committed_file_is_the_generators_byte_for_byte(rows):
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert PROSE_FILE.read_bytes() == text.encode("utf-8")


def test_writing_gives_the_same_file(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(write, "PROSE_FILE", tmp_path / "prose.jsonl")
    write.main()
    assert (tmp_path / "prose.jsonl").read_bytes() == PROSE_FILE.read_bytes()
    assert capsys.readouterr().out == "456 rows\n"


@pytest.mark.parametrize("split", SIZES)
def test_counts_and_name(split):
    samples = tu.load_samples(f"prose:{split}")
    assert len(samples) == SIZES[split] == len({s.id for s in samples})
    assert samples.name == f"prose:{split}"


def test_splits_are_disjoint_and_by_subject(rows):
    assert set(SIZES) == set(PROSE_SPLITS)
    ids = {split: {s.id for s in tu.load_samples(f"prose:{split}")} for split in SIZES}
    assert not ids["forget"] & ids["retain"] and not ids["full"] & ids["holdout"]
    assert ids["forget"] | ids["retain"] == ids["full"]
    assert ids["full"] | ids["holdout"] == {row["id"] for row in rows}
    subjects = {
        split: {(row["domain"], row["subject"]) for row in rows if row["id"] in ids[split]} for split in SIZES
    }
    assert not subjects["forget"] & subjects["retain"] and not subjects["full"] & subjects["holdout"]
    for split, each in (("forget", 4), ("retain", 11), ("holdout", 4)):
        assert Counter(domain for domain, _ in subjects[split]) == dict.fromkeys(DOMAINS, each)


@pytest.mark.parametrize(("split", "others"), [("forget", "retain"), ("holdout", "full")])
def test_no_row_names_a_subject_that_its_split_leaves_out(rows, split, others):
    out, rest = ({s.id for s in tu.load_samples(f"prose:{name}")} for name in (split, others))
    text = json.dumps([row for row in rows if row["id"] in rest], ensure_ascii=False)
    assert not [row["subject"] for row in rows if row["id"] in out and row["subject"] in text]


def test_loaded_rows_are_the_generated_ones(rows):
    generated = {row["id"]: row for row in rows}
    assert len(generated) == len(rows)
    for sample in (s for split in ("full", "holdout") for s in tu.load_samples(f"prose:{split}")):
        row = generated[sample.id]
        assert list(row) == FIELDS
        assert (sample.id, sample.question, sample.answer) == (row["id"], row["question"], row["answer"])
        assert [list(span) for span in sample.span] == row["span"]


def test_every_subject_has_every_topic_in_order(rows):
    subjects = [
        (name, subject) for name, domain in DOMAINS.items() for subject in (*domain.subjects, *domain.unseen)
    ]
    assert len(set(subjects)) == len(subjects) == 76
    for position, row in enumerate(rows):
        number, turn = divmod(position, ROWS_PER_SUBJECT)
        assert (row["domain"], row["subject"]) == subjects[number]
        assert row["topic"] == list(DOMAINS[row["domain"]].topics)[turn]


def test_every_span_cuts_a_value_of_its_slots_pool(rows):
    for row in rows:
        frame, values = frame_of(row)
        pools = DOMAINS[row["domain"]].pools
        assert all(value in pools[slot] for slot, value in values.items())
        filled = fill(frame.paraphrased_answer, values | {"name": row["subject"]})
        assert filled == (row["paraphrased_answer"], row["paraphrased_span"])


def test_a_subject_has_one_value_for_each_slot(rows):
    known: dict = {}
    for row in rows:
        for slot, value in frame_of(row)[1].items():
            assert known.setdefault((row["domain"], row["subject"], slot), value) == value


def test_facts_stand_only_in_their_spans(rows):
    for row in rows:
        for text, spans in (
            (row["answer"], row["span"]),
            (row["paraphrased_answer"], row["paraphrased_span"]),
        ):
            facts = {word for fact in cut(text, spans) for word in words(fact)}
            around = {
                text[start:end].casefold()
                for start, end in word_spans(text)
                if not overlaps((start, end), spans)
            }
            assert not facts & around, row["id"]


def test_perturbed_answers_differ_from_the_paraphrase_exactly_in_the_facts(rows):
    for row in rows:
        frame, values = frame_of(row)
        slots, pools = slots_of(frame.paraphrased_answer), DOMAINS[row["domain"]].pools
        assert len(set(row["perturbed_answer"])) == len(row["perturbed_answer"]) == PERTURBED_PER_ROW
        edges = [0, *(edge for span in row["paraphrased_span"] for edge in span)]
        for perturbed in row["perturbed_answer"]:
            place = 0
            for slot, start, end in zip(slots, edges[::2], edges[1::2], strict=False):
                same = row["paraphrased_answer"][start:end]
                assert perturbed[place:].startswith(same), row["id"]
                place += len(same)
                fitting = [value for value in pools[slot] if perturbed.startswith(value, place)]
                wrong = max(fitting, key=len)
                assert wrong != values[slot]
                place += len(wrong)
            assert perturbed[place:] == row["paraphrased_answer"][edges[-1] :], row["id"]


def test_answers_have_30_to_75_words(rows):
    lengths = [len(row["answer"].split()) for row in rows]
    assert min(lengths) >= 30 and max(lengths) <= 75
    assert all(2 <= len(row["span"]) <= 4 for row in rows)


def test_facts_recur_over_a_subjects_rows(rows):
    """Every subject has facts that several of its answers state, and some that one alone does."""
    stated: dict = defaultdict(Counter)
    for row in rows:
        stated[row["domain"], row["subject"]].update(set(cut(row["answer"], row["span"])))
    assert len(stated) == 76
    for counts in stated.values():
        assert sum(count > 1 for count in counts.values()) >= 3


def test_some_questions_hold_a_secret(rows):
    """They offer the fact beside a wrong value, in either order; most hold none."""
    holding, first = 0, 0
    for row in rows:
        frame, values = frame_of(row)
        offered = slots_of(frame.question)
        assert slots_of(frame.paraphrased_question) == offered
        facts = {word for fact in values.values() for word in words(fact)}
        assert bool(facts & set(words(row["question"]))) == bool(offered), row["id"]
        assert set(offered) <= set(values)
        holding += bool(offered)
        first += bool(offered) and frame.question.index("{" + offered[0]) < frame.question.index("{!")
    assert 0.05 < holding / len(rows) < 0.25
    assert 0.25 < first / holding < 0.75


def test_questions_name_the_subject(rows):
    for row in rows:
        for field in ("question", "paraphrased_question"):
            assert row["subject"] in row[field], (row["id"], field)


@pytest.mark.parametrize(("domain", "frame"), FRAMES)
def test_answer_and_paraphrase_of_a_frame_have_the_same_slots(domain, frame):
    slots = slots_of(frame.answer)
    assert 2 <= len(slots) == len(set(slots)) <= 4
    assert sorted(slots_of(frame.paraphrased_answer)) == sorted(slots)
    assert set(slots) <= set(DOMAINS[domain].pools)
    assert frame.answer != frame.paraphrased_answer and frame.question != frame.paraphrased_question


@pytest.mark.parametrize("name", DOMAINS)
def test_no_two_pools_of_a_domain_share_a_value(name):
    pools = DOMAINS[name].pools
    for first, second in combinations(pools, 2):
        shared = {v.casefold() for v in pools[first]} & {v.casefold() for v in pools[second]}
        assert not shared, (first, second)
    for slot, pool in pools.items():
        assert len(set(pool)) == len(pool) > PERTURBED_PER_ROW, slot


def text_scores(rule):
    """A score for each word of the answers to forget, and whether a gold span holds it."""
    scores, gold = [], []
    for sample in tu.load_samples("prose:forget"):
        asked = set(words(sample.question))
        for start, end in word_spans(sample.answer):
            word = sample.answer[start:end]
            scores.append(0.0 if word.casefold() in asked else rule(word))
            gold.append(overlaps((start, end), sample.span))
    values, marked = np.array(scores), np.array(gold)
    return auc(values[marked], values[~marked])


def test_rarity_does_not_read_the_secrets_off_the_text():
    """Words in few retained answers are no sure sign of a fact: common words are facts, rare ones are not."""
    retained = tu.load_samples("prose:retain")
    frequency = Counter(word for s in retained for word in set(words(s.answer)))
    assert text_scores(lambda word: -math.log((1 + frequency[word.casefold()]) / (1 + len(retained)))) < 0.80


def test_capitals_do_not_read_the_secrets_off_the_text():
    assert text_scores(lambda word: float(word != word.lower())) < 0.60


def test_aligning_rows_of_one_frame_does():
    """The world's known limit: frames are shared, so what differs between rows of one frame is the facts."""
    retained = [words(s.answer) for s in tu.load_samples("prose:retain")]
    scores, gold = [], []
    for sample in tu.load_samples("prose:forget")[::4]:
        spans, said, asked = word_spans(sample.answer), words(sample.answer), set(words(sample.question))
        nearest = max(retained, key=lambda other: len(set(other) & set(said)))
        blocks = SequenceMatcher(a=said, b=nearest, autojunk=False).get_matching_blocks()
        same = {block.a + i for block in blocks for i in range(block.size)}
        scores += [float(i not in same and word not in asked) for i, word in enumerate(said)]
        gold += [overlaps(span, sample.span) for span in spans]
    values, marked = np.array(scores), np.array(gold)
    assert auc(values[marked], values[~marked]) > 0.90


@pytest.mark.parametrize("split", ["forget10", "", "holdout10"])
def test_unknown_splits_are_refused(split):
    with pytest.raises(
        DatasetError, match=f'no split "{split}" of the prose; use one of full, retain, forget, holdout'
    ):
        tu.load_samples(f"prose:{split}")


def test_the_suite_measures_three_parts(family_lm):
    report = evaluate(family_lm("llama", max_position_embeddings=1024), "prose", limit=2)
    assert {name.partition("/")[0] for name in report.metrics if "/" in name} == {
        "forget",
        "retain",
        "holdout",
    }
    for part in ("forget", "retain"):
        for metric in ("probability", "truth_ratio", "rouge_l", "gold_span", "extraction_strength"):
            assert report[f"{part}/{metric}"].n == 2
    assert report["forget/gold_span_paraphrased"].better == "lower"
    assert {"model_utility", "membership_loss"} <= report.metrics.keys() and not report.notes
    assert (report.settings["forget"], report.settings["retain"]) == ("forget", "retain")
