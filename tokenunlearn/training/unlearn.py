"""Unlearning in one call: a front over the trainer that leaves the start model as it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from tokenunlearn.notebook import NotebookView, unlearned_view
from tokenunlearn.training.checkpoints import CheckpointSettings, newest
from tokenunlearn.training.config import UnlearnConfig
from tokenunlearn.training.finetune import QUIET
from tokenunlearn.training.preparation import make_trainable
from tokenunlearn.training.references import Phase
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.trackers import Reporting
from tokenunlearn.training.trainer import UnlearnTrainer

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel

    from tokenunlearn.attribution.score_set import ScoreSet

OnStep = Callable[[dict[str, float]], None]
ShouldStop = Callable[[], bool]
OnWeights = Callable[[LoadedModel, int], None]
OnBegin = Callable[[int, int], None]


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
        stopped: "" after the last step, "reached" where a schedule ended training before it, "cancelled", or
            "collapsed" where the collapse guard did; the model then holds its last good weights.
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
        return self.show()._repr_html_()

    def show(self) -> NotebookView:
        """Curves and records as a notebook draws them; ``show().save("run.html")`` writes them as a page."""
        return unlearned_view(self)

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
    scores: ScoreSet | None = None,
    config: UnlearnSettings | None = None,
    on_phase: Phase | None = None,
    on_step: OnStep | None = None,
    should_stop: ShouldStop | None = None,
    on_weights: OnWeights | None = None,
    on_begin: OnBegin | None = None,
    checkpoints: str | Path | None = None,
    checkpoint_every: int = 10,
    checkpoint_minutes: float = 0.0,
    report_to: str | Sequence[str] | Reporting = "",
    **settings: Any,
) -> Unlearned:
    """Make a model forget samples with the given token weights. The model passed in stays as it is.

    With a folder for checkpoints an interrupted call can be repeated: it goes on from the newest checkpoint
    that is whole, and ends as if it had not been interrupted. The folder holds the last two checkpoints and
    belongs to this one training; remove it when the result is stored.

    Args:
        model: The start model, which is the reference too.
        samples: The forget set.
        weights: Token weights of the very same samples; None weights every response token alike.
        retain: Retained samples or the name that loads them; needed unless the regularizer is "none".
        scores: The score set that the weights are from, which says how ``holdout`` and ``rescore`` score; by
            default with the default settings.
        config: Configuration; or give its fields, and the objective's parameters, by name in ``settings``.
        on_phase: Called with phase ("holdout", "reference", "training"), done and total.
        on_step: Called with each step's record.
        should_stop: Asked after every step; True ends the run there.
        on_weights: Called with the model in training and the steps behind its weights, before the first step
            and after each; it must leave the model as it was. Those of a checkpoint are not shown again.
        on_begin: Called once before the first step, with the step of the checkpoint that training goes on
            from, or 0, and the step that it goes up to; the two agree where no step is left.
        checkpoints: Folder for checkpoints; None writes none.
        checkpoint_every: Optimizer steps from one checkpoint to the next, at least. There is always one after
            the last step, and where ``should_stop`` ended training.
        checkpoint_minutes: Minutes from one checkpoint to the next, at least.
        report_to: "tensorboard", "trackio", "wandb", several of them, or none.
        **settings: E.g. ``objective="npo", beta=0.1, regularizer="kl", steps=40``.

    Raises:
        TokenUnlearnError: If the configuration, the retained samples or the weights do not fit, or the
            checkpoints belong to another training.
    """
    due = CheckpointSettings(checkpoint_every if checkpoints else 0, checkpoint_minutes)
    if config is None:
        config = UnlearnSettings.from_settings(settings)
    elif settings:
        raise TokenUnlearnError("Pass either a config or settings by name, not both.")
    config, reporting = config.resolved(model), Reporting.to(report_to)
    on_phase = on_phase or (lambda phase, done, total: None)
    rng = torch.random.fork_rng(devices=[], enabled=True)
    with rng, reporting.training(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(checkpoints if checkpoints and due.every else scratch)
        target, lora = start_copy(model, config)
        arguments = UnlearnConfig.from_settings(
            config,
            output_dir=str(folder),
            save_strategy="no",  # the watch says when
            save_total_limit=2,
            use_cpu=target.device.type == "cpu",
            **QUIET | reporting.arguments,
        )
        watch = _Watch(due, on_phase, on_step, should_stop, on_weights, on_begin)
        trainer = UnlearnTrainer(
            target,
            arguments,
            samples,
            retain,
            weights,
            peft_config=lora,
            callbacks=[watch],
            scores=scores,
            on_phase=on_phase,
        )
        watch.trainer, trainer.reference = trainer, model
        trainer.remove_callback(PrinterCallback)
        with torch.enable_grad():
            trainer.train(resume_from_checkpoint=newest(folder))
    if config.gradient_checkpointing:
        target.model.activation_checkpointing_disable()
    # The trainer knows the adapter, and no rank or alpha of it.
    config = replace(trainer.settings, lora_r=config.lora_r, lora_alpha=config.lora_alpha)
    peft: PeftModel | None = trainer.model if lora is not None else None  # type: ignore[assignment]
    if launched() and is_sharded(target.model):
        target, peft = _gathered(trainer, model, config)
    target.model.eval()
    return Unlearned(
        model=target,
        config=config,
        trained=trainer.trained,
        history=watch.history,
        stopped="collapsed" if trainer.fault else watch.stopped or ("reached" if trainer.reached else ""),
        fault=trainer.fault,
        good_step=trainer.good_step,
        token_weights=trainer.token_weights(),
        _peft=peft,
    )


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


def _gathered(
    trainer: UnlearnTrainer, model: LoadedModel, settings: UnlearnSettings
) -> tuple[LoadedModel, PeftModel | None]:
    """A whole model of the weights that are sharded over the processes; all of them must call this."""
    from accelerate.utils import broadcast_object_list

    weights = [trainer.accelerator.get_state_dict(trainer.model_wrapped)]
    broadcast_object_list(weights)  # accelerate hands them to the main process alone
    target, peft, _ = trainable_copy(model, settings)
    target.model.load_state_dict({name.removeprefix("model."): value for name, value in weights[0].items()})
    return target, peft


class _Watch(TrainerCallback):
    """Keeps the records, tells of every step, has checkpoints written, and asks whether to stop."""

    trainer: UnlearnTrainer

    def __init__(
        self,
        checkpoints: CheckpointSettings,
        on_phase: Phase,
        on_step: OnStep | None,
        should_stop: ShouldStop | None,
        on_weights: OnWeights | None,
        on_begin: OnBegin | None,
    ) -> None:
        self.checkpoints, self.on_phase, self.on_record = checkpoints, on_phase, on_step
        self.should_stop, self.on_weights, self.on_begin = should_stop, on_weights, on_begin
        self.history: list[dict[str, float]] = []
        self.stopped = ""
        self.started = self.saved_at = time.monotonic()
        self.saved_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go on with the records of a checkpoint, and start the clock."""
        step = self.saved_step = state.global_step
        self.history = [_record(logs) for logs in state.log_history if "loss" in logs]
        if self.on_begin:
            self.on_begin(step, state.max_steps)
        if step == 0:
            self._show_weights(0)
        self.saved_at = time.monotonic()
        self.started = self.saved_at - (self.history[-1]["seconds"] if step else 0.0)
        self.on_phase("training", step, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop when asked, and save where that is due; show the weights unless they are at fault."""
        if self.trainer.fault:
            return
        if any_process(self.should_stop is not None and self.should_stop()):
            self.stopped = "cancelled"
            control.should_training_stop = True
        due = control.should_training_stop or self._due(state.global_step)
        control.should_save = self.checkpoints.every > 0 and any_process(due)
        self._show_weights(state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count from this checkpoint."""
        self.saved_step, self.saved_at = state.global_step, time.monotonic()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Record one step; its checkpoint holds the time as well."""
        if not logs or "loss" not in logs:
            return
        state.log_history[-1]["seconds"] = time.monotonic() - self.started
        record = _record(state.log_history[-1])
        self.history.append(record)
        if self.on_record:
            self.on_record(record)
        self.on_phase("training", state.global_step, state.max_steps)

    def _due(self, step: int) -> bool:
        """Whether steps and time since the last checkpoint are enough for another."""
        minutes = (time.monotonic() - self.saved_at) / 60
        return step - self.saved_step >= self.checkpoints.every and minutes >= self.checkpoints.minutes

    def _show_weights(self, step: int) -> None:
        if self.on_weights:
            self.on_weights(self.trainer.lm, step)


def _record(logs: Mapping[str, float]) -> dict[str, float]:
    """A step's record, of what transformers logged."""
    logs = {"grad_norm": 0.0, "learning_rate": 0.0, **logs}
    return {"step": float(logs["step"])} | {
        k: float(v) for k, v in logs.items() if k not in ("step", "epoch")
    }
