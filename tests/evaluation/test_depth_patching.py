"""Depth by patching: a model patched into itself, one changed above a layer, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.tiny_models import build_lm
from tokenunlearn.datasets.samples import Sample, overlaps
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.depth_patching import unlearning_depth
from tokenunlearn.models.layers import decoder_layers
from tokenunlearn.models.patching import hidden_of, recorded_layers
from tokenunlearn.training.finetune import add_adapter


def shaken(lm, *layers, seed=0):
    """A copy whose named layers have other weights."""
    other = lm.copy(share_weights=False)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in layers:
            for p in decoder_layers(other.model)[layer].parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return other


@pytest.fixture
def lms(family_lm, family):
    """A start model of two layers and one in which the lower layer is another."""
    start = family_lm(family)
    return start, shaken(start, 0)


def test_the_start_model_covers_nothing_and_the_retrained_model_everything(lms, town_samples):
    start, retrained = lms
    for lm, expected in ((start, 0.0), (retrained, 1.0)):
        maps = unlearning_depth(lm, start, retrained, town_samples)
        assert [m.sample_id for m in maps] == [s.id for s in town_samples]
        for m in maps:
            assert m.covered.shape == (2, len(m.texts)) and m.layers == (0, 1)
            assert set(m.covered[~np.isnan(m.covered)]) <= {expected}
        scores = [m.score for m in maps if m.score is not None]
        assert scores and set(scores) == {expected}


def test_what_only_an_upper_layer_hides_is_recoverable_below_it(family_lm, town_samples):
    start = family_lm("llama", num_hidden_layers=3)
    maps = unlearning_depth(shaken(start, 2), start, shaken(start, 0), town_samples)
    lost = np.concatenate([m.lost for m in maps], axis=1)
    assert (lost[:2] == 0).all() and (lost[2] != 0).all()
    assert np.nanmax(np.concatenate([m.covered[:2].ravel() for m in maps])) == 0
    assert np.nanmax(np.concatenate([m.covered[2] for m in maps])) > 0


def test_a_patch_equals_writing_the_states_in_by_hand(family_lm, town_samples):
    start = family_lm("gpt_neox", num_hidden_layers=3)
    other, sample = shaken(start, 0, 1), town_samples[1]
    (m,) = unlearning_depth(other, start, other, [sample], layers=[1])
    e = start.encode(sample)
    ids = torch.tensor([e.input_ids])
    gold = [t for t, offset in enumerate(e.answer_offsets) if overlaps(offset, sample.span)]
    places = [e.prompt_length + t - 1 for t in gold]
    with torch.no_grad(), recorded_layers(other.model) as outputs:
        other.model(input_ids=ids)

    def put(module, inputs, output):
        hidden_of(output)[0, places] = hidden_of(outputs[1])[0, places]

    def log_probs():
        logits = start.model(input_ids=ids).logits[0].log_softmax(-1)
        return np.array([logits[p, e.input_ids[p + 1]].item() for p in places])

    with torch.no_grad():
        before = log_probs()
        handle = decoder_layers(start.model)[1].register_forward_hook(put)
        after = log_probs()
        handle.remove()
    assert m.nll == pytest.approx(-before, abs=1e-4)
    assert m.lost[0] == pytest.approx(before - after, abs=1e-4)


def test_batches_and_adapters_change_nothing(family_lm, town_samples):
    start = family_lm("llama", num_hidden_layers=3)
    retrained, adapted = shaken(start, 0), start.copy(share_weights=True)
    adapted.model = add_adapter(adapted.model, 2, 4).get_base_model()
    alone = unlearning_depth(retrained, start, retrained, town_samples, token_budget=1)
    together = unlearning_depth(retrained, start, retrained, town_samples)
    for a, b in zip(alone, together, strict=True):
        assert a.lost == pytest.approx(b.lost, abs=1e-4) and a.texts == b.texts
    assert {m.score for m in unlearning_depth(adapted, start, retrained, town_samples)} <= {0.0, None}


def test_the_start_model_is_left_as_it_was(family_lm, town_samples):
    start = family_lm("llama", num_hidden_layers=3)
    unlearning_depth(start, start, shaken(start, 0), town_samples)
    assert not any("forward" in vars(layer) for layer in decoder_layers(start.model))


def test_deep_models_are_read_at_twelve_layers(tiny_tokenizer, town_samples):
    start = build_lm("llama", tiny_tokenizer, num_hidden_layers=15, hidden_size=8, intermediate_size=8)
    (m,) = unlearning_depth(start, start, start, town_samples[:1])
    assert len(m.layers) == 12 and m.layers[0] == 0 and m.layers[-1] == 14
    assert m.score is None  # nothing to lose


def test_samples_without_gold_spans_have_no_map(family_lm):
    start = family_lm("llama", num_hidden_layers=3)
    assert unlearning_depth(start, start, start, [Sample("1", "Where?", "In Turin.")]) == []


def test_models_of_another_size_are_refused(family_lm, town_samples):
    start, other = family_lm("llama", num_hidden_layers=3), family_lm("llama")
    with pytest.raises(TokenUnlearnError, match='"tiny-llama" has 3 layers of width 32, "tiny-llama" 2 of'):
        unlearning_depth(other, start, start, town_samples)
