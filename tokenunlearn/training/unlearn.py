"""Unlearning in one call: a front over the trainer that leaves the start model as it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PrinterCallback, TrainerCallback

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.processes import any_process, is_sharded, launched
from tokenunlearn.notebook import history_html
from tokenunlearn.training.config import UnlearnConfig
from tokenunlearn.training.finetune import QUIET
from tokenunlearn.training.references import Phase
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.trainer import UnlearnTrainer, make_trainable

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel

OnStep = Callable[[dict[str, float]], None]
ShouldStop = Callable[[], bool]
OnWeights = Callable[[LoadedModel, int], None]


@dataclass
class Unlearned:
    """What an unlearning run leaves behind.

    Attributes:
        model: The unlearned model; a LoRA adapter stays unmerged over the start model's own tensors.
        config: The configuration with every "auto" decided.
        trained: Names of the modules that were trained; "all" for all weights, "all-linear" for an adapter
            on every linear layer, or the kinds of layers that it sits on.
        history: One record a step: loss, forget_loss, retain_loss, lambda, forget_nll, grad_norm,
            learning_rate, seconds.
        stopped: "" after the last step, "cancelled", or "collapsed" where the collapse guard ended training;
            the model then holds its last good weights.
        fault: What the guard found, as a sentence without its end.
        good_step: Optimizer steps behind the weights in ``model``.
        token_weights: (T_i,) token weights of each forget sample (documents in chunks), in order, as applied:
            the mean over the steps that read it where the weighting changes from step to step.
    """

    model: LoadedModel
    config: UnlearnSettings
    trained: tuple[str, ...] = ("all",)
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""
    fault: str = ""
    good_step: int = 0
    token_weights: Sequence[np.ndarray] = ()
    _peft: PeftModel | None = None

    def _repr_html_(self) -> str:
        """The records as a table, in notebooks."""
        return history_html(self.history)

    def save_adapter(self, folder: str | Path) -> Path:
        """Write what the run changed, adapter or full weights, for ``load_model(..., adapter=folder)``."""
        folder = Path(folder)
        if self._peft is not None:
            self._peft.save_pretrained(str(folder), save_embedding_layers=False)
        else:
            self.model.model.save_pretrained(folder)
        return folder


def unlearn(
    model: LoadedModel,
    samples: SampleSet | Sequence[Sample],
    weights: TokenWeights | None = None,
    *,
    retain: str | SampleSet | Sequence[Sample] | None = None,
    config: UnlearnSettings | None = None,
    on_phase: Phase | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    on_weights: OnWeights | None = None,
    **settings: Any,
) -> Unlearned:
    """Make a model forget samples with the given token weights. The model passed in stays as it is.

    Args:
        model: The start model, which is the reference too.
        samples: The forget set.
        weights: Token weights of the very same samples; None weights every response token alike.
        retain: Retained samples or the name that loads them; needed unless the regularizer is "none".
        config: Configuration; or give its fields, and the objective's parameters, by name in ``settings``.
        on_phase: Called with phase ("reference", "training"), done and total.
        on_step: Called with each step's record.
        should_stop: Asked after every step; True ends the run there.
        on_weights: Called with the model in training and the steps behind its weights, before the first step
            and after each; it must leave the model as it was.
        **settings: E.g. ``objective="npo", beta=0.1, regularizer="kl", steps=40``.

    Raises:
        TokenUnlearnError: If the configuration, the retained samples or the weights do not fit.
    """
    if config is None:
        config = UnlearnSettings.from_settings(settings)
    elif settings:
        raise TokenUnlearnError("Pass either a config or settings by name, not both.")
    config = config.resolved(model)
    on_phase = on_phase or _ignore
    with torch.random.fork_rng(devices=[], enabled=True), tempfile.TemporaryDirectory() as folder:
        target, lora = start_copy(model, config)
        arguments = UnlearnConfig.from_settings(
            config, output_dir=folder, save_strategy="no", use_cpu=target.device.type == "cpu", **QUIET
        )
        watch = _Watch(on_phase, on_step, should_stop, on_weights)
        trainer = UnlearnTrainer(
            target, arguments, samples, retain, weights, peft_config=lora, callbacks=[watch]
        )
        watch.trainer, trainer.reference, trainer.on_reference = trainer, model, on_phase
        trainer.remove_callback(PrinterCallback)
        with torch.enable_grad():
            trainer.train()
    if config.gradient_checkpointing:
        target.model.activation_checkpointing_disable()
    peft: PeftModel | None = trainer.model if lora is not None else None  # type: ignore[assignment]
    if launched() and is_sharded(target.model):
        target, peft = _gathered(trainer, model)
    target.model.eval()
    return Unlearned(
        model=target,
        config=trainer.settings,
        trained=trainer.trained,
        history=watch.history,
        stopped="collapsed" if trainer.fault else watch.stopped,
        fault=trainer.fault,
        good_step=trainer.good_step,
        token_weights=trainer.token_weights(),
        _peft=peft,
    )


def _ignore(phase: str, done: int, total: int) -> None:
    """Nobody listens to the phases."""


def start_copy(model: LoadedModel, settings: UnlearnSettings) -> tuple[LoadedModel, LoraConfig | None]:
    """The model to train and the adapter to put into it: over the start model's own tensors, or a copy.

    Args:
        model: The start model, which stays as it is.
        settings: Resolved settings.

    Raises:
        TokenUnlearnError: If the start model has an adapter in its layers, which would be trained in place.
    """
    if hasattr(model.model, "peft_config"):
        raise TokenUnlearnError(
            "The model has an adapter in its layers, and a run trains one of its own; save the adapter and "
            "load it with load_model(..., adapter=...), which merges it into weights that are not quantized."
        )
    if settings.train == "full":
        target = model.copy(share_weights=False)
        target.model.float()
        return target, None
    from peft import LoraConfig

    lora = LoraConfig(
        r=settings.lora_r, lora_alpha=settings.lora_alpha, target_modules=None, task_type="CAUSAL_LM"
    )
    return model.copy(share_weights=True), lora


def trainable_copy(
    model: LoadedModel, settings: UnlearnSettings
) -> tuple[LoadedModel, PeftModel | None, tuple[str, ...]]:
    """The model to train, the adapter around it if it gets one, and what of it is trained."""
    target, lora = start_copy(model, settings)
    trained, names = make_trainable(target.model, settings, lora)
    return target, trained if lora else None, names


def _gathered(trainer: UnlearnTrainer, model: LoadedModel) -> tuple[LoadedModel, PeftModel | None]:
    """A whole model of the weights that are sharded over the processes; all of them must call this."""
    from accelerate.utils import broadcast_object_list

    weights = [trainer.accelerator.get_state_dict(trainer.model_wrapped)]
    broadcast_object_list(weights)  # accelerate hands them to the main process alone
    target, peft, _ = trainable_copy(model, trainer.settings)
    target.model.load_state_dict({name.removeprefix("model."): value for name, value in weights[0].items()})
    return target, peft


class _Watch(TrainerCallback):
    """Keeps the records, tells of every step, and asks whether to stop."""

    trainer: UnlearnTrainer

    def __init__(
        self,
        on_phase: Phase,
        on_step: OnStep | None,
        should_stop: ShouldStop | None,
        on_weights: OnWeights | None,
    ) -> None:
        self.on_phase, self.on_record, self.should_stop = on_phase, on_step, should_stop
        self.on_weights = on_weights
        self.history: list[dict[str, float]] = []
        self.stopped = ""
        self.started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._show_weights(0)
        self.started = time.monotonic()
        self.on_phase("training", 0, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop when asked; show the weights unless they are at fault."""
        if self.trainer.fault:
            return
        if any_process(self.should_stop is not None and self.should_stop()):
            self.stopped = "cancelled"
            control.should_training_stop = True
        self._show_weights(state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Record one step."""
        if not logs or "loss" not in logs:
            return
        record = {
            "step": float(state.global_step),
            **self.trainer.record,
            "grad_norm": float(logs.get("grad_norm", 0.0)),
            "learning_rate": float(logs.get("learning_rate", 0.0)),
            "seconds": time.monotonic() - self.started,
        }
        self.history.append(record)
        if self.on_record:
            self.on_record(record)
        self.on_phase("training", state.global_step, state.max_steps)

    def _show_weights(self, step: int) -> None:
        if self.on_weights:
            self.on_weights(self.trainer.lm, step)
