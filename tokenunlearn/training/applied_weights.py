"""What weights the tokens really had in training, where a weighting makes them again in each step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokenunlearn.models.processes import launched, processes


class AppliedWeights:
    """Mean weight of every response token over the steps that read its sample.

    Args:
        lengths: Response tokens T_i of each forget sample.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = lengths
        self.total = torch.zeros(len(lengths), max(lengths))
        self.times = torch.zeros(len(lengths))

    def add(self, samples: Int[Tensor, " batch"], weights: Float[Tensor, "batch time"]) -> None:
        """Take the weights of a pass; rows with a weight that is not finite are left out."""
        samples, weights = samples.cpu(), weights.detach().float().cpu()[:, : self.total.shape[1]]
        finite = weights.isfinite().all(-1)
        self.total[:, : weights.shape[1]].index_add_(0, samples[finite], weights[finite])
        self.times.index_add_(0, samples[finite], torch.ones(int(finite.sum())))

    def means(self) -> list[np.ndarray]:
        """(T_i,) for each sample, 0 where no step read it; of several processes all must call this."""
        table = torch.cat([self.total, self.times[:, None]], dim=1)
        if launched():
            from accelerate.utils import reduce

            table = reduce(table.to(processes().device), "sum").cpu()
        means = table[:, :-1] / table[:, -1:].clamp_min(1)
        return [row[:length].numpy() for row, length in zip(means, self.lengths, strict=True)]
