"""Quantization: do coarser weights fall back to what the model knew before unlearning moved them a little?"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.evaluation.attacks.target import Rows, Target
from tokenunlearn.models.loaded_model import LoadedModel

BITS = (8, 4)
NF4_BLOCK = 64


def round_to_nearest(weight: Float[Tensor, "rows columns"], bits: int) -> Float[Tensor, "rows columns"]:
    """The weight on the symmetric grid of ``2**bits - 1`` levels that its row's largest magnitude spans.

    A row of zeros stays.

    Source: round-to-nearest of unlearned models, arXiv 2410.16454.
    """
    top = 2 ** (bits - 1) - 1
    scale = weight.abs().amax(dim=1, keepdim=True).float() / top
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return ((weight.float() / scale).round().clamp(-top, top) * scale).to(weight.dtype)


def quantized(lm: LoadedModel, bits: int) -> LoadedModel:
    """A copy whose linear layers are rounded, a row being one output; embeddings and output head are not."""
    from transformers.pytorch_utils import Conv1D

    copy = lm.copy(share_weights=False)
    head = copy.model.get_output_embeddings()
    for module in copy.model.modules():
        if module is head or not isinstance(module, torch.nn.Linear | Conv1D):
            continue
        transposed = isinstance(module, Conv1D)  # GPT-2 keeps (inputs, outputs)
        weight = module.weight.data.T if transposed else module.weight.data
        rounded = round_to_nearest(weight, bits)
        module.weight.data.copy_(rounded.T if transposed else rounded)
    return copy


def nf4(lm: LoadedModel) -> LoadedModel:
    """A copy whose linear layers went through bitsandbytes' NF4 and back; needs a GPU.

    Source: QLoRA, arXiv 2305.14314, section 3.
    """
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    copy = lm.copy(share_weights=False)
    head = copy.model.get_output_embeddings()
    for module in copy.model.modules():
        if module is not head and isinstance(module, torch.nn.Linear):
            packed, state = quantize_4bit(module.weight.data, blocksize=NF4_BLOCK, quant_type="nf4")
            module.weight.data.copy_(dequantize_4bit(packed, state))
    return copy


def nf4_available(lm: LoadedModel) -> bool:
    """Whether the model is on a GPU and bitsandbytes is installed."""
    from importlib.util import find_spec

    return lm.device.type == "cuda" and find_spec("bitsandbytes") is not None


def quantization(target: Target) -> dict[str, Rows]:
    """Greedy answers of the model rounded to int8 and to int4, and in NF4 where that is possible."""
    recovered = {}
    for bits in BITS:
        rows = target.of(quantized(target.lm, bits)).recovered(f"int{bits}")
        recovered[f"int{bits}/{target.metric}"] = rows
    if nf4_available(target.lm):
        recovered[f"nf4/{target.metric}"] = target.of(nf4(target.lm)).recovered("nf4")
    return recovered
