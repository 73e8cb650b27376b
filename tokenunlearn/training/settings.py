"""Configuration of an unlearning run; the ``help`` of each field is what the app shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from tokenunlearn.attribution.controls import CONTROLS
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.context import Long
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.presets import LORA_FROM_PARAMETERS, base_model_name
from tokenunlearn.models.quantization import check_trainable, is_quantized
from tokenunlearn.objectives import (
    DEFAULT_OBJECTIVE,
    OBJECTIVES,
    REGULARIZERS,
    WEIGHTINGS,
    Objective,
    check_known,
    make_objective,
    make_regularizer,
    make_weighting,
)
from tokenunlearn.settings import Settings, renamed, setting, shortened

Parameterization = Literal["auto", "lora", "full"]
CONSTANT = "constant_with_warmup"
SCHEDULERS = ("linear", "cosine", CONSTANT)
# Settings of every objective that recommends no others; a recommended learning rate is one for each
# parameterization.
DEFAULTS: Mapping[str, Any] = {
    "regularizer": "kl",
    "gamma": 1.0,
    "lambda_": 10.0,
    "frame": 0.0,
    "holdout": "none",
    "steps": 40,
    "lr_scheduler_type": CONSTANT,
    "batch_size": 12,
    "retain_batch_size": 36,
}
LEARNING_RATES = {"full": 5e-4, "lora": 1e-3}
NONE = "none"  # no control, no holdout
AUTO: Any = None  # filled with what the objective recommends


@dataclass(frozen=True)
class UnlearnSettings(Settings):
    """Parameters of an unlearning run.

    Parameters that control the loss ``gamma * L_f + lambda * L_r``: objective, parameters, regularizer,
    gamma, lambda_, frame, layer.
    Parameters that control how far it goes: steps, holdout, level, base_level, patience, retain_bound.
    Parameters that control the token weights: weighting, weighting_parameters, control, published_scale,
    base_model, rescore.
    Parameters that control the optimization: batch sizes, learning_rate, warmup_steps, lr_scheduler_type,
    max_grad_norm, seed.
    Parameters that control what is trained: train, lora_r, lora_alpha, first_layer.
    Parameters that control what is read: long.
    Parameters that control memory and speed: gradient_accumulation, gradient_checkpointing, bf16.

    What is left open (None) among regularizer, gamma, lambda_, frame, holdout, steps, lr_scheduler_type and
    batch sizes is filled at once with what the objective recommends, or with ``DEFAULTS``; learning_rate,
    layer and base_model depend on the model and are filled by :meth:`resolved`.

    A run takes at most 1,000,000 steps, and a step at most 100,000 samples of each kind; LoRA's rank and
    scale are at most 100,000, and every other whole number is below 2^32. Real numbers are finite.
    """

    objective: str = setting(DEFAULT_OBJECTIVE, f"Forget loss: {', '.join(OBJECTIVES)}.")
    parameters: Mapping[str, float] = field(
        default_factory=dict, metadata={"help": "Parameters of the objective by name, e.g. beta for npo."}
    )
    regularizer: str = setting(
        AUTO,
        f"Retain loss: {', '.join(REGULARIZERS)}. kl: KL divergence from the start model; nll: NLL of "
        "the retained answers; js: Jensen-Shannon divergence from the start model; activation: distance "
        "between hidden states.",
    )
    gamma: float = setting(AUTO, "Strength of the forget loss.", minimum=0)
    lambda_: float = setting(AUTO, "Strength of the retain loss (lambda).", minimum=0)
    weighting: str = setting(
        "selection",
        f"How tokens are weighted: {', '.join(WEIGHTINGS)}. selection uses the selected token weights; the "
        "others make weights in each step from the present model.",
    )
    weighting_parameters: Mapping[str, float] = field(
        default_factory=dict, metadata={"help": "Parameters of the weighting by name, e.g. beta for wga."}
    )
    control: str = setting(
        NONE,
        f"Control that replaces the selected token weights: {', '.join((NONE, *CONTROLS))}. uniform: "
        "weight 1 on every token; random, inverted: the same weights on other tokens of each response.",
    )
    published_scale: bool = setting(
        False, "Use the weights as published instead of rescaling them to mean 1 per response."
    )
    base_model: str | None = setting(
        None, "Model that never saw the forget set; the weighting su and base_level compare against it."
    )
    rescore: int = setting(
        0,
        "Score the forget set again after every so many steps, with the model as it is then, and select as "
        "large a share of its tokens by the new scores: the threshold follows them. 0: never.",
        minimum=0,
        maximum=1_000_000,
    )
    frame: float = setting(
        AUTO,
        "Strength of the KL divergence from the start model on the unselected answer tokens of the forget "
        "set, which keeps the sentence around the secret. Default: recommended for the objective; 0 where a "
        "weighting makes the weights.",
        minimum=0,
    )
    holdout: str = setting(
        AUTO,
        "Samples that the model never saw, asked like the forget set, e.g. authors:holdout: the mean NLL "
        "of what would be selected there becomes the level. auto: the holdout of the forget set's "
        "benchmark, if it has one; none: no level. Default: recommended for the objective.",
    )
    level: float | None = setting(
        None,
        "Leave a sample alone while the mean NLL of its selected tokens is above this level, in nats; "
        "once the mean of a whole step is more than half above it, pull such samples back. Objectives "
        "that fade by beta, such as npo, lower it in a run that is behind. "
        "Default: measured on the holdout; without one there is no level, and the steps decide.",
        above=0,
    )
    base_level: bool = setting(
        False,
        "Leave a token alone while its NLL is at or above the one under base_model, which never saw the "
        "forget set.",
    )
    patience: int = setting(
        0,
        "End the run once the selected tokens' NLL has been at their level (level, base_level) for this many "
        "steps in a row; 0: the steps decide.",
        minimum=0,
        maximum=1_000_000,
    )
    retain_bound: float | None = setting(
        None,
        "Raise lambda after each step whose retain loss is above this bound, in nats, and lower it back to "
        "its initial value below. Default: lambda stays.",
        above=0,
    )
    layer: int | None = setting(
        None,
        "Hidden layer, counted from 0, for rmu (default: 7, or two thirds of the depth in shallow models) "
        "and for the regularizer activation (default: the last).",
    )
    steps: int = setting(AUTO, "Optimizer steps.", minimum=1, maximum=1_000_000)
    batch_size: int = setting(AUTO, "Forget samples per step.", minimum=1, maximum=100_000)
    retain_batch_size: int = setting(AUTO, "Retained samples per step.", minimum=1, maximum=100_000)
    learning_rate: float | None = setting(
        None,
        "Peak learning rate of AdamW; default: recommended for the objective and parameterization.",
        above=0,
    )
    warmup_steps: int = setting(
        4, "Number of warmup steps of the learning rate.", minimum=0, maximum=1_000_000
    )
    lr_scheduler_type: str = setting(
        AUTO,
        f"Learning rate after warmup: {', '.join(SCHEDULERS)}. linear, cosine: it falls, to 0 after the "
        "last step, which gives retained answers back; the last: it stays. Default: recommended for "
        "the objective.",
    )
    max_grad_norm: float = setting(1.0, "Maximum gradient norm, for clipping.", above=0)
    train: Parameterization = setting(
        "auto", "lora: a LoRA adapter; full: all weights; auto: full below 50 M parameters."
    )
    lora_r: int = setting(16, "Rank of the LoRA adapter.", minimum=1, maximum=100_000)
    lora_alpha: int = setting(
        32, "LoRA alpha; the adapter is scaled by alpha / rank.", minimum=1, maximum=100_000
    )
    first_layer: int = setting(
        0, "Train only the layers from this one on, counted from 0; those below stay as they are.", minimum=0
    )
    seed: int = setting(0, "Seed of the adapter initialization and the sample order.", minimum=0)
    gradient_accumulation: int | None = setting(
        None,
        "Number of micro-batches per step; more need less memory and leave the loss unchanged. Default: "
        "chosen from the device memory.",
        minimum=1,
        maximum=100_000,
    )
    gradient_checkpointing: bool = setting(
        False, "Recompute activations in the backward pass: less memory, about a third slower."
    )
    bf16: bool | None = setting(None, "Compute in bfloat16; default on a GPU. Trained weights stay float32.")
    collapse_guard: bool = setting(
        True, "Stop a run whose model is being destroyed, and keep the last weights that pass."
    )
    long: Long = setting(
        "error",
        "Samples that exceed the model's context: error refuses them, skip leaves them out, chunk cuts their "
        "answers into pieces, truncate cuts their answers off.",
    )

    def __post_init__(self) -> None:
        """Fill what is left open and refuse what could not run, in one sentence."""
        if self.weighting in list(CONTROLS):  # what controls were before they had a setting of their own
            object.__setattr__(self, "control", self.weighting)
            object.__setattr__(self, "weighting", "selection")
        recommended = dict(make_objective(self.objective, self.parameters).recommended)
        if self.weighting != "selection":  # a published weighting stays as it was published
            for name in ("frame", "holdout"):
                recommended.pop(name, None)
        if self.level is not None:
            recommended.pop("holdout", None)
        make_weighting(self.weighting, self.weighting_parameters)
        check_known("control", self.control, (NONE, *CONTROLS))
        if self.control != NONE and self.weighting != "selection":
            raise TokenUnlearnError(
                f'The weighting "{self.weighting}" makes its own weights; the control '
                f'"{self.control}" has none to replace.'
            )
        for name, default in DEFAULTS.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, recommended.get(name, default))
        make_regularizer(self.regularizer)
        if self.holdout != NONE and self.weights_move:
            raise TokenUnlearnError(
                f'The weighting "{self.weighting}" makes its own weights, so a holdout has no tokens to '
                "select; set holdout to none."
            )
        check_known("lr_scheduler_type", self.lr_scheduler_type, SCHEDULERS)
        super().__post_init__()
        if self.rescore and not self.uses_selection:
            raise TokenUnlearnError(
                "rescore needs selected token weights: the weighting selection, and no uniform control."
            )
        if self.patience and not self.has_level:
            raise TokenUnlearnError(
                f"patience is {self.patience}, but there is no level to reach; set holdout, level or "
                "base_level."
            )
        if self.retain_bound is not None and not self.needs_retain:
            raise TokenUnlearnError("retain_bound needs a retain loss: a regularizer and lambda above 0.")
        adapts = OBJECTIVES[self.objective].next_lambda is not Objective.next_lambda
        if self.retain_bound is not None and adapts:
            raise TokenUnlearnError(
                f'The objective "{self.objective}" adapts lambda itself; leave retain_bound out.'
            )
        if self.first_layer and OBJECTIVES[self.objective].few_modules:
            raise TokenUnlearnError(
                f'The objective "{self.objective}" trains modules around its layer; leave first_layer out.'
            )

    @property
    def needs_retain(self) -> bool:
        """Whether retained samples are read at all."""
        return self.regularizer != "none" and self.lambda_ > 0

    @property
    def has_level(self) -> bool:
        """Whether tokens are left alone from a level on."""
        return self.level is not None or self.base_level or self.holdout != NONE

    @property
    def uses_selection(self) -> bool:
        """Whether the selected token weights matter, and nothing takes their place."""
        return WEIGHTINGS[self.weighting].uses_selection and self.control != "uniform"

    @property
    def weights_move(self) -> bool:
        """Whether the token weights are made again in each step."""
        return not WEIGHTINGS[self.weighting].uses_selection

    @property
    def forget_needs(self) -> frozenset[str]:
        """What objective, weighting, frame and level read on forget samples."""
        needs = OBJECTIVES[self.objective].needs | WEIGHTINGS[self.weighting].needs
        frame: set[str] = {"ref_logits"} if self.frame else set()
        return needs | frame | ({"base_nll"} if self.base_level else set())

    @property
    def retain_needs(self) -> frozenset[str]:
        """What the regularizer reads on retained samples."""
        regularizer = make_regularizer(self.regularizer) if self.needs_retain else None
        return regularizer.needs if regularizer else frozenset()

    @property
    def needs_states(self) -> bool:
        """Whether the hidden states of a layer are read at all."""
        return "states" in self.forget_needs | self.retain_needs

    def resolved(self, model: LoadedModel) -> UnlearnSettings:
        """The configuration with every "auto" decided for a model, as stored with a run.

        Raises:
            TokenUnlearnError: If the model has no such layer, no base model is known for it, or it is
                quantized and all its weights are to be trained.
        """
        values = asdict(self)
        if self.train == "auto":
            large = model.parameters >= LORA_FROM_PARAMETERS or is_quantized(model.model)
            values["train"] = "lora" if large else "full"
        check_trainable(model.model, values["train"])
        objective = make_objective(self.objective, self.parameters)
        if self.bf16 is None:
            values["bf16"] = model.device.type == "cuda"
        if self.learning_rate is None:
            values["learning_rate"] = objective.recommended.get("learning_rate", LEARNING_RATES)[
                values["train"]
            ]
        if self.needs_states or self.layer is not None:
            from tokenunlearn.models.layers import check_layer, last_layer, steered_layer

            default = steered_layer if objective.few_modules else last_layer
            layer = default(model.model) if self.layer is None else self.layer
            values["layer"] = check_layer(model.model, layer)
        if self.first_layer:
            from tokenunlearn.models.layers import check_layer

            check_layer(model.model, self.first_layer, "first_layer")
        if "base_nll" in self.forget_needs and self.base_model is None:
            values["base_model"] = base_model_name(model.name)
        weighting = make_weighting(self.weighting, self.weighting_parameters)
        values["parameters"], values["weighting_parameters"] = asdict(objective), asdict(weighting)
        return UnlearnSettings(**values)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> UnlearnSettings:
        """A configuration from names and values.

        Names that are no fields are the objective's parameters; with "weighting_" before them they are the
        weighting's.

        Raises:
            TokenUnlearnError: If a name belongs to none of them, or a value is not allowed.
        """
        settings = renamed(settings)
        own = {f.name for f in fields(cls)}
        values = {k: v for k, v in settings.items() if k in own}
        parameters: dict[str, dict[str, Any]] = {
            name: _named(name, values.get(name)) for name in ("parameters", "weighting_parameters")
        }
        for name in settings.keys() - own:
            kind = "weighting_parameters" if name.startswith("weighting_") else "parameters"
            parameters[kind][name.removeprefix("weighting_")] = settings[name]
        return cls(**values | parameters)


def _named(name: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping | None):
        raise TokenUnlearnError(f'{name} is "{shortened(values)}"; it must hold values by name.')
    return dict(values or {})
