"""The memory estimate against bytes that were counted."""

from __future__ import annotations

import pytest
import torch

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import mean_per_token, output_head, per_token, response_hidden, token_nll
from tokenunlearn.models.loading import load_model
from tokenunlearn.training import unlearn as unlearning
from tokenunlearn.training.memory import (
    MemoryEstimate,
    ModelShape,
    Workload,
    estimate_memory,
    reference_bytes,
    trained_parameters,
)
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import UnlearnSettings

ROWS = [Sample(f"r{i}", f"Who lives in house {i}?", f"The baker number {i} does.") for i in range(5)]
SHAPE = ModelShape(parameters=10**9, linear=10**5, layers=20, hidden=100, intermediate=400, vocabulary=1000)


def counted(tensors) -> int:
    return sum(t.nbytes for t in tensors)


@pytest.fixture
def shape(family_lm, family) -> ModelShape:
    found = ModelShape.of_model(family_lm(family).model)
    assert found is not None
    return found


def test_a_models_shape_is_read_from_it(shape, family_lm, family):
    lm = family_lm(family)
    assert shape.parameters == lm.parameters
    assert (shape.layers, shape.hidden) == (2, 32)
    assert shape.vocabulary == len(lm.tokenizer)


@pytest.mark.parametrize(
    "settings",
    [
        {"train": "full"},
        {"train": "lora", "lora_r": 4},
        {"train": "lora", "lora_r": 4, "first_layer": 1},
        {"objective": "rmu", "train": "lora", "lora_r": 2},
    ],
)
def test_trained_weights_gradients_and_optimizer_are_counted_exactly(shape, family_lm, family, settings):
    lm = family_lm(family)
    config = UnlearnSettings.from_settings(settings)
    target, _, _ = unlearning.trainable_copy(lm, config.resolved(lm))
    trainable = [p for p in target.model.parameters() if p.requires_grad]
    assert trained_parameters(shape, config) == sum(p.numel() for p in trainable)
    for p in trainable:
        p.grad = torch.ones_like(p)
    optimizer = torch.optim.AdamW(trainable)
    optimizer.step()
    moments = [v for state in optimizer.state.values() for k, v in state.items() if k != "step"]
    found = estimate_memory(shape, Workload(1, 1, 1, 1), config)
    assert found.gradients == counted(p.grad for p in trainable)
    assert found.optimizer == counted(moments)
    assert found.good_weights == counted(trainable)
    held = {t.data_ptr(): t.nbytes for m in (lm.model, target.model) for t in m.parameters()}
    assert found.weights == sum(held.values())


@pytest.mark.parametrize(
    "settings", [{}, {"objective": "undial"}, {"objective": "simnpo", "regularizer": "nll"}]
)
def test_the_reference_store_is_counted_exactly(tiny_lm, settings):
    shape = ModelShape.of_model(tiny_lm.model)
    config = UnlearnSettings.from_settings(settings).resolved(tiny_lm)
    encodings = tiny_lm.encode_all(ROWS)
    references = References.measure(
        tiny_lm, config, encodings, [], dict(enumerate(encodings)), lambda *_: None
    )
    stored = [
        t
        for rows in (references.forget, references.retain)
        for found in rows.values()
        for t in found.values()
    ]
    tokens = sum(e.response_length for e in encodings)
    assert reference_bytes(shape, Workload(tokens, tokens, 1, 1), config) == counted(stored)


@pytest.mark.parametrize("regularizer", ["none", "nll"])
def test_activations_are_near_what_autograd_keeps_on_the_demo_model(regularizer):
    lm = load_model("demo", device="cpu")
    shape = ModelShape.of_model(lm.model)
    rows = 3 if regularizer == "none" else 5
    batch = collate(lm.encode_all(ROWS[:rows]), lm.pad_id)
    weights = {p.untyped_storage().data_ptr() for p in lm.model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    config = UnlearnSettings(
        regularizer=regularizer, train="full", batch_size=3, retain_batch_size=2, gradient_accumulation=1
    )
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        hidden, head = response_hidden(lm.model, batch), output_head(lm.model)
        per_token(token_nll, head, hidden[:3].flatten(0, -2), batch.labels[:3].flatten()).sum()
        if regularizer == "nll":
            mean_per_token(token_nll, head, hidden[3:].flatten(0, -2), batch.labels[3:].flatten())
    measured = sum(size for size, _ in kept.values())
    length, longest = batch.input_ids.shape[1], batch.labels.shape[1]
    found = estimate_memory(shape, Workload(0, 0, length, longest), config)
    tables = 3 * rows * longest * shape.vocabulary * 4  # they come and go
    assert found.activations - tables == pytest.approx(measured, rel=0.1)


def test_activations_follow_the_passes_of_a_step():
    work = Workload(100, 100, 64, 32)

    def activations(device="cpu", **settings):
        config = UnlearnSettings(batch_size=16, retain_batch_size=16, **settings)
        return estimate_memory(SHAPE, work, config, device).activations

    whole, halves = activations(gradient_accumulation=1), activations(gradient_accumulation=2)
    assert whole > 1.9 * halves - 6 * 4 * 512 * SHAPE.vocabulary
    assert activations() == halves  # 2,048 tokens in passes of 1,024
    assert activations("cuda") == whole
    assert activations(gradient_checkpointing=True) < halves / 3


def test_large_models_get_an_adapter_and_small_ones_are_trained_whole():
    large = estimate_memory(
        SHAPE, Workload(100, 100, 10, 5), UnlearnSettings(objective="npo", lora_r=8, frame=0.0)
    )
    assert large.gradients == 4 * 8 * SHAPE.linear
    assert large.weights == 4 * (SHAPE.parameters + 8 * SHAPE.linear)
    whole = estimate_memory(SHAPE, Workload(100, 100, 10, 5), UnlearnSettings(train="full"))
    assert whole.weights == 8 * SHAPE.parameters
    assert whole.total > 20 * SHAPE.parameters
    assert (
        large.references == 100 * 4 + 100 * 4 * SHAPE.hidden
    )  # NLL of forget tokens, states of retained ones


def test_an_estimate_in_words_names_the_largest_part_first():
    estimate = MemoryEstimate(2_500_000_000, 3_000_000, 4_000_000, 0, 100, 0)
    assert estimate.text == "2.5 GB of memory (weights 2.5 GB, optimizer 4 MB, gradients 3 MB)"
