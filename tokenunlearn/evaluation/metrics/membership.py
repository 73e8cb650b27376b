"""Membership inference: does the model still treat forget samples as ones that it has seen?

Every score is higher for what looks like a member; :mod:`tokenunlearn.evaluation.metrics.roc` compares
members (the forget set) with samples that no model has seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float

from tokenunlearn.evaluation.metrics.metric import Column, Comparison, LeftOut, PartMetric, SuiteMetric
from tokenunlearn.evaluation.metrics.roc import auc, auc_draws, found_members, tpr_at_fpr, tpr_draws
from tokenunlearn.evaluation.result import Better, MetricResult, draw_interval

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

Tokens = Float[np.ndarray, " time"]
# Members and others, in the order of a column's rows.
GROUPS = ("forget", "holdout")
LEAST_PROBABILITY = 1e-300  # what a probability that has become 0 counts as, so that its logarithm exists
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
    """:func:`min_k_score` of log-probabilities standardized by the model's own distribution; no unit.

    Args:
        log_probs: (time,) of the response tokens, in nats.
        mean: (time,) mean log-probability over the vocabulary under the model's distribution there.
        std: (time,) its standard deviation, taken as 0.001 where it is less.
        share: Share of the tokens, the lowest first.

    Source: Min-K%++, arXiv 2404.02936.
    """
    return min_k_score((np.asarray(log_probs) - mean) / np.maximum(std, MIN_STD), share)


def relative_score(log_probs: float, retrained_log_probs: float) -> float:
    """How much more probable the answer is than under a model that never saw it, in nats a token.

    Args:
        log_probs: Mean token log-probability under the model.
        retrained_log_probs: The same under the retrained model.

    Source: Carlini et al., arXiv 2012.07805, section 5, whose reference model is the retrained one here.
    """
    return log_probs - retrained_log_probs


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


def membership_results(name: str, column: Column, retrained: Column | None) -> list[MetricResult]:
    """AUC of one attack, and the share of members found at 1 % false positives."""
    own, other = column.groups, retrained and retrained.groups
    members = len(own[0])
    return [
        MetricResult(
            name,
            auc(*own),
            len(column.rows),
            draw_interval(auc_draws(*own)),
            "retrained",
            rows=column.rows,
            sample_ids=column.sample_ids,
            retrained=auc(*other) if other else None,
        ),
        MetricResult(
            f"{name}_tpr",
            tpr_at_fpr(*own),
            members,
            draw_interval(tpr_draws(*own)),
            "retrained",
            rows=tuple(float(found) for found in found_members(*own)),
            sample_ids=column.sample_ids[:members],
            retrained=tpr_at_fpr(*other) if other else None,
        ),
    ]


@dataclass(frozen=True)
class MembershipMetric(PartMetric):
    """A score that is higher for members; rows of the forget set are compared with rows of the holdout."""

    roles: tuple[str, ...] = GROUPS
    better: Better | None = "retrained"
    pooled: ClassVar[bool] = True

    def results(self, name: str, column: Column, retrained: Column | None) -> list[MetricResult]:
        """AUC and true positive rate."""
        return membership_results(name, column, retrained)


def _against_retrained(compared: Comparison) -> list[MetricResult]:
    """The attack that compares with the retrained model, from mean token probabilities."""
    names = [f"{name}/probability" for role in GROUPS for name in compared.parts_of(role)]
    if compared.retrained is None or len(names) < 2:
        return []
    if not all(name in compared.retrained for name in names):
        raise LeftOut(
            "No membership_reference, because the retrained model has no probability for these rows."
        )
    own, retrained = (
        np.log(np.maximum(np.concatenate([columns[name].values for name in names]), LEAST_PROBABILITY))
        for columns in (compared.columns, compared.retrained)
    )
    scores = tuple(relative_score(a, b) for a, b in zip(own, retrained, strict=True))
    ids = tuple(i for name in names for i in compared.columns[name].sample_ids)
    members = sum(len(compared.parts[name].samples) for name in compared.parts_of("forget"))
    column = Column(scores, ids, "retrained", members)
    return membership_results("membership_reference", column, replace(column, rows=(0.0,) * len(ids)))


LOSS = MembershipMetric(
    "membership_loss",
    "Probability that a forget sample has a higher mean log-probability than a sample no model has seen.",
    ("tokens",),
    lambda part: [loss_score(t.log_probs) for t in part.tokens],
)
ZLIB = MembershipMetric(
    "membership_zlib",
    "The same with the log-probability divided by the compressed size of the answer.",
    ("tokens",),
    lambda part: [zlib_score(t.log_probs, s.answer) for t, s in zip(part.tokens, part.samples, strict=True)],
)
MIN_K = MembershipMetric(
    "membership_min_k",
    "The same with the mean log-probability of the least probable fifth of the tokens.",
    ("tokens",),
    lambda part: [min_k_score(t.log_probs) for t in part.tokens],
)
MIN_K_PLUS_PLUS = MembershipMetric(
    "membership_min_k_plus_plus",
    "The same as min_k, with log-probabilities standardized by the model's own distribution.",
    ("tokens",),
    lambda part: [min_k_plus_plus_score(t.log_probs, t.mean, t.std) for t in part.tokens],
)
GRADIENT_NORM = MembershipMetric(
    "membership_gradient_norm",
    "The same with the gradient norm of the loss, which is small for training samples.",
    ("gradients",),
    lambda part: -part.gradient_norms,
)
AGAINST_RETRAINED = SuiteMetric(
    "membership_reference",
    "The same with the log-probability relative to that of the retrained model.",
    ("forget/probability", "holdout/probability", "the retrained model"),
    _against_retrained,
)
