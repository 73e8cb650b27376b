"""Devices, device maps and dtypes by name; layers on several devices compute as on one."""

from __future__ import annotations

import pytest
import torch

from tests.models.model_files import SAMPLE, logits_of
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.devices import input_device
from tokenunlearn.models.encoding import collate
from tokenunlearn.models.forward import output_head, response_hidden, token_nll
from tokenunlearn.models.generation import generate
from tokenunlearn.models.layers import layer_states
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.placement import Placement


@pytest.fixture
def folder(tiny_folder):
    return str(tiny_folder)


@pytest.mark.parametrize(
    "device_map",
    [
        "cpu",
        {"": "cpu"},
        {"model": "cpu", "lm_head": torch.device("cpu").type},
        "auto",
        "balanced",
        "sequential",
    ],
)
def test_a_device_map_loads_the_same_model(folder, tiny_lm, device_map, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    lm = load_model(folder, device_map=device_map)
    assert torch.equal(logits_of(lm), logits_of(tiny_lm))
    assert lm.device == torch.device("cpu") == input_device(lm.model) and lm.model.dtype == torch.float32
    assert generate(lm, ["Where was Ada born?"], max_new_tokens=3) == generate(
        tiny_lm, ["Where was Ada born?"], max_new_tokens=3
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device_map": "everywhere"}, 'no device "everywhere"'),
        ({"device_map": {"": "disk"}}, 'no device "disk"'),
        ({"device_map": {"": "cuda:99"}}, 'no device "cuda:99"'),
        ({"device_map": {"": 99}}, "no device"),
        ({"device_map": "auto", "device": "cpu"}, "either a device or a device_map, not both"),
    ],
)
def test_device_maps_that_cannot_be(folder, options, sentence):
    with pytest.raises(ModelNotFoundError, match=sentence):
        load_model(folder, **options)


def test_weights_left_outside_are_refused(tiny_lm):
    with torch.device("meta"):
        outside = type(tiny_lm.model)(tiny_lm.model.config)
    placement = Placement(None, torch.float32, "auto")
    with pytest.raises(ModelNotFoundError, match="device_map auto leaves weights on the CPU or on disk"):
        placement.settle(outside)


def test_layers_on_two_devices_meet_where_inputs_are(family_lm):
    """Fake tensors have a device and no data; one that is not the CPU stands for a second one.

    An operation on tensors of both raises, as on real devices.
    """
    from accelerate.hooks import attach_execution_device_hook
    from torch._subclasses.fake_tensor import FakeTensorMode

    lm = family_lm("llama").copy(share_weights=False)
    model, batch = lm.model, collate([lm.encode(SAMPLE)], lm.pad_id)
    first = ("model.embed_tokens", "model.layers.0", "model.rotary_emb")
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        for name, module in model.named_modules():
            device = "cpu" if name.startswith(first) else "lazy"
            for own, tensor in [
                *module.named_parameters(recurse=False),
                *module.named_buffers(recurse=False),
            ]:
                empty = torch.empty(tensor.shape, device=device)
                is_weight = isinstance(tensor, torch.nn.Parameter)
                setattr(module, own, torch.nn.Parameter(empty) if is_weight else empty)
        for name in (*first, "model.layers.1", "model.norm", "lm_head"):
            attach_execution_device_hook(model.get_submodule(name), "cpu" if name in first else "lazy")
        inputs = {name: torch.empty_like(getattr(batch, name), device="cpu") for name in batch.FIELDS}
        batch = type(batch)(**inputs)
        with layer_states(model, 1, batch) as states:
            hidden = response_hidden(model, batch)
        nll = token_nll(output_head(model)(hidden), batch.labels)
    assert lm.device.type == "cpu" and model.lm_head.weight.device.type == "lazy"
    assert [t.device.type for t in (hidden, nll, *states)] == ["cpu"] * 3
