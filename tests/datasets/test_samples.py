"""Character ranges and the words of a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tokenunlearn.datasets import load_choices, load_samples
from tokenunlearn.datasets.samples import Sample, SampleSet, first_spans, in_spans, overlaps
from tokenunlearn.errors import DatasetError, ModelNotFoundError
from tokenunlearn.models.loading import load_model


@pytest.mark.parametrize("seed", range(20))
def test_first_spans_are_those_that_a_search_through_all_of_them_finds(seed):
    random = np.random.default_rng(seed)
    edges = sorted(random.choice(40, 12, replace=False).tolist())
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    offsets = [(a, a + int(random.integers(0, 6))) for a in random.integers(0, 40, 30).tolist()]
    found = [next((i for i, span in enumerate(spans) if overlaps(o, [span])), None) for o in offsets]
    assert first_spans(offsets, spans) == found
    assert in_spans(offsets, spans) == [overlaps(o, spans) for o in offsets]
    assert first_spans(offsets, []) == [None] * len(offsets)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": 1}, "must be text, not int"),
        ({"answer": None}, "must be text, not NoneType"),
        ({"perturbed_answer": "wrong"}, "a perturbed_answer that is not a tuple of str"),
        ({"history": ({"role": "user"},)}, "a history that is not a tuple of Turn"),
        ({"span": (0, 3)}, "a span that is not a tuple of"),
        ({"span": ((3, 3),)}, r"a span that is not a tuple of \(start, end\) ranges"),
        ({"paraphrased_span": ((0, 1, 2),)}, "a paraphrased_span that is not a tuple of"),
    ],
)
def test_a_sample_with_a_field_of_another_type_is_refused(fields, said):
    with pytest.raises(DatasetError, match=said):
        Sample(**{"id": "a", "question": "Who?", "answer": "Ada.", **fields})
    with pytest.raises(DatasetError, match="not a tuple of Sample"):
        SampleSet("x", ("text",))


def test_lists_become_tuples():
    sample = Sample("a", "Who?", "Ada.", span=[[0, 3]], perturbed_answer=["Bo."])
    assert (sample.span, sample.perturbed_answer) == (((0, 3),), ("Bo.",))
    assert hash(SampleSet("x", [sample]))


def test_names_of_other_types_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(DatasetError, match=r'Unknown samples "my\.jsonl"'):
        load_samples(Path("my.jsonl"))
    with pytest.raises(DatasetError, match='questions "None"'):
        load_choices(None)
    for name, said in (
        (None, "named by text, not by NoneType"),
        (tmp_path / "a", "There is no model folder"),
    ):
        with pytest.raises(ModelNotFoundError, match=said):
            load_model(name)
