"""Which samples each step reads with which weights, and the batch that is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from tokenunlearn.attribution.controls import CONTROLS
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.errors import ScoreSetError
from tokenunlearn.models.encoding import Batch, Encoding, collate
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import NONE, UnlearnSettings


def fixed_weights(
    forget: Sequence[Encoding], weights: TokenWeights | None, settings: UnlearnSettings
) -> list[Tensor]:
    """Weights before the first step as tensors (T_i,), checked against the encodings they are for.

    Args:
        forget: The forget set.
        weights: Weights of the very same samples; None weights every token alike.
        settings: Say which control takes their place, if any, and the seed of what is drawn.
    """
    if weights is None:
        rows = [torch.ones(e.response_length) for e in forget]
    else:
        _check_weights(forget, weights)
        rows = [torch.tensor(w, dtype=torch.float32) for w in weights.weights]
    return under_control(rows, settings)


def under_control(rows: list[Tensor], settings: UnlearnSettings) -> list[Tensor]:
    """Weights (T_i,) with what the control puts in their place, where there is one."""
    if settings.control == NONE:
        return rows
    generator = torch.Generator().manual_seed(settings.seed)
    return [CONTROLS[settings.control](row, generator) for row in rows]


def _check_weights(forget: Sequence[Encoding], weights: TokenWeights) -> None:
    if list(weights.sample_ids) != [e.sample_id for e in forget]:
        raise ScoreSetError(
            "The token weights are for other samples than the forget set; score the forget set first."
        )
    for e, w in zip(forget, weights.weights, strict=True):
        if len(w) != e.response_length:
            raise ScoreSetError(
                f"Sample {e.sample_id} has {e.response_length} response tokens but {len(w)} weights; "
                "the weights are of another text or another tokenizer, so score the samples with this model."
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
    def draw(cls, config: UnlearnSettings, forget: int, retain: int) -> StepPlan:
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


def parts_of(drawn: Sequence[int], lengths: Sequence[int], parts: int) -> list[list[int]]:
    """A step's samples in so many parts of as equal numbers as can be, each of samples of similar length.

    >>> parts_of([4, 1, 0], lengths=[7, 3, 0, 0, 5], parts=2)
    [[1, 4], [0]]
    """
    order = sorted(drawn, key=lambda i: lengths[i])
    size, larger = divmod(len(order), parts)
    cuts = [part * size + min(part, larger) for part in range(parts + 1)]
    return [order[begin:end] for begin, end in pairwise(cuts)]


@dataclass(frozen=True)
class StepRows:
    """Everything the steps read, and how the batch of each part of a step is made of it.

    Attributes:
        config: The resolved configuration.
        forget: The forget set.
        refusals: One for each forget sample, or none.
        retain: The retained samples.
        weights: (T_i,) weights of each forget sample now.
        plan: Which samples each step reads.
        parts: Parts of a step, over all processes; each is a forward and backward pass of its own.
    """

    config: UnlearnSettings
    forget: Sequence[Encoding]
    refusals: Sequence[Encoding]
    retain: Sequence[Encoding]
    weights: Sequence[Tensor]
    plan: StepPlan
    parts: int = 1

    def of_step(self, step: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Indices of a step's forget samples and retained samples."""
        size, ratio = self.config.batch_size, self.config.retain_batch_size
        forget = self.plan.forget[step * size : (step + 1) * size]
        return forget, self.plan.retain[step * ratio : (step + 1) * ratio]

    def of_part(self, number: int) -> tuple[list[int], list[int]]:
        """Indices of the forget samples and retained samples of a part, counted from the first step's first.

        Refusals count with the samples they stand for.
        """
        step, part = divmod(number, self.parts)
        forget, retain = self.of_step(step)
        lengths = [len(e) for e in self.forget]
        if self.refusals:
            lengths = [max(n, len(e)) for n, e in zip(lengths, self.refusals, strict=True)]
        return (
            parts_of(forget, lengths, self.parts)[part],
            parts_of(retain, [len(e) for e in self.retain], self.parts)[part],
        )

    def retained(self, process: int, processes: int) -> dict[int, Encoding]:
        """The retained samples that a process reads in all of its parts, by index."""
        numbers = range(process, self.config.steps * self.parts, processes)
        return {i: self.retain[i] for i in sorted({i for n in numbers for i in self.of_part(n)[1]})}

    def batch(self, number: int, references: References, pad_id: int) -> dict[str, Tensor]:
        """Forget rows first, their refusals next, retained rows last, all in one forward pass."""
        forget, retain = self.of_part(number)
        rows = [self.forget[i] for i in forget]
        rows += [self.refusals[i] for i in forget] if self.refusals else []
        batch = collate(rows + [self.retain[i] for i in retain], pad_id)
        inputs = {name: getattr(batch, name) for name in Batch.FIELDS}
        time = batch.labels.shape[1]
        inputs |= self.weighting(forget, number // self.parts, time)
        inputs["samples"] = torch.tensor(forget)
        for part, stored, drawn in (
            ("forget", references.forget, forget),
            ("refusals", references.refusals, forget),
            ("retain", references.retain, retain),
        ):
            for name, values in stored.items():
                if values:
                    inputs[f"{part}.{name}"] = _padded([values[i] for i in drawn], time)
        return inputs

    def weighting(self, forget: Sequence[int], step: int, time: int) -> dict[str, Tensor]:
        """Weights (B, time) of forget samples in a step, and what its losses are means over."""
        return {"weights": _padded([self.weights[i] for i in forget], time), "totals": self._totals(step)}

    def _totals(self, step: int) -> Tensor:
        """What a step's losses are means over: forget rows, weight, retained tokens, weight of the frame.

        Weights made in the step count as if each response had mean 1, and its frame as if all of it were in.
        """
        forget, retain = self.of_step(step)
        fixed = self.config.uses_selection
        weight = sum(
            float(self.weights[i].sum()) if fixed else self.forget[i].response_length for i in forget
        )
        tokens = sum(self.retain[i].response_length for i in retain)
        frame = sum(
            float((1.0 - self.weights[i]).clamp_min(0.0).sum()) if fixed else self.forget[i].response_length
            for i in forget
        )
        totals = [len(forget), max(weight, 1e-12), max(tokens, 1), max(frame, 1e-12)]
        return torch.tensor(totals, dtype=torch.float32)
