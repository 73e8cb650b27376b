"""Samples and settings of a run of two steps, and the weights it changes."""

from __future__ import annotations

import torch

from tokenunlearn.datasets.samples import Sample, SampleSet

FORGET = SampleSet(
    "forget",
    tuple(
        Sample(f"f{i}", f"Who is {name}?", f"{name} is the baker of {town}.")
        for i, (name, town) in enumerate([("Ada", "Rill"), ("Bo", "a very small and quiet town")])
    ),
)
RETAIN = SampleSet(
    "retain", tuple(Sample(f"r{i}", f"What is {i} plus {i}?", f"It is {2 * i}, of course.") for i in range(3))
)
SMALL = {"batch_size": 2, "retain_batch_size": 3, "steps": 2, "warmup_steps": 0, "lora_r": 4}


def parameters_of(lm):
    """All weights of a model in one row."""
    return torch.cat([p.detach().flatten() for p in lm.model.parameters()])
