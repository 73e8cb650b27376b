"""What one forward pass tells of each response token: its NLL, its rank, the distribution around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokenunlearn.models.encoding import Encoding, batches_by_length, collate
from tokenunlearn.models.forward import TOKEN_BUDGET, Progress, output_head, response_hidden

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

# Response tokens whose (tokens, vocabulary) log-probabilities exist at one time.
CHUNK = 1024


@dataclass(frozen=True)
class TokenStatistics:
    """One response under one model; (T,) each, end of turn included.

    Attributes:
        nll: Token NLL l_t, in nats.
        correct: Whether the token is the most probable one.
        mean: Mean log-probability over the vocabulary under the model's own distribution, in nats; the
            negative of the entropy.
        std: Standard deviation of the log-probability under that distribution, in nats.
    """

    nll: Float[np.ndarray, " time"]
    correct: Bool[np.ndarray, " time"]
    mean: Float[np.ndarray, " time"]
    std: Float[np.ndarray, " time"]

    @property
    def log_probs(self) -> Float[np.ndarray, " time"]:
        """Log-probability of each token, in nats, at most 0."""
        return -self.nll


@torch.no_grad()
def token_statistics(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    *,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[TokenStatistics]:
    """Statistics of every response token, in order, in float32 from one forward pass a batch."""
    results: list[TokenStatistics | None] = [None] * len(encodings)
    head = output_head(lm.model)
    done = 0
    for group in batches_by_length([len(e) for e in encodings], token_budget):
        batch = collate([encodings[i] for i in group], lm.pad_id, lm.device)
        hidden = response_hidden(lm.model, batch)[batch.mask]  # (N, d), row by row
        labels = batch.labels[batch.mask]
        chunks = zip(hidden.split(CHUNK), labels.split(CHUNK), strict=True)
        table = np.concatenate([_statistics(head(h), y).cpu().numpy() for h, y in chunks], axis=1)
        ends = np.cumsum([encodings[i].response_length for i in group])
        for index, (nll, correct, mean, std) in zip(group, np.split(table, ends[:-1], axis=1), strict=True):
            results[index] = TokenStatistics(nll, correct.astype(bool), mean, std)
        done += len(group)
        if progress:
            progress(done, len(encodings))
    return [statistics for statistics in results if statistics is not None]


def _statistics(logits: Float[Tensor, "tokens vocab"], labels: Tensor) -> Float[Tensor, "4 tokens"]:
    log_probs = logits.log_softmax(-1)
    probs = log_probs.exp()
    mean = (probs * log_probs.clamp_min(-1e4)).sum(-1)  # 0 * -inf is no number
    variance = (probs * (log_probs.clamp_min(-1e4) - mean[:, None]).square()).sum(-1)
    nll = -log_probs.gather(-1, labels[:, None])[:, 0]
    return torch.stack([nll, (log_probs.argmax(-1) == labels).float(), mean, variance.sqrt()]).double()
