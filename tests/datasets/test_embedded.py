"""The embedded authors: splits as documented, rows that fit the schema."""

from __future__ import annotations

import pytest

import tokenunlearn as tu
from tokenunlearn.datasets.embedded import AUTHOR_SPLITS
from tokenunlearn.errors import DatasetError
from tokenunlearn.folders import ASSETS

SIZES = {"full": 720, "retain95": 684, "forget05": 36, "retain90": 648, "forget10": 72, "holdout": 72}


def ids(split):
    return [s.id for s in tu.load_samples(f"authors:{split}")]


@pytest.mark.parametrize("split", SIZES)
def test_counts_and_name(split):
    samples = tu.load_samples(f"authors:{split}")
    assert len(samples) == SIZES[split] == len({s.id for s in samples})
    assert samples.name == f"authors:{split}"


def test_splits_are_disjoint_and_nested():
    assert set(SIZES) == set(AUTHOR_SPLITS)
    full = ids("full")
    assert ids("retain90") + ids("forget10") == full == ids("retain95") + ids("forget05")
    assert set(ids("forget05")) < set(ids("forget10"))
    assert not set(ids("holdout")) & set(full)


def test_rows_carry_what_evaluation_needs():
    for sample in [*tu.load_samples("authors:full"), *tu.load_samples("authors:holdout")]:
        assert sample.question and sample.paraphrased_question and sample.paraphrased_answer
        assert sample.facts and all(fact.strip() == fact for fact in sample.facts)
        assert len(sample.perturbed_answer) >= 3
        assert not {sample.answer, sample.paraphrased_answer} & set(sample.perturbed_answer)


def test_no_forgotten_question_is_among_the_retained():
    forgotten, retained = tu.load_samples("authors:forget10"), tu.load_samples("authors:retain90")
    assert not {s.question for s in forgotten} & {s.question for s in retained}


@pytest.mark.parametrize("split", ["world_facts", "real_authors"])
def test_facts_beside_the_authors(split):
    if not (ASSETS / "data" / f"{split}.jsonl").exists():
        pytest.skip(f"assets/data/{split}.jsonl is not built")
    samples = tu.load_samples(f"authors:{split}")
    assert samples.name == f"authors:{split}" and len(samples) >= 20
    assert len({s.id for s in samples}) == len(samples)
    assert all(s.question and s.answer for s in samples)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("authors:forget20", 'no split "forget20" of the authors; use one of full, .*world_facts'),
        ("authors:", 'no split ""'),
        ("authors", 'Unknown samples "authors"; use authors:forget10'),
        ("", 'Unknown samples ""'),
        ("nothing:here", 'Unknown samples "nothing:here"'),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(DatasetError, match=message):
        tu.load_samples(name)
