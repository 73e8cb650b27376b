"""Entropy of next-token distributions: how uncertain the model is at each position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import TOKEN_BUDGET, per_response, token_nll
from tokenunlearn.models.loaded_model import LoadedModel


def token_entropy(
    logits: Float[Tensor, "*batch vocab"], chunk: int = 256, *, temperature: float = 1.0
) -> Float[Tensor, "*batch"]:
    """Entropy of the next-token distribution at each position, in nats.

    Equals ``-(p * p.log()).sum(-1)`` for ``p = softmax(logits / temperature)``, computed in float32 chunk by
    chunk so that no second tensor of the logits' size exists. Range: 0 to ``log(vocab)``.

    Source: arXiv 2605.00364, entropy-aware signal; the temperature as in ETW, arXiv 2604.17785.
    """
    rows = logits.flatten(0, -2)
    entropies = []
    for part in rows.split(chunk):
        log_p = torch.log_softmax(part.float() / temperature, dim=-1)  # (chunk, V)
        entropies.append(-(log_p.exp() * log_p).nan_to_num(nan=0.0).sum(-1))
    return torch.cat(entropies).view(logits.shape[:-1]).clamp_min(0.0)


def response_nll_and_entropy(
    lm: LoadedModel, encodings: Sequence[Encoding], *, token_budget: int = TOKEN_BUDGET
) -> list[tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"]]]:
    """Token NLL and entropy of every response token, in nats: two float32 arrays (T_i,) per encoding."""

    def both(logits: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([token_nll(logits, labels), token_entropy(logits)], dim=-1)

    return [(m[:, 0].numpy(), m[:, 1].numpy()) for m in per_response(lm, encodings, both, token_budget)]
