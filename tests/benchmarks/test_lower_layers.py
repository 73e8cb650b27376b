"""Lower layers run once: the same values and gradients as the whole model, and truly one pass a text."""

from __future__ import annotations

import pytest
import torch

from benchmarks.lower_layers import LowerLayers, spans_of
from tests.training.small_run import FORGET, RETAIN, SMALL
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import final_hidden, output_head, response_hidden, response_nll, token_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.training.unlearn import unlearn

FIRST = 2


@pytest.fixture
def deep_lm(family_lm):
    return family_lm("llama", num_hidden_layers=4).copy(share_weights=True)


@pytest.fixture
def passes(deep_lm):
    """Rows of every pass through the lowest layer."""
    seen: list[int] = []
    deep_lm.model.model.layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    return seen


def left_padded(lm, encodings):
    """Ids and mask of prompts and answers, with the padding in front."""
    size = max(map(len, encodings))
    ids = [[lm.pad_id] * (size - len(e)) + list(e.input_ids) for e in encodings]
    mask = [[0] * (size - len(e)) + [1] * len(e) for e in encodings]
    return torch.tensor(ids), torch.tensor(mask)


def loss_and_gradients(lm, encodings):
    upper = [p for layer in lm.model.model.layers[FIRST:] for p in layer.parameters()]
    batch = collate(encodings, lm.pad_id)
    nll = token_nll(output_head(lm.model)(response_hidden(lm.model, batch)), batch.labels)
    loss = nll[batch.mask].mean()
    return loss, *torch.autograd.grad(loss, upper)


def test_losses_and_gradients_of_the_upper_layers_stay(deep_lm, passes):
    one, two, *others = deep_lm.encode_all([*FORGET, *RETAIN])
    batches = [[one, two, *others], [two, others[0]], [others[2], one], [two]]
    whole = [loss_and_gradients(deep_lm, batch) for batch in batches]
    passes.clear()
    with LowerLayers(FIRST).once(deep_lm):
        split = [loss_and_gradients(deep_lm, batch) for batch in batches]
    assert passes == [5]  # what the first batch has read is known in the others
    for expected, found in zip(whole, split, strict=True):
        for a, b in zip(expected, found, strict=True):
            assert torch.allclose(a, b, atol=1e-5)


def test_no_gradient_reaches_the_lower_layers(deep_lm):
    encodings = deep_lm.encode_all(FORGET)
    with LowerLayers(FIRST).once(deep_lm):
        for _ in range(2):
            response_hidden(deep_lm.model, collate(encodings, deep_lm.pad_id)).sum().backward()
    layers = deep_lm.model.model.layers
    assert all(p.grad is None for layer in layers[:FIRST] for p in layer.parameters())
    assert all(p.grad is not None for layer in layers[FIRST:] for p in layer.parameters())


def test_padding_on_either_side_gives_the_same_states(deep_lm, passes):
    encodings = deep_lm.encode_all([*FORGET, *RETAIN])
    ids, mask = left_padded(deep_lm, encodings)
    with torch.no_grad():
        whole = final_hidden(deep_lm.model, {"input_ids": ids}, mask)
        expected = response_nll(deep_lm, encodings)
        passes.clear()
        with LowerLayers(FIRST).once(deep_lm):
            for _ in range(2):
                found = final_hidden(deep_lm.model, {"input_ids": ids}, mask)
                assert torch.allclose(whole[mask == 1], found[mask == 1], atol=1e-5)
            for a, b in zip(expected, response_nll(deep_lm, encodings), strict=True):
                assert torch.allclose(a, b, atol=1e-5)
    assert passes == [5]


def test_generated_answers_stay_and_nothing_of_them_is_stored(deep_lm):
    questions = [sample.question for sample in (*FORGET, *RETAIN)]
    expected = generate(deep_lm, questions, max_new_tokens=6)
    lower = LowerLayers(FIRST)
    with lower.once(deep_lm):
        assert generate(deep_lm, questions, max_new_tokens=6) == expected
    assert not lower.rows


def test_a_run_and_its_measurement_read_each_text_once(deep_lm, passes):
    settings = SMALL | {"objective": "npo", "train": "lora", "first_layer": FIRST, "steps": 4}
    whole = unlearn(deep_lm, FORGET, retain=RETAIN, **settings)
    encodings = deep_lm.encode_all(FORGET)
    expected = response_nll(whole.model, encodings)
    lower = LowerLayers(FIRST)
    passes.clear()
    with lower.once(deep_lm):
        run = unlearn(deep_lm, FORGET, retain=RETAIN, **settings)
    assert passes == [1, 2, 3]  # what comes before the layers is looked up; references, forget and retained
    for a, b in zip(expected, response_nll(run.model, encodings), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert len(lower.rows) == 5
    for a, b in zip(whole.history, run.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
    assert passes == [1, 2, 3]
    response_nll(deep_lm, encodings)
    assert passes == [1, 2, 3, 2]  # outside, the start model is whole again


def test_a_model_or_its_copy_may_be_measured_within_a_run(deep_lm, passes):
    encodings = deep_lm.encode_all(FORGET)
    expected = response_nll(deep_lm, encodings)
    passes.clear()
    lower = LowerLayers(FIRST)
    with lower.once(deep_lm):
        for lm in (deep_lm, deep_lm.copy(share_weights=True)):
            with lower.once(lm):
                found = response_nll(lm, encodings)
            assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(expected, found, strict=True))
        response_nll(deep_lm, encodings)
    assert passes == [2]
    assert "forward" not in vars(deep_lm.model.model)


def test_texts_with_hidden_tokens_are_told_from_padding():
    ids = torch.tensor([[5, 6, 0], [0, 5, 6]])
    assert spans_of(ids, torch.tensor([[1, 1, 0], [0, 1, 1]]), 0) == [slice(0, 2), slice(1, 3)]
    assert spans_of(ids, None, 0) == [slice(0, 3), slice(0, 3)]
    assert spans_of(ids, torch.tensor([[0, 1, 0], [0, 1, 1]]), 0) is None
    assert spans_of(torch.tensor([[5, 0, 6]]), torch.tensor([[1, 0, 1]]), 0) is None
    assert spans_of(torch.tensor([[0, 0]]), torch.tensor([[0, 0]]), 0) is None


def test_other_models_are_refused(deep_lm, family_lm):
    with (
        pytest.raises(TokenUnlearnError, match='architecture "gpt2" cannot be run once; it must be llama'),
        LowerLayers(1).once(family_lm("gpt2")),
    ):
        pass
    with (
        pytest.raises(TokenUnlearnError, match="first_layer is 4; the model has layers 0 to 3"),
        LowerLayers(4).once(deep_lm),
    ):
        pass
    lower, other = LowerLayers(FIRST), deep_lm.copy(share_weights=False)
    with torch.no_grad():
        other.model.model.layers[0].mlp.down_proj.weight.add_(1.0)
    with lower.once(deep_lm):
        pass
    with pytest.raises(TokenUnlearnError, match="weights below layer 2 are not those"), lower.once(other):
        pass
    with LowerLayers(0).once(other):  # nothing is left to do
        assert "forward" not in vars(other.model.model)
