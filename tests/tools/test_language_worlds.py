"""The worlds in German and Japanese: the committed files are the generator's, and their rows are sound."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.embedded import LANGUAGE_SOURCES, LANGUAGE_SPLITS, ROWS_PER_SUBJECT
from tokenunlearn.errors import DatasetError
from tokenunlearn.evaluation.suites.suite import SUITES
from tokenunlearn.folders import ASSETS
from tools.generation.authors import PERTURBED_PER_ROW, to_jsonl
from tools.generation.languages import write
from tools.generation.languages.write import LANGUAGES
from tools.generation.prose.write import slots_of

SIZES = {"full": 162, "retain": 108, "forget": 54, "holdout": 18}


@pytest.fixture(params=list(LANGUAGES))
def language(request):
    """Each language in turn."""
    return request.param


@pytest.fixture
def rows(language):
    """All rows of the language's world, generated."""
    return write.rows(language)


def cut(text, spans):
    return [text[start:end] for start, end in spans]


def test_each_language_is_a_source_and_a_suite():
    assert set(LANGUAGES) == set(LANGUAGE_SOURCES) <= set(SUITES)


def test_committed_file_is_the_generators_byte_for_byte(language, rows):
    assert (ASSETS / "data" / f"{language}.jsonl").read_bytes() == to_jsonl(rows).encode()


def test_writing_gives_the_same_files(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(write, "AUTHORS_FILE", tmp_path / "authors.jsonl")
    write.main()
    for name in LANGUAGES:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (ASSETS / "data" / f"{name}.jsonl").read_bytes()
    assert capsys.readouterr().out.count("180 rows") == 2


def test_splits_are_by_person_and_cover_the_world(language, rows):
    ids = {split: {s.id for s in load_samples(f"{language}:{split}")} for split in LANGUAGE_SPLITS}
    assert {split: len(found) for split, found in ids.items()} == SIZES
    assert ids["retain"] | ids["forget"] == ids["full"] and not ids["retain"] & ids["forget"]
    assert ids["full"] | ids["holdout"] == {row["id"] for row in rows} and not ids["full"] & ids["holdout"]
    people = {split: {row["subject"] for row in rows if row["id"] in ids[split]} for split in ids}
    assert all(len(ids[split]) == ROWS_PER_SUBJECT * len(people[split]) for split in ids)


def test_no_row_names_another_person(language, rows):
    for row in rows:
        texts = (row["question"], row["paraphrased_question"], row["answer"], row["paraphrased_answer"])
        assert all(row["subject"] in text for text in texts)
        others = [s for s in LANGUAGES[language].subjects if s != row["subject"]]
        assert not [s for s in others for text in texts if s in text]


def test_spans_cut_values_of_the_pools_and_wrong_answers_have_others_there(language, rows):
    values = [v for pool in LANGUAGES[language].pools.values() for v in pool]
    for row in rows:
        facts = cut(row["answer"], row["span"])
        assert set(facts) <= set(values) and len(facts) == 2
        assert sorted(facts) == sorted(cut(row["paraphrased_answer"], row["paraphrased_span"]))
        text = row["paraphrased_answer"]
        edges = [0, *(edge for span in row["paraphrased_span"] for edge in span), len(text)]
        frame = [
            re.escape(row["paraphrased_answer"][a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
        assert len(set(row["perturbed_answer"])) == PERTURBED_PER_ROW
        for wrong in row["perturbed_answer"]:
            match = re.fullmatch("(.+)".join(frame), wrong)
            assert match and set(match.groups()) <= set(values) and not set(match.groups()) & set(facts)


def test_no_question_states_a_fact(rows):
    for row in rows:
        facts = cut(row["answer"], row["span"])
        assert not [f for f in facts if f in row["question"] + row["paraphrased_question"]]


def test_answer_and_paraphrase_of_a_frame_have_the_same_slots(language):
    domain = LANGUAGES[language]
    for frame in (frame for frames in domain.topics.values() for frame in frames):
        assert sorted(slots_of(frame.answer)) == sorted(slots_of(frame.paraphrased_answer))
        assert set(slots_of(frame.answer)) <= set(domain.pools)
        assert not slots_of(frame.question + frame.paraphrased_question)


def test_no_two_pools_share_a_value(language):
    pools = LANGUAGES[language].pools
    assert all(len(set(pool)) == len(pool) > PERTURBED_PER_ROW for pool in pools.values())
    assert not [pair for pair in combinations(pools, 2) if set(pools[pair[0]]) & set(pools[pair[1]])]


def test_japanese_is_written_without_blanks():
    samples = load_samples("japanese:full")
    texts = [t for s in samples for t in (s.question, s.answer, s.paraphrased_answer, *s.perturbed_answer)]
    assert not [text for text in texts if any(map(str.isspace, text))]


@pytest.mark.parametrize("split", ["forget10", ""])
def test_unknown_splits_are_refused(language, split):
    with pytest.raises(DatasetError, match=f'no split "{split}" of the {language} people; use one of full'):
        load_samples(f"{language}:{split}")
