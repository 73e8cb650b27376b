"""Which samples each step reads with which weights, and the batch that is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.errors import ScoreSetError
from tokenunlearn.objectives import Weighting
from tokenunlearn.samples import Batch, Encoding, collate
from tokenunlearn.training.references import References
from tokenunlearn.training.unlearn_config import UnlearnConfig


def fixed_weights(
    forget: Sequence[Encoding], weights: TokenWeights | None, weighting: Weighting, seed: int
) -> list[Tensor]:
    """Weights before the first step as tensors (T_i,), checked against the encodings they are for."""
    if weights is None:
        rows = [torch.ones(e.response_length) for e in forget]
    else:
        _check_weights(forget, weights)
        rows = [torch.tensor(w, dtype=torch.float32) for w in weights.weights]
    generator = torch.Generator().manual_seed(seed)
    return [weighting.fixed(row, generator) for row in rows]


def _check_weights(forget: Sequence[Encoding], weights: TokenWeights) -> None:
    if list(weights.sample_ids) != [e.sample_id for e in forget]:
        raise ScoreSetError(
            "The token weights belong to other samples than the ones to forget; score these first."
        )
    for e, w in zip(forget, weights.weights, strict=True):
        if len(w) != e.response_length:
            raise ScoreSetError(
                f"Sample {e.sample_id} has {e.response_length} response tokens but {len(w)} weights; "
                "the weights come from another tokenizer, score the samples with this model."
            )


@dataclass(frozen=True)
class StepPlan:
    """Which samples each step reads, drawn once from the run's seed.

    Attributes:
        forget: (steps * batch_size,) indices; every sample comes up equally often.
        retain: (steps * retain_batch_size,) indices likewise; empty without retained samples.
    """

    forget: tuple[int, ...]
    retain: tuple[int, ...]

    @classmethod
    def draw(cls, config: UnlearnConfig, forget: int, retain: int) -> StepPlan:
        """Shuffle forget and retained samples, again and again, until there are enough for all steps."""
        generator = torch.Generator().manual_seed(config.seed)

        def cycle(size: int, count: int) -> tuple[int, ...]:
            drawn: list[int] = []
            while size and len(drawn) < count:
                drawn += torch.randperm(size, generator=generator).tolist()
            return tuple(drawn[:count])

        batch, retain_batch = config.batch_size, config.retain_batch_size
        return cls(cycle(forget, config.steps * batch), cycle(retain, config.steps * retain_batch))


def _padded(rows: Sequence[Tensor], time: int) -> Tensor:
    """Rows (T_i, ...) stacked into (B, time, ...), 0 where a row has ended."""
    out = torch.zeros((len(rows), time, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for row, values in enumerate(rows):
        out[row, : len(values)] = values
    return out


@dataclass(frozen=True)
class StepRows:
    """Everything the steps read, and how a step's batch is made of it."""

    config: UnlearnConfig
    forget: Sequence[Encoding]
    refusals: Sequence[Encoding]
    retain: Sequence[Encoding]
    weights: Sequence[Tensor]
    plan: StepPlan
    references: References

    def batch(self, step: int, pad_id: int) -> dict[str, Tensor]:
        """Forget rows first, their refusals next, retained rows last, all in one forward pass."""
        size, ratio = self.config.batch_size, self.config.retain_batch_size
        forget = self.plan.forget[step * size : (step + 1) * size]
        retain = self.plan.retain[step * ratio : (step + 1) * ratio]
        rows = [self.forget[i] for i in forget]
        rows += [self.refusals[i] for i in forget] if self.refusals else []
        batch = collate(rows + [self.retain[i] for i in retain], pad_id)
        inputs = {name: getattr(batch, name) for name in Batch.FIELDS}
        time = batch.labels.shape[1]
        inputs["weights"] = _padded([self.weights[i] for i in forget], time)
        for part, stored, drawn in (
            ("forget", self.references.forget, forget),
            ("refusals", self.references.refusals, forget),
            ("retain", self.references.retain, retain),
        ):
            for name, values in stored.items():
                if values:
                    inputs[f"{part}.{name}"] = _padded([values[i] for i in drawn], time)
        return inputs
