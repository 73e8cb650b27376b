"""Relearning: does training on a few forget samples bring the others back, faster than after retraining?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from transformers import TrainerCallback

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.attacks.target import Rows, Target
from tokenunlearn.evaluation.metrics.probability import answer_probability
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.presets import LORA_FROM_PARAMETERS
from tokenunlearn.models.quantization import is_quantized
from tokenunlearn.training.finetune import add_adapter, finetune
from tokenunlearn.training.finetune_settings import FinetuneSettings

AREA = "_area"


@dataclass(frozen=True)
class RelearningConfig:
    """Parameters of a relearning attack.

    Parameters that control what is shown: ``shares``. Parameters that control the training: the others. The
    learning rate of a LoRA adapter is used from 50 million parameters on, where one is trained.
    """

    shares: tuple[float, ...] = field(
        default=(0.01, 0.05, 0.2), metadata={"help": "Shares of the forget set to train on."}
    )
    steps: tuple[int, ...] = field(
        default=(2, 5, 10, 20),
        metadata={"help": "Steps after which recovery is measured; training ends with the last one."},
    )
    batch_size: int = field(default=16, metadata={"help": "Samples per optimizer step."})
    learning_rate: float = field(
        default=1e-3, metadata={"help": "Peak learning rate when all weights are trained."}
    )
    lora_learning_rate: float = field(
        default=1e-3, metadata={"help": "Peak learning rate when an adapter is trained."}
    )
    lora_rank: int = field(default=8, metadata={"help": "Rank of the adapter."})


def relearning(target: Target, config: RelearningConfig | None = None) -> dict[str, Rows]:
    """Recovery of the samples that were not shown, after each number of steps, for each share shown.

    Three measures: how much of its fact the greedy answer states, the probability of the answer, which moves
    earlier, and of its gold tokens, where samples have gold spans: an answer whose sentence comes back is
    more probable though its fact is not. "relearning_05/gold_span_after_2" is a point of the curve of 5 %,
    "relearning_05/gold_span" its end, "relearning_05/gold_span_area" the mean height of the curve, step 0
    included. Shown samples have no value. The same seed shows every model the same samples in the same order.

    Source: arXiv 2406.13356.
    """
    config = config or RelearningConfig()
    start = _recovery(target, "relearning 0")
    recovered: dict[str, Rows] = {}
    for share in config.shares:
        name = f"relearning_{round(100 * share):02d}"
        shown = shown_samples(len(target.samples), share, target.seed)
        points = {0: start} | _relearned(target, [target.samples[i] for i in sorted(shown)], config, name)
        for metric in start:
            curve = {
                step: [None if i in shown else row for i, row in enumerate(rows[metric])]
                for step, rows in points.items()
            }
            for step in config.steps[:-1]:
                recovered[f"{name}/{metric}_after_{step}"] = curve[step]
            recovered[f"{name}/{metric}"] = curve[config.steps[-1]]
            recovered[f"{name}/{metric}{AREA}"] = mean_height(curve)
    return recovered


def _recovery(target: Target, phase: str) -> dict[str, Rows]:
    """Rows by measure: what the greedy answers state, and how probable the right ones and their facts are."""
    encodings = target.lm.encode_all(target.samples)
    nlls = [nll.double().numpy() for nll in response_nll(target.lm, encodings)]
    gold = [np.array(e.holds(s.span)) for e, s in zip(encodings, target.samples, strict=True)]
    rows: dict[str, Rows] = {
        target.metric: target.recovered(phase),
        "probability": [float(answer_probability(nll.mean())) for nll in nlls],
        "gold_probability": [
            float(answer_probability(nll[mask].mean())) if mask.any() else None
            for nll, mask in zip(nlls, gold, strict=True)
        ],
    }
    return {name: values for name, values in rows.items() if any(value is not None for value in values)}


def shown_samples(size: int, share: float, seed: int) -> set[int]:
    """Indices of the samples to train on: at least one, and never all."""
    count = min(max(1, round(share * size)), size - 1)
    return set(random.Random(seed).sample(range(size), count))


def mean_height(curve: Mapping[int, Rows]) -> Rows:
    """Area under each row's curve by the trapezoid rule, over the number of steps. Range 0..1."""
    steps = sorted(curve)
    columns = zip(*(curve[step] for step in steps), strict=True)
    return [
        None if None in heights else float(np.trapezoid(np.array(heights, dtype=float), steps) / steps[-1])
        for heights in columns
    ]


def _relearned(
    target: Target, shown: Sequence[Sample], config: RelearningConfig, name: str
) -> dict[int, dict[str, Rows]]:
    """Recovery by step while a copy trains on what it is shown."""
    copy = _trainable_copy(target.lm, config)
    encodings: list[Encoding] = copy.encode_all(shown)
    per_epoch = -(-len(encodings) // config.batch_size)
    rate = config.lora_learning_rate if _wants_adapter(target.lm) else config.learning_rate
    watch = _Watch(target.of(copy), config.steps, name)
    settings = FinetuneSettings(
        epochs=config.steps[-1] / per_epoch,
        batch_size=config.batch_size,
        learning_rate=rate,
        warmup_ratio=0.0,
        seed=target.seed,
    )
    finetune(copy.model, encodings, copy.pad_id, settings, callbacks=[watch])
    return watch.points


def _wants_adapter(lm: LoadedModel) -> bool:
    return lm.parameters >= LORA_FROM_PARAMETERS or is_quantized(lm.model)


def _trainable_copy(lm: LoadedModel, config: RelearningConfig) -> LoadedModel:
    """A copy of all weights to train, or an adapter over the model's own where the model is large."""
    if not _wants_adapter(lm):
        copy = lm.copy(share_weights=False)
        copy.model.float().requires_grad_(True)
        return copy
    copy = lm.copy(share_weights=True)
    adapted = add_adapter(copy.model, config.lora_rank, 2 * config.lora_rank)
    copy.model = adapted.get_base_model()  # type: ignore[assignment]
    copy.model._hf_peft_config_loaded = True  # over quantized weights a Trainer asks for an adapter
    return copy


class _Watch(TrainerCallback):
    """Measures recovery after given steps."""

    def __init__(self, target: Target, steps: Sequence[int], name: str) -> None:
        self.target, self.steps, self.name = target, steps, name
        self.points: dict[int, dict[str, Rows]] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask all questions if this step is to be measured; the trainer returns to training by itself."""
        if state.global_step in self.steps:
            self.target.lm.model.eval()
            phase = f"{self.name.replace('_', ' ')} % after {state.global_step}"
            self.points[state.global_step] = _recovery(self.target, phase)
