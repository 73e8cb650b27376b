"""Unlearning with token weights: a transformers Trainer over batches of forget and retained samples."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers import PrinterCallback, Trainer, TrainerCallback

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.layers import down_projections
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.processes import (
    any_process,
    full_weights,
    is_sharded,
    launched,
    process_count,
    process_index,
)
from tokenunlearn.models.token_budget import training_tokens
from tokenunlearn.objectives import make_objective, make_weighting
from tokenunlearn.objectives.refusals import REFUSALS
from tokenunlearn.training.applied_weights import AppliedWeights
from tokenunlearn.training.finetune import training_arguments
from tokenunlearn.training.references import Phase, References
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.step_loss import StepLoss
from tokenunlearn.training.step_rows import StepPlan, StepRows, fixed_weights

if TYPE_CHECKING:
    from peft import PeftModel

SNAPSHOT_EVERY = 10

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
            on every linear layer.
        history: One record a step: loss, forget_loss, retain_loss, lambda, forget_nll, grad_norm,
            learning_rate, seconds.
        stopped: "" after the last step, "cancelled", or "diverged" when the loss was no finite number any
            more; the model then holds its last good weights.
        good_step: Optimizer steps behind the weights in ``model``.
        token_weights: (T_i,) token weights of each forget sample (documents in chunks), in order, as applied:
            the mean over the steps that read it where the weighting changes from step to step.
    """

    model: LoadedModel
    config: UnlearnSettings
    trained: tuple[str, ...] = ("all",)
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""
    good_step: int = 0
    token_weights: Sequence[np.ndarray] = ()
    _peft: PeftModel | None = None

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
        raise TokenUnlearnError("Give either a config or settings by name, not both.")
    config = config.resolved(model)
    if isinstance(retain, str):
        retain = load_samples(retain)
    if not len(samples):
        raise TokenUnlearnError("There are no samples to forget.")
    if config.needs_retain and not retain:
        raise TokenUnlearnError(
            f'The regularizer "{config.regularizer}" needs retained samples; name some, or use none.'
        )
    samples = model.chunk(samples)
    forget = model.encode_all(samples)
    kept = model.encode_all(model.chunk(retain)) if config.needs_retain and retain else []
    weighting = make_weighting(config.weighting, config.weighting_parameters)
    token_weights = fixed_weights(forget, weights, weighting, config.seed)
    refusals = _refusals(model, samples, config)

    with torch.random.fork_rng(devices=[], enabled=True):
        torch.manual_seed(config.seed)
        target, peft, trained = trainable_copy(model, config)
        plan = StepPlan.draw(config, len(forget), len(kept))
        rows = StepRows(config, forget, refusals, kept, token_weights, plan)
        passes = passes_of_step(model, config, rows)
        config = replace(config, gradient_accumulation=passes)
        rows = replace(rows, config=config, parts=passes * process_count())
        drawn = rows.retained(process_index(), process_count())
        references = References.measure(model, config, forget, refusals, drawn, on_phase or _ignore)
        if config.gradient_checkpointing:
            target.model.activation_checkpointing_enable({"use_reentrant": False})
        loss = StepLoss(target.model, config, references)
        if not weighting.uses_selection:
            loss.applied = AppliedWeights([e.response_length for e in forget])
        trainer = _trainer(target, config, rows, loss)
        watch = _Watch(trainer, config, on_phase or _ignore, on_step, should_stop)
        if on_weights is not None:
            watch.on_weights = partial(on_weights, target)
        trainer.add_callback(watch)
        with torch.enable_grad():
            trainer.train()
    if config.gradient_checkpointing:
        target.model.activation_checkpointing_disable()
    stopped, good_step = watch.settle()
    if launched() and is_sharded(target.model):  # the modules stay wrapped, so the weights move to fresh ones
        weights_now = full_weights(target.model)
        target, peft, trained = trainable_copy(model, config)
        target.model.load_state_dict(weights_now, strict=False)
    target.model.eval()
    applied = loss.applied.means() if loss.applied else [row.numpy() for row in token_weights]
    return Unlearned(target, config, trained, watch.history, stopped, good_step, applied, peft)


