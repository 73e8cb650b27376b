"""Membership inference: does the model still treat forget samples as ones that it has seen?

Every score is higher for what looks like a member; :mod:`tokenunlearn.evaluation.metrics.roc` compares
members (the forget set) with samples that no model has seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from tokenunlearn.errors import TokenUnlearnError

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

Tokens = Float[np.ndarray, " time"]
MIN_K_SHARE = 0.2
MIN_STD = 1e-3


def loss_score(log_probs: Tokens) -> float:
    """Mean token log-probability, in nats.

    Source: Yeom et al., arXiv 1709.01604.
    """
    return float(np.mean(log_probs))


def zlib_score(log_probs: Tokens, text: str) -> float:
    """Mean token log-probability over the bytes of the text when compressed by zlib, in nats a byte.

    Source: Carlini et al., arXiv 2012.07805, section 5.
    """
    return float(np.mean(log_probs)) / len(zlib.compress(text.encode("utf-8")))


def min_k_score(log_probs: Tokens, share: float = MIN_K_SHARE) -> float:
    """Mean log-probability of the least probable share of the tokens, at least one, in nats.

    Source: Min-K% Prob, arXiv 2310.16789.
    """
    return float(np.sort(log_probs)[: max(1, int(share * len(log_probs)))].mean())


def min_k_plus_plus_score(log_probs: Tokens, mean: Tokens, std: Tokens, share: float = MIN_K_SHARE) -> float:
    """:func:`min_k_score` of log-probabilities standardised by the model's own distribution; no unit.

    Args:
        log_probs: (time,) of the response tokens, in nats.
        mean: (time,) mean log-probability over the vocabulary under the model's distribution there.
        std: (time,) its standard deviation, taken as 0.001 where it is less.
        share: Share of the tokens, the lowest first.

    Source: Min-K%++, arXiv 2404.02936.
    """
    return min_k_score((np.asarray(log_probs) - mean) / np.maximum(std, MIN_STD), share)


def reference_score(log_probs: float, reference_log_probs: float) -> float:
    """How much more probable the answer is than under a model that never saw it, in nats a token.

    Args:
        log_probs: Mean token log-probability under the model.
        reference_log_probs: The same under the retrained model.

    Source: Carlini et al., arXiv 2012.07805, section 5, with the retrained model as reference.
    """
    return log_probs - reference_log_probs


def gradient_norms(
    lm: LoadedModel, encodings: Sequence[Encoding], *, progress: Progress | None = None
) -> Float[np.ndarray, " rows"]:
    """Euclidean norm of the gradient of each sample's mean token NLL with respect to all weights.

    Small where the model sits at a minimum for the sample, so members have small ones. One backward pass a
    sample.

    Source: arXiv 2402.17012, its attack by the gradient norm.
    """
    import torch

    from tokenunlearn.models.encoding import collate
    from tokenunlearn.models.forward import output_head, response_hidden, token_nll

    head, weights = output_head(lm.model), list(lm.model.parameters())
    trainable = [p.requires_grad for p in weights]
    norms = np.empty(len(encodings))
    try:
        for p in weights:
            p.requires_grad_(True)
        with torch.enable_grad():
            for row, encoding in enumerate(encodings):
                batch = collate([encoding], lm.pad_id, lm.device)
                loss = token_nll(head(response_hidden(lm.model, batch)), batch.labels).mean()
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
                squares = [g.float().square().sum() for g in gradients if g is not None]
                norms[row] = torch.stack(squares).sum().sqrt().item()
                if progress:
                    progress(row + 1, len(encodings))
    finally:
        for p, own in zip(weights, trainable, strict=True):
            p.requires_grad_(own)
    return norms


def privacy_leakage(auc: float, retrained_auc: float) -> float:
    """How far membership inference moved from the retrained model's, ``(retrained - auc) / (1 - retrained)``.

    0 as after retraining; negative where forget samples still look like members (under-forgetting); positive
    where they look less like members than what was never seen (over-forgetting). The benchmark prints it in
    per cent.

    Raises:
        TokenUnlearnError: If the retrained model's AUC is 1.

    Source: MUSE, arXiv 2407.06460, PrivLeak, whose AUC is that of the non-members, ``1 - auc``.
    """
    if retrained_auc >= 1:
        raise TokenUnlearnError(
            "The retrained model's AUC is 1: it tells members apart too, so nothing can be read off it."
        )
    return (retrained_auc - auc) / (1.0 - retrained_auc)


def leakage_directions(auc: float, retrained_auc: float) -> tuple[float, float]:
    """Under- and over-forgetting apart, each as a share of the way to a perfect attack. Range 0..1.

    Under: from the retrained AUC towards 1, where every forget sample is known for a member. Over: towards 0,
    where every one stands out as less likely than what was never seen, which gives it away as well.
    """
    under = max(0.0, auc - retrained_auc) / (1.0 - retrained_auc) if retrained_auc < 1 else 0.0
    over = max(0.0, retrained_auc - auc) / retrained_auc if retrained_auc > 0 else 0.0
    return under, over
