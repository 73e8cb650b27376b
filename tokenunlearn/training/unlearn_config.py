"""Configuration of an unlearning run; the ``help`` of each field is what the app shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models import LORA_FROM_PARAMETERS, LoadedModel
from tokenunlearn.objectives import make_objective, make_regulariser

Parameterisation = Literal["auto", "lora", "full"]
LEARNING_RATES = {"full": 5e-4, "lora": 1e-3}


@dataclass(frozen=True)
class UnlearnConfig:
    """Parameters of an unlearning run.

    Parameters that control the loss ``gamma * L_f + lambda * L_r``: objective, parameters, regulariser,
    gamma, lambda_.
    Parameters that control the optimisation: steps, batch sizes, learning_rate, warmup_steps, max_grad_norm,
    seed.
    Parameters that control what is trained: train, lora_r, lora_alpha.
    """

    objective: str = field(default="npo", metadata={"help": "Forget loss: npo or gradient_ascent."})
    parameters: Mapping[str, float] = field(
        default_factory=dict, metadata={"help": "Parameters of the objective by name, beta for npo."}
    )
    regulariser: str = field(
        default="kl",
        metadata={"help": "Retain loss: kl to the start model, nll of the retained answers, or none."},
    )
    gamma: float = field(default=1.0, metadata={"help": "Strength of the forget loss."})
    lambda_: float = field(default=10.0, metadata={"help": "Strength of the retain loss (lambda)."})
    steps: int = field(default=40, metadata={"help": "Optimiser steps."})
    batch_size: int = field(default=12, metadata={"help": "Forget samples in one step."})
    retain_batch_size: int = field(default=36, metadata={"help": "Retained samples in one step."})
    learning_rate: float | None = field(
        default=None,
        metadata={"help": "Peak learning rate of AdamW; by default 5e-4 for all weights, 1e-3 for LoRA."},
    )
    warmup_steps: int = field(default=4, metadata={"help": "Steps in which the learning rate rises."})
    max_grad_norm: float = field(default=1.0, metadata={"help": "Gradients are clipped to this norm."})
    train: Parameterisation = field(
        default="auto",
        metadata={"help": "lora adapter, full weights, or auto: full below 50 M parameters."},
    )
    lora_r: int = field(default=16, metadata={"help": "Rank of the LoRA adapter."})
    lora_alpha: int = field(default=32, metadata={"help": "Scale of the LoRA adapter, divided by its rank."})
    seed: int = field(default=0, metadata={"help": "Seed of adapter initialisation and sample order."})

    def __post_init__(self) -> None:
        """Refuse what could not run, in one sentence."""
        make_objective(self.objective, self.parameters)
        make_regulariser(self.regulariser)
        if self.train not in get_args(Parameterisation):
            raise TokenUnlearnError(
                f'train is "{self.train}"; it must be one of {", ".join(get_args(Parameterisation))}.'
            )
        for name in ("steps", "batch_size", "retain_batch_size", "lora_r", "lora_alpha"):
            if getattr(self, name) < 1:
                raise TokenUnlearnError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name in ("gamma", "lambda_", "warmup_steps"):
            if not getattr(self, name) >= 0:
                raise TokenUnlearnError(f"{name} is {getattr(self, name)}; it must not be negative.")
        for name in ("learning_rate", "max_grad_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise TokenUnlearnError(f"{name} is {value}; it must be above 0.")

    @property
    def needs_retain(self) -> bool:
        """Whether retained samples are read at all."""
        return self.regulariser != "none" and self.lambda_ > 0

    def resolved(self, model: LoadedModel) -> UnlearnConfig:
        """The configuration with every "auto" decided for a model, as stored with a run."""
        values = asdict(self)
        if self.train == "auto":
            values["train"] = "lora" if model.parameters >= LORA_FROM_PARAMETERS else "full"
        if self.learning_rate is None:
            values["learning_rate"] = LEARNING_RATES[values["train"]]
        objective = make_objective(self.objective, self.parameters)
        values["parameters"] = {f.name: getattr(objective, f.name) for f in fields(objective)}  # type: ignore[arg-type]
        return UnlearnConfig(**values)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> UnlearnConfig:
        """A configuration from names and values; names that are not fields are the objective's parameters.

        Raises:
            TokenUnlearnError: If a name belongs to neither, or a value is not allowed.
        """
        own = {f.name for f in fields(cls)}
        values = {k: v for k, v in settings.items() if k in own}
        parameters = {k: v for k, v in settings.items() if k not in own}
        return cls(**values | {"parameters": dict(values.get("parameters", {})) | parameters})
