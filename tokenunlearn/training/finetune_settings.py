"""Settings of ordinary fine-tuning, and of training a retrained model; no torch is loaded for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.context import Long
from tokenunlearn.models.presets import LORA_FROM_PARAMETERS
from tokenunlearn.settings import Settings, setting
from tokenunlearn.training.settings import Parameterization

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel


@dataclass(frozen=True)
class FinetuneSettings(Settings):
    """Parameters of a fine-tuning run on responses.

    Parameters that control the optimization: AdamW with a cosine schedule, clipped at norm 1.
    """

    epochs: float = setting(10, "Number of passes over the samples.", above=0, maximum=1_000_000)
    batch_size: int = setting(16, "Samples per optimizer step.", minimum=1, maximum=100_000)
    learning_rate: float = setting(1e-3, "Peak learning rate.", minimum=0)
    warmup_ratio: float = setting(0.05, "Share of the steps used for warmup.", minimum=0, maximum=1)
    weight_decay: float = setting(0.0, "AdamW's decoupled weight decay.", minimum=0)
    seed: int = setting(0, "Seed of the initialization and the sample order.", minimum=0)
    bf16: bool = setting(False, "Compute in bfloat16; the weights stay float32.")
    in_order: bool = setting(
        False, "Keep the order of the samples instead of drawing them at random, grouped by length."
    )
    sample_mean: bool = setting(False, "Average the loss over samples instead of tokens.")
    adam_beta2: float = setting(0.999, "AdamW's second decay rate.", minimum=0, maximum=1)


@dataclass(frozen=True)
class RetrainSettings(FinetuneSettings):
    """Parameters of fine-tuning a base model on retained samples, or on forget and retained samples.

    Parameters that control the optimization: those of
    :class:`~tokenunlearn.training.finetune_settings.FinetuneSettings`, and steps.
    Parameters that control what is trained: train, lora_r, lora_alpha.
    Parameters that control what is read: long.
    """

    learning_rate: float = setting(
        1e-3,
        "Peak learning rate; 1e-3 suits LoRA adapters and models below 50 M parameters, 1e-5 suits all "
        "weights of larger models.",
        minimum=0,
    )
    steps: int | None = setting(
        None, "Optimizer steps; default: as many as the epochs take.", minimum=1, maximum=1_000_000
    )
    train: Parameterization = setting(
        "auto",
        "lora: a LoRA adapter, merged at the end; full: all weights; auto: full below 50 M parameters.",
    )
    lora_r: int = setting(16, "Rank of the LoRA adapter.", minimum=1, maximum=100_000)
    lora_alpha: int = setting(
        32, "LoRA alpha; the adapter is scaled by alpha / rank.", minimum=1, maximum=100_000
    )
    long: Long = setting(
        "error",
        "Samples that exceed the model's context: error refuses them, skip leaves them out, chunk cuts their "
        "answers into pieces, truncate cuts their answers off.",
    )

    def resolved(self, model: LoadedModel) -> RetrainSettings:
        """The settings with what is trained decided for a model."""
        if self.train != "auto":
            return self
        return replace(self, train="lora" if model.parameters >= LORA_FROM_PARAMETERS else "full")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> RetrainSettings:
        """Settings from names and values.

        Raises:
            TokenUnlearnError: If there is no such setting, or a value is not allowed.
        """
        known = [f.name for f in fields(cls)]
        for name in settings:
            if name not in known:
                raise TokenUnlearnError(
                    f'There is no setting "{name}" of a training; use {", ".join(known)}.'
                )
        return cls(**settings)
