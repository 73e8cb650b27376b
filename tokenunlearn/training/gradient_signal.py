"""Gradient signal-to-noise: how much of a step's gradient moves the knowledge, and how much anything else.

The analysis of arXiv 2605.00364 says that choosing tokens raises the gradient's signal-to-noise ratio,
since gradients of unimportant tokens lie mostly orthogonal to the unlearning subspace. How that subspace is
measured is this project's own: it is the span of the gradients of the gold tokens of texts that are held
apart, the paraphrases of the forget set. They state the same facts in other words, so what they share with a
token's gradient is the knowledge and not the wording. The difference between the weights of the start and the
retrained model, the other candidate, is one direction out of millions and mostly holds what two trainings
differ in by chance.

Gradients are those of the token NLL, with respect to the weights that unlearning trains, at the start model.
In the first step gradient ascent and NPO follow their weighted sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tokenunlearn.datasets.samples import Sample, Span
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import Encoding, collate
from tokenunlearn.models.forward import Progress, output_head, response_hidden, token_nll
from tokenunlearn.training.finetune import add_adapter
from tokenunlearn.training.settings import UnlearnSettings

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

RESAMPLES, SEED = 1000, 0
# Directions whose squared length is below this share of the longest are rounding.
LEAST_VARIANCE = 1e-6
Interval = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Text:
    """A question and an answer as the model reads them, and which response tokens are gold.

    Attributes:
        encoding: The tokens.
        gold: (T,) the gold tokens.
    """

    encoding: Encoding
    gold: Bool[np.ndarray, " time"]

    @classmethod
    def of(cls, lm: LoadedModel, sample: Sample) -> Text:
        """A sample."""
        return cls._marked(lm.encode(sample), sample.span)

    @classmethod
    def paraphrase(cls, lm: LoadedModel, sample: Sample) -> Text | None:
        """The paraphrase of a sample; None where it has none with a gold span."""
        if not sample.paraphrased_span:
            return None
        question, answer = sample.paraphrased_question or None, sample.paraphrased_answer
        return cls._marked(lm.encode(sample, question=question, answer=answer), sample.paraphrased_span)

    @classmethod
    def _marked(cls, encoding: Encoding, spans: Sequence[Span]) -> Text:
        return cls(encoding, np.array(encoding.holds(spans)))


@dataclass(frozen=True, eq=False)
class TokenGradients:
    """The gradients of a text's token NLLs, as far as weighted sums of them need. T tokens, K directions.

    Attributes:
        sample_id: The sample's id.
        gold: (T,) the gold tokens.
        products: (T, T) inner products of the gradients.
        coordinates: (T, K) the gradients in an orthonormal basis of the unlearning subspace.
    """

    sample_id: str
    gold: Bool[np.ndarray, " time"]
    products: Float[np.ndarray, "time time"]
    coordinates: Float[np.ndarray, "time directions"]

    def split(self, weights: Float[np.ndarray, " time"]) -> tuple[float, float]:
        """Squared length of the weighted sum's part inside the subspace, and of the rest."""
        signal = float(np.square(weights @ self.coordinates).sum())
        return signal, max(float(weights @ self.products @ weights) - signal, 0.0)


@contextmanager
def trained_weights(lm: LoadedModel, settings: UnlearnSettings) -> Iterator[tuple[LoadedModel, list[Tensor]]]:
    """A model with the weights that unlearning would train, those of a new adapter or all; undone on leaving.

    Of a new adapter these are the second factors: the first ones have no gradient before the first step.
    """
    adapted = lm.copy(share_weights=True)
    if settings.resolved(lm).train == "lora":
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            model = add_adapter(adapted.model, settings.lora_r, settings.lora_alpha)
        adapted.model = model.get_base_model().eval()  # type: ignore[assignment]
        yield adapted, [p for name, p in adapted.model.named_parameters() if "lora_B" in name]
    else:
        adapted.model.requires_grad_(True)
        yield adapted, list(adapted.model.parameters())


def token_gradients(
    lm: LoadedModel,
    texts: Sequence[Text],
    facts: Sequence[Text],
    settings: UnlearnSettings | None = None,
    progress: Progress | None = None,
) -> list[TokenGradients]:
    """Gradients of every response token of every text: one backward pass a token, exact.

    Args:
        lm: The start model; it stays as it is.
        texts: What is measured.
        facts: Held-apart texts whose gold tokens define the subspace, one direction each.
        settings: What is trained; by default as :class:`UnlearnSettings` has it.
        progress: Called with texts done and in all.

    Raises:
        TokenUnlearnError: If no fact has a gold token.
    """
    known = [fact for fact in facts if fact.gold.any()]
    if not known:
        raise TokenUnlearnError(
            "Signal and noise need texts held apart that state the facts: paraphrases with gold spans."
        )
    results = []
    with trained_weights(lm, settings or UnlearnSettings()) as (model, weights), torch.enable_grad():
        span = _Span.of(
            [
                next(_gradients(model, weights, fact.encoding, torch.tensor(fact.gold)[None].float()))
                for fact in known
            ]
        )
        for done, text in enumerate(texts, start=1):
            one_each = torch.eye(len(text.gold))
            tokens = torch.stack(list(_gradients(model, weights, text.encoding, one_each)))
            products = (tokens @ tokens.T).double().cpu().numpy()
            own = TokenGradients(text.encoding.sample_id, text.gold, products, span.coordinates(tokens))
            results.append(own)
            if progress:
                progress(done, len(texts))
    return results


