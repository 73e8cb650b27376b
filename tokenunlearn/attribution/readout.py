"""What is read off final hidden states: log-probability, entropy and KL in one pass over the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokenunlearn.attribution.reading import TAIL_TEMPERATURE
from tokenunlearn.models.entropy import token_entropy
from tokenunlearn.models.forward import token_nll

Head = Callable[[Tensor], Tensor]


def read_nll(
    head: Head, hidden: Float[Tensor, "rows dim"], labels: Int[Tensor, " rows"], chunk: int
) -> Float[Tensor, " rows"]:
    """Token NLL of each label, in nats, float32; ``chunk`` rows of logits exist at once."""
    return torch.cat([token_nll(head(hidden[at]), labels[at]) for at in _chunks(hidden, chunk)])


def read_nll_and_entropies(
    head: Head, hidden: Float[Tensor, "rows dim"], labels: Int[Tensor, " rows"], chunk: int
) -> tuple[Float[Tensor, " rows"], Float[Tensor, " rows"], Float[Tensor, " rows"]]:
    """Token NLL of each label, and entropy of each prediction at temperatures 1 and 4, in nats, float32."""
    nll, entropy, tail = [], [], []
    for at in _chunks(hidden, chunk):
        logits = head(hidden[at])
        nll.append(token_nll(logits, labels[at]))
        entropy.append(token_entropy(logits, chunk))
        tail.append(token_entropy(logits, chunk, temperature=TAIL_TEMPERATURE))
    return torch.cat(nll), torch.cat(entropy), torch.cat(tail)


def read_kl(
    head: Head,
    hidden: Float[Tensor, "rows dim"],
    reference: Float[Tensor, "references dim"],
    index: Int[Tensor, " rows"],
    chunk: int,
) -> Float[Tensor, " rows"]:
    """KL(reference || prediction) of each row, in nats, float32, at least 0.

    ``reference[index]`` are the hidden states that the rows are compared with; each is turned into
    probabilities once a chunk.
    """
    order = index.argsort(stable=True)
    kl = torch.empty(len(hidden), device=hidden.device)
    for at in _chunks(hidden, chunk):
        rows = order[at]
        log_q = torch.log_softmax(head(hidden[rows]), dim=-1)  # (chunk, V)
        shared, which = index[rows].unique_consecutive(return_inverse=True)
        log_p = torch.log_softmax(head(reference[shared]), dim=-1)[which]
        kl[rows] = log_q.neg_().add_(log_p).mul_(log_p.exp_()).sum(-1).clamp_min_(0.0)
    return kl


def _chunks(hidden: Tensor, chunk: int) -> Iterator[slice]:
    return (slice(start, start + chunk) for start in range(0, max(1, len(hidden)), chunk))
