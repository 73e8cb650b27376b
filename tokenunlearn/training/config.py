"""UnlearnConfig: transformers' TrainingArguments with the settings of unlearning added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.devices import default_device
from tokenunlearn.training.arguments import OneDeviceArguments
from tokenunlearn.training.settings import SCHEDULERS, UnlearnSettings

_SETTINGS = {f.name: f for f in fields(UnlearnSettings)}
# Settings that TrainingArguments knows under a name of its own.
RENAMED = {
    "steps": "max_steps",
    "gradient_accumulation": "gradient_accumulation_steps",
    "gradient_checkpointing": "activation_checkpointing",
}
# The trainer takes what is trained from ``peft_config``.
PARAMETERIZATION = ("train", "lora_r", "lora_alpha")


def _of(name: str) -> Any:
    """A field with the default and the help of the setting of this name."""
    setting = _SETTINGS[name]
    metadata = {"help": setting.metadata["help"]}  # parsers of TrainingArguments take nothing else
    if setting.default_factory is not MISSING:
        return field(default_factory=setting.default_factory, metadata=metadata)
    return field(default=setting.default, metadata=metadata)


@dataclass
class UnlearnConfig(OneDeviceArguments):
    """Arguments of an :class:`~tokenunlearn.UnlearnTrainer`.

    Everything that :class:`transformers.TrainingArguments` takes, with other defaults where unlearning needs
    them, and the settings of :class:`~tokenunlearn.training.settings.UnlearnSettings`, whose help texts hold
    here too. A step is whole: its loss is a mean over ``batch_size`` forget and ``retain_batch_size``
    retained samples, however many micro-batches (``gradient_accumulation_steps``) and processes they are
    spread over. ``per_device_train_batch_size`` is therefore not read.

    Attributes:
        max_steps: Optimizer steps; below 1, what the objective recommends.
        learning_rate: Peak learning rate; None for what suits the objective and what is trained.
        gradient_accumulation_steps: Micro-batches of a step in each process; None for as few as the device's
            memory allows.
        bf16: Multiply in bfloat16; None for yes on a GPU.
        lr_scheduler_type: Any schedule of transformers; None for what the objective recommends.

    Raises:
        TokenUnlearnError: If a setting of unlearning is not allowed.
        ValueError: If transformers refuses an argument.
    """

    objective: str = _of("objective")
    parameters: Mapping[str, float] = _of("parameters")
    regularizer: str = _of("regularizer")
    gamma: float = _of("gamma")
    lambda_: float = _of("lambda_")
    weighting: str = _of("weighting")
    weighting_parameters: Mapping[str, float] = _of("weighting_parameters")
    control: str = _of("control")
    rescore: int = _of("rescore")
    frame: float = _of("frame")
    holdout: str = _of("holdout")
    level: float | None = _of("level")
    base_level: bool = _of("base_level")
    patience: int = _of("patience")
    retain_bound: float | None = _of("retain_bound")
    collapse_guard: bool = _of("collapse_guard")
    published_scale: bool = _of("published_scale")
    base_model: str | None = _of("base_model")
    layer: int | None = _of("layer")
    first_layer: int = _of("first_layer")
    batch_size: int = _of("batch_size")
    retain_batch_size: int = _of("retain_batch_size")
    long: str = _of("long")
    # Arguments of transformers, with the defaults of unlearning.
    max_steps: int = field(default=-1, metadata={"help": "Optimizer steps; -1 for the objective's own."})
    learning_rate: float | None = _of("learning_rate")  # type: ignore[assignment]
    warmup_steps: float = _of("warmup_steps")
    max_grad_norm: float = _of("max_grad_norm")
    gradient_accumulation_steps: int | None = _of("gradient_accumulation")  # type: ignore[assignment]
    bf16: bool | None = _of("bf16")  # type: ignore[assignment]
    seed: int = _of("seed")
    lr_scheduler_type: str | None = _of("lr_scheduler_type")  # type: ignore[assignment]
    per_device_train_batch_size: int = field(
        default=1,
        metadata={"help": "Not used: batch_size and retain_batch_size set the size of a whole step."},
    )
    logging_steps: float = field(default=1, metadata={"help": "Number of steps between two records."})
    logging_nan_inf_filter: bool = field(
        default=False, metadata={"help": "Filter out losses that are NaN or infinite."}
    )
    remove_unused_columns: bool = field(
        default=False, metadata={"help": "Not used: the samples have no unused columns."}
    )
    train_sampling_strategy: str = field(
        default="sequential", metadata={"help": "Fixed: the sample order is drawn from the seed."}
    )
    ddp_find_unused_parameters: bool | None = field(
        default=False, metadata={"help": "Look for parameters without a gradient in every step."}
    )

    def __post_init__(self) -> None:
        """Fill what the objective recommends, and refuse what could not run."""
        if self.per_device_train_batch_size != 1 or self.train_sampling_strategy != "sequential":
            raise TokenUnlearnError(
                "batch_size, retain_batch_size and seed decide the samples of a step; leave "
                "per_device_train_batch_size and train_sampling_strategy at their defaults."
            )
        settings = self.settings()
        self.max_steps = settings.steps
        filled = ["regularizer", "gamma", "lambda_", "batch_size", "retain_batch_size"]
        filled += ["lr_scheduler_type"] if self.lr_scheduler_type is None else []
        for name in filled:
            setattr(self, name, getattr(settings, name))
        if 1 <= self.warmup_steps >= settings.steps:
            self.warmup_steps = settings.steps - 1
        if self.bf16 is None:
            self.bf16 = not self.use_cpu and default_device().startswith("cuda")
        if self.gradient_checkpointing is not None:  # the older name of the next
            self.activation_checkpointing, self.gradient_checkpointing = self.gradient_checkpointing, None
        if self.activation_checkpointing and self.activation_checkpointing_kwargs is None:
            self.activation_checkpointing_kwargs = {"use_reentrant": False}
        super().__post_init__()

    def settings(self, train: str = "auto") -> UnlearnSettings:
        """These arguments as the settings that forms, command line and run specs hold.

        Args:
            train: What is trained: "full", "lora" or "auto".
        """
        values = {
            name: getattr(self, RENAMED.get(name, name)) for name in _SETTINGS if name not in PARAMETERIZATION
        }
        if self.max_steps < 1:
            values["steps"] = None
        # What only the trainer knows is its own matter.
        values["lr_scheduler_type"] = next((s for s in SCHEDULERS if s == self.lr_scheduler_type), None)
        if self.warmup_steps < 1:  # transformers reads it as a share of the steps
            values["warmup_steps"] = 0
        values["warmup_steps"] = int(values["warmup_steps"])
        values["gradient_checkpointing"] = bool(self.activation_checkpointing or self.gradient_checkpointing)
        return UnlearnSettings(**values, train=train)  # type: ignore[arg-type]

    @classmethod
    def from_settings(cls, settings: UnlearnSettings, **arguments: Any) -> UnlearnConfig:
        """The arguments that carry settings out, and further ones of transformers by name."""
        values = {
            RENAMED.get(name, name): getattr(settings, name)
            for name in _SETTINGS
            if name not in PARAMETERIZATION
        }
        return cls(**values | arguments)