def _ignore(phase: str, done: int, total: int) -> None:
    """Nobody listens to the phases."""


def _refusals(model: LoadedModel, samples: Sequence[Sample], config: UnlearnSettings) -> list[Encoding]:
    """A refusal in place of each answer, drawn from the run's seed; none where the objective reads none."""
    if "refusals" not in config.forget_needs:
        return []
    draw = Random(config.seed)
    return [model.encode(sample, answer=draw.choice(REFUSALS)) for sample in samples]


def trainable_copy(
    model: LoadedModel, config: UnlearnSettings
) -> tuple[LoadedModel, PeftModel | None, tuple[str, ...]]:
    """The model to train, and what of it: an adapter over the start model's own tensors, or a copy."""
    few: list[str] = []
    if make_objective(config.objective, config.parameters).few_modules:
        assert config.layer is not None
        few = down_projections(model.model, config.layer)
    if config.train == "full":
        target = model.copy(share_weights=False)
        target.model.float().requires_grad_(not few)
        for name in few:
            target.model.get_submodule(name).requires_grad_(True)
        return target, None, tuple(few) or ("all",)
    from peft import LoraConfig, get_peft_model

    target = model.copy(share_weights=True)
    lora = LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        target_modules=few or "all-linear",
        task_type="CAUSAL_LM",
    )
    peft = get_peft_model(target.model, lora)  # type: ignore[arg-type]
    target.model = peft.get_base_model()  # type: ignore[assignment]
    return target, peft, tuple(few) or ("all-linear",)  # type: ignore[return-value]