def _gradients(
    lm: LoadedModel, weights: Sequence[Tensor], encoding: Encoding, rows: Float[Tensor, "sums time"]
) -> Iterator[Float[Tensor, " weights"]]:
    """The gradient of each weighted sum of a sample's token NLLs, as one long float32 vector."""
    batch = collate([encoding], lm.pad_id, lm.device)
    nll = token_nll(output_head(lm.model)(response_hidden(lm.model, batch)), batch.labels)[0]
    for number, row in enumerate(rows):
        parts = torch.autograd.grad(
            nll, weights, row.to(nll), retain_graph=number + 1 < len(rows), allow_unused=True
        )
        pairs = zip(parts, weights, strict=True)
        yield torch.cat([(torch.zeros_like(w) if g is None else g).float().flatten() for g, w in pairs])


@dataclass(frozen=True)
class _Span:
    """A subspace by the vectors that span it: (V, D), and (V, K) that makes an orthonormal basis of them."""

    vectors: Float[Tensor, "vectors weights"]
    mix: Float[np.ndarray, "vectors directions"]

    @classmethod
    def of(cls, vectors: Sequence[Tensor]) -> _Span:
        units = torch.stack([v / v.norm() for v in vectors if v.norm() > 0])
        values, directions = np.linalg.eigh((units @ units.T).double().cpu().numpy())
        real = values > LEAST_VARIANCE * values[-1]
        return cls(units, directions[:, real] / np.sqrt(values[real]))

    def coordinates(self, rows: Float[Tensor, "rows weights"]) -> Float[np.ndarray, "rows directions"]:
        """Coordinates of vectors, as far as they lie in the subspace."""
        products: np.ndarray = (rows @ self.vectors.T).double().cpu().numpy()
        return products @ self.mix


def splits(
    gradients: Sequence[TokenGradients], weights: Sequence[np.ndarray]
) -> Float[np.ndarray, "samples 2"]:
    """Signal and noise of every sample's gradient under token weights."""
    return np.array([g.split(np.asarray(w, dtype=float)) for g, w in zip(gradients, weights, strict=True)])


def token_splits(gradients: Sequence[TokenGradients], *, gold: bool) -> Float[np.ndarray, "samples 2"]:
    """Signal and noise of every sample's gold tokens, or of its other tokens, each token alone, added up."""
    rows = []
    for g in gradients:
        inside = g.gold == gold
        signal = float(np.square(g.coordinates[inside]).sum())
        rows.append((signal, max(float(np.diag(g.products)[inside].sum()) - signal, 0.0)))
    return np.array(rows)


def snr(rows: Float[np.ndarray, "rows 2"], groups: Sequence[int] | np.ndarray) -> Interval:
    """Signal over noise, all rows together, and its 95 % bootstrap interval over groups; NaN without noise.

    Args:
        rows: Signal and noise of each row.
        groups: Group of each row; groups are resampled whole.
    """
    draws = _draws(rows, groups)
    return _figure(*(_ratio(values) for values in draws))


def signal_share(rows: Float[np.ndarray, "rows 2"], groups: Sequence[int] | np.ndarray) -> Interval:
    """Share of the squared gradient length inside the subspace, 0..1, and its 95 % interval over groups."""
    return _figure(*(values[..., 0] / values.sum(-1) for values in _draws(rows, groups)))


def snr_ratio(
    rows: Float[np.ndarray, "rows 2"],
    others: Float[np.ndarray, "rows 2"],
    groups: Sequence[int] | np.ndarray,
) -> Interval:
    """How many times the signal-to-noise ratio of others on the same rows, and its paired 95 % interval."""
    pairs = zip(_draws(rows, groups), _draws(others, groups), strict=True)
    return _figure(*(_ratio(own) / _ratio(other) for own, other in pairs))


def snr_gain(
    rows: Float[np.ndarray, "rows 2"],
    others: Float[np.ndarray, "rows 2"],
    groups: Sequence[int] | np.ndarray,
) -> Interval:
    """:func:`snr_ratio` of each row alone, geometric mean, so that rows of long gradients count no more.

    Rows without signal or noise are left out; NaN where none is left.
    """
    known = (rows > 0).all(1) & (others > 0).all(1)
    if not known.any():
        return np.nan, np.nan, np.nan
    gains = np.log(_ratio(rows[known]) / _ratio(others[known]))
    sums = _draws(np.stack([gains, np.ones(len(gains))], axis=1), np.asarray(groups)[known])
    return _figure(*(np.exp(_ratio(values)) for values in sums))


def _ratio(sums: np.ndarray) -> np.ndarray:
    """Signal over noise; NaN where no token has a weight."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:-1], np.nan), where=sums[..., 1] > 0)


def _draws(rows: np.ndarray, groups: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2,) sums over all rows, and (resamples, 2) over the rows of resampled groups."""
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((places.max() + 1, 2))
    np.add.at(sums, places, rows)
    counts = np.random.default_rng(SEED).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), RESAMPLES)
    return sums.sum(0), counts @ sums


def _figure(value: np.ndarray, draws: np.ndarray) -> Interval:
    known = draws[np.isfinite(draws)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (np.nan, np.nan)
    return float(value), float(low), float(high)
