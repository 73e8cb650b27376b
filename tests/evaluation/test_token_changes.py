"""Token changes against one whole pass a sequence and a sort of the vocabulary; summaries by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.token_changes import (
    TokenChange,
    load_changes,
    save_changes,
    summarize,
    token_changes,
)

SAMPLES = [
    Sample("a", "Where was Ada Miller born?", "Ada Miller was born in Lisbon, the old harbour town."),
    Sample("b", "Who?", "老舍 🎉"),
]


@torch.no_grad()
def naive(lm, encoding):
    """NLL and rank of each response token, one at a time."""
    logits = lm.model(input_ids=torch.tensor([encoding.input_ids])).logits[0].float()
    nll, ranks = [], []
    for position in range(encoding.prompt_length, len(encoding.input_ids)):
        row, label = logits[position - 1], encoding.input_ids[position]
        nll.append(-row.log_softmax(-1)[label].item())
        ranks.append(row.argsort(descending=True).tolist().index(label) + 1)
    return nll, ranks


def test_changes_equal_one_whole_pass_per_sequence(family_lm, family):
    before, after = family_lm(family), family_lm(family, initializer_range=0.2, init_std=0.2)
    encodings = before.encode_all(SAMPLES)
    weights = [np.linspace(0, 2, e.response_length) for e in encodings]
    progress = []
    found = token_changes(before, after, encodings, weights, lambda *at: progress.append(at))
    for encoding, weight, change in zip(encodings, weights, found, strict=True):
        assert change.sample_id == encoding.sample_id
        assert change.texts == encoding.texts[-encoding.response_length :]
        assert np.allclose(change.weights, weight)
        for lm, nll, ranks in (
            (before, change.nll_before, change.rank_before),
            (after, change.nll_after, change.rank_after),
        ):
            expected_nll, expected_ranks = naive(lm, encoding)
            assert np.allclose(nll, expected_nll, atol=1e-4)
            assert ranks.tolist() == expected_ranks
    assert progress[-1] == (4, 4)


def test_without_weights_every_token_weighs_the_same(tiny_lm):
    (change,) = token_changes(tiny_lm, tiny_lm, tiny_lm.encode_all(SAMPLES[:1]))
    assert set(change.weights.tolist()) == {1.0}
    assert np.allclose(change.change, 0)


def change_of(weights, before, after, ranks=(1, 1, 1)):
    one = np.ones(len(weights), dtype=int)
    texts = tuple("abc"[: len(weights)])
    arrays = [np.array(x, dtype=np.float32) for x in (weights, before, after)]
    return TokenChange("s", "q?", texts, *arrays, one, np.array(ranks[: len(weights)]))


def test_summary_tells_emphasized_tokens_from_the_others():
    rows = summarize(
        [change_of([1, 0, 1], [1, 1, 1], [4, 1, 2], (7, 1, 3)), change_of([0, 0], [1, 1], [1, 2])]
    )
    heavy, light = rows
    assert (heavy["group"], heavy["tokens"], heavy["samples"]) == ("weight ≥ 1", 2, 1)
    assert heavy["change"] == pytest.approx(-2)  # of -3 and -1
    assert (heavy["low"], heavy["high"]) == (pytest.approx(-2.8), pytest.approx(-1.2))
    assert (heavy["rank_before"], heavy["rank_after"]) == (1, 5)
    assert (light["tokens"], light["samples"], light["change"]) == (3, 2, 0)


def test_uniform_weights_have_no_other_tokens():
    assert [row["group"] for row in summarize([change_of([1, 1], [0, 0], [1, 1])])] == ["weight ≥ 1"]


def test_saved_changes_come_back(tmp_path, tiny_lm):
    changes = token_changes(tiny_lm, tiny_lm, tiny_lm.encode_all(SAMPLES))
    again = load_changes(save_changes(changes, tmp_path / "tokens.parquet"))
    for old, new in zip(changes, again, strict=True):
        assert (old.sample_id, old.question, old.texts) == (new.sample_id, new.question, new.texts)
        for name in ("weights", "nll_before", "nll_after", "rank_before", "rank_after"):
            assert np.array_equal(getattr(old, name), getattr(new, name))


@pytest.mark.parametrize("content", [b"", b"no parquet"])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "tokens.parquet"
    path.write_bytes(content)
    with pytest.raises(TokenUnlearnError, match=r"tokens\.parquet"):
        load_changes(path)
