"""What a model predicts where each response token stands: the token itself, and the most probable ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.loaded_model import LoadedModel

ALTERNATIVES = 5


class Alternative(TypedDict):
    """A token's text, and its probability."""

    text: str
    probability: float


class Prediction(TypedDict):
    """What a model predicts at one response token.

    Its probability, its rank in the vocabulary (1 is the most probable), and the five most probable tokens.
    """

    probability: float
    rank: int
    alternatives: list[Alternative]


class PredictionRecord(TypedDict):
    """Predictions at every response token of some samples, by sample id, after a step of training."""

    step: int
    samples: dict[str, list[Prediction]]


def predictions(model: LoadedModel, encodings: Sequence[Encoding]) -> list[list[Prediction]]:
    """The prediction at every response token, in order, for each sample."""
    import torch
    from torch import Tensor

    from tokenunlearn.models.forward import per_response, token_nll, token_rank

    def measure(logits: Tensor, labels: Tensor) -> Tensor:
        top = logits.float().softmax(-1).topk(min(ALTERNATIVES, logits.shape[-1]), -1)  # (B, T, 5)
        own = [token_nll(logits, labels).neg().exp().double(), token_rank(logits, labels).double()]
        return torch.cat([torch.stack(own, -1), top.values.double(), top.indices.double()], -1)

    def read(row: list[float]) -> Prediction:
        probability, rank, *top = row
        count = len(top) // 2
        return {
            "probability": _rounded(probability),
            "rank": int(rank),
            "alternatives": [
                {"text": str(model.tokenizer.decode([int(token)])), "probability": _rounded(p)}
                for p, token in zip(top[:count], top[count:], strict=True)
            ],
        }

    return [[read(row) for row in rows.tolist()] for rows in per_response(model, encodings, measure)]


def _rounded(probability: float) -> float:
    return float(f"{probability:.4g}")