def passes_of_step(model: LoadedModel, config: UnlearnSettings, rows: StepRows) -> int:
    """Passes of a step in each process: as asked, or as few as the training budget allows.

    Raises:
        TokenUnlearnError: If a step has fewer samples than parts.
    """
    processes = process_count()
    passes = config.gradient_accumulation
    fewest = min([config.batch_size, *([config.retain_batch_size] if config.needs_retain else [])])
    if passes is None:
        steps = (rows.of_step(step) for step in range(config.steps))
        tokens = max(
            sum(len(rows.forget[i]) for i in forget)
            + sum(len(rows.refusals[i]) for i in forget if rows.refusals)
            + sum(len(rows.retain[i]) for i in retain)
            for forget, retain in steps
        )
        budget = training_tokens(model, checkpointing=config.gradient_checkpointing)
        passes = max(1, min(-(-tokens // (budget * processes)), fewest // processes))
    if passes * processes > fewest:
        raise TokenUnlearnError(
            f"A step of {config.batch_size} forget and {config.retain_batch_size} retained samples cannot be "
            f"spread over {passes} passes in each of {processes} processes; enlarge batch_size and "
            "retain_batch_size or lower gradient_accumulation."
        )
    return passes


def _trainer(target: LoadedModel, config: UnlearnSettings, rows: StepRows, loss: StepLoss) -> UnlearnTrainer:
    assert config.learning_rate is not None and config.gradient_accumulation is not None
    folder = tempfile.TemporaryDirectory()
    arguments = training_arguments(
        folder.name,
        target.device,
        max_steps=config.steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        warmup_steps=min(config.warmup_steps, config.steps - 1),
        max_grad_norm=config.max_grad_norm,
        weight_decay=0.0,
        lr_scheduler_type="constant_with_warmup",
        train_sampling_strategy="sequential",
        logging_steps=1,
        logging_nan_inf_filter=False,
        ddp_find_unused_parameters=False,
        seed=config.seed,
        bf16=config.bf16,
    )
    trainer = UnlearnTrainer(
        model=loss,
        args=arguments,
        train_dataset=[{"part": i} for i in range(config.steps * rows.parts)],
        data_collator=lambda parts: rows.batch(parts[0]["part"], loss.references, target.pad_id),
    )
    trainer.prepare(loss, rows.parts, folder)
    return trainer


class UnlearnTrainer(Trainer):
    """A Trainer whose loss is ``gamma * L_f + lambda * L_r`` of a whole step, over all of its parts."""

    def prepare(self, loss: StepLoss, parts: int, folder: tempfile.TemporaryDirectory) -> None:
        """Take what training needs beside the batches."""
        self.loss, self.count = loss, parts
        self.sums: list[Tensor] = []
        self.parts: dict[str, float] = {}
        self.snapshot: tuple[int, list[Tensor]] = (0, [])
        self._folder = folder
        self.remove_callback(PrinterCallback)

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: torch.nn.Module, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """A part's share of the total loss, times the number of parts, since the trainer takes their mean."""
        loss, sums = model(inputs)
        self.sums.append(sums)
        loss = loss * self.count
        return (loss, None) if return_outputs else loss

    def finish_parts(self) -> None:
        """Add up the record of a step whose backward passes are done; keep its weights now and then."""
        sums = self.accelerator.reduce(torch.stack(self.sums).sum(0), "sum")
        forget, retain, weighted_nll, weight = sums.tolist()
        self.sums.clear()
        loss = self.loss.settings.gamma * forget
        self.parts = {"forget_loss": forget, "forget_nll": weighted_nll / max(weight, 1e-12)}
        if self.loss.regularizer is not None:
            self.parts |= {"retain_loss": retain, "lambda": self.loss.lambda_}
            loss += self.loss.lambda_ * retain
        self.parts["loss"] = loss
        if self.state.global_step % SNAPSHOT_EVERY == 0 and math.isfinite(loss):
            self.snapshot = (self.state.global_step, [p.detach().clone() for p in self.trainable()])

    def trainable(self) -> list[torch.nn.Parameter]:
        """Parameters that the run changes."""
        return [p for p in self.loss.parameters() if p.requires_grad]


class _Watch(TrainerCallback):
    """Keeps the records, asks whether to stop, goes back to the last good weights on divergence."""

    def __init__(
        self,
        trainer: UnlearnTrainer,
        config: UnlearnSettings,
        on_phase: Phase,
        on_step: OnStep | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self.trainer, self.config = trainer, config
        self.on_phase, self.on_record, self.should_stop = on_phase, on_step, should_stop
        self.on_weights: Callable[[int], None] = lambda step: None
        self.history: list[dict[str, float]] = []
        self.stopped = ""
        self.started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.on_weights(0)
        self.started = time.monotonic()
        self.on_phase("training", 0, self.config.steps)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The step's losses are known, its weights are still the old ones."""
        self.trainer.finish_parts()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Adapt lambda; stop when asked, or when the loss has diverged."""
        trainer = self.trainer
        if "retain_loss" in trainer.parts:
            loss = trainer.loss
            loss.lambda_ = loss.objective.next_lambda(
                loss.lambda_, trainer.parts["retain_loss"], state.global_step
            )
        if not math.isfinite(trainer.parts["loss"]):
            self.stopped = "diverged"
        elif any_process(self.should_stop is not None and self.should_stop()):
            self.stopped = "cancelled"
        if self.stopped:
            control.should_training_stop = True
        if self.stopped != "diverged":
            self.on_weights(state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Record one step."""
        if not logs or "loss" not in logs:
            return
        record = {
            "step": float(state.global_step),
            **self.trainer.parts,
            "grad_norm": float(logs.get("grad_norm", 0.0)),
            "learning_rate": float(logs.get("learning_rate", 0.0)),
            "seconds": time.monotonic() - self.started,
        }
        self.history.append(record)
        if self.on_record:
            self.on_record(record)
        self.on_phase("training", state.global_step, self.config.steps)

    def settle(self) -> tuple[str, int]:
        """Why the run stopped, and how many steps are behind its (last good) weights."""
        weights = self.trainer.trainable()
        if self.stopped != "diverged" and all(torch.isfinite(p).all() for p in weights):
            return self.stopped, len(self.history)
        step, snapshot = self.trainer.snapshot
        with torch.no_grad():
            for parameter, good in zip(weights, snapshot, strict=False):
                parameter.copy_(good)
        return "diverged", step
