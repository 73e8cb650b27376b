"""Unlearning with token weights: a transformers Trainer over batches of forget and retained samples."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.forward import output_head, response_hidden, token_nll
from tokenunlearn.models import LoadedModel
from tokenunlearn.objectives import (
    ForgetStep,
    Objective,
    Refusals,
    RetainStep,
    make_objective,
    make_regulariser,
    make_weighting,
)
from tokenunlearn.objectives.refusals import REFUSALS
from tokenunlearn.samples import Batch, Encoding, Sample, SampleSet
from tokenunlearn.training.finetune import training_arguments
from tokenunlearn.training.layers import down_projections, layer_states
from tokenunlearn.training.references import Phase, References
from tokenunlearn.training.step_rows import StepPlan, StepRows, fixed_weights
from tokenunlearn.training.unlearn_config import UnlearnConfig

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
        good_step: Optimiser steps behind the weights in ``model``.
    """

    model: LoadedModel
    config: UnlearnConfig
    trained: tuple[str, ...] = ("all",)
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""
    good_step: int = 0
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
    config: UnlearnConfig | None = None,
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
        retain: Retained samples or the name that loads them; needed unless the regulariser is "none".
        config: Configuration; or give its fields, and the objective's parameters, by name in ``settings``.
        on_phase: Called with phase ("reference", "training"), done and total.
        on_step: Called with each step's record.
        should_stop: Asked after every step; True ends the run there.
        on_weights: Called with the model in training and the steps behind its weights, before the first step
            and after each; it must leave the model as it was.
        **settings: E.g. ``objective="npo", beta=0.1, regulariser="kl", steps=40``.

    Raises:
        TokenUnlearnError: If the configuration, the retained samples or the weights do not fit.
    """
    if config is None:
        config = UnlearnConfig.from_settings(settings)
    elif settings:
        raise TokenUnlearnError("Give either a config or settings by name, not both.")
    config = config.resolved(model)
    if isinstance(retain, str):
        retain = load_samples(retain)
    if not len(samples):
        raise TokenUnlearnError("There are no samples to forget.")
    if config.needs_retain and not retain:
        raise TokenUnlearnError(
            f'The regulariser "{config.regulariser}" needs retained samples; name some, or use none.'
        )
    samples = model.chunk(samples)
    forget = model.encode_all(samples)
    kept = model.encode_all(model.chunk(retain)) if config.needs_retain and retain else []
    weighting = make_weighting(config.weighting, config.weighting_parameters)
    token_weights = fixed_weights(forget, weights, weighting, config.seed)
    refusals = _refusals(model, samples, config)

    with torch.random.fork_rng(devices=[], enabled=True):
        torch.manual_seed(config.seed)
        target, peft, trained = _trainable_copy(model, config)
        plan = StepPlan.draw(config, len(forget), len(kept))
        drawn = {i: kept[i] for i in sorted(set(plan.retain))}
        references = References.measure(model, config, forget, refusals, drawn, on_phase or _ignore)
        rows = StepRows(config, forget, refusals, kept, token_weights, plan, references)
        trainer = _trainer(target, config, rows)
        watch = _Watch(trainer, config, on_phase or _ignore, on_step, should_stop)
        if on_weights is not None:
            watch.on_weights = partial(on_weights, target)
        trainer.add_callback(watch)
        with torch.enable_grad():
            trainer.train()
    stopped, good_step = watch.settle()
    target.model.eval()
    return Unlearned(target, config, trained, watch.history, stopped, good_step, peft)


def _ignore(phase: str, done: int, total: int) -> None:
    """Nobody listens to the phases."""


def _refusals(model: LoadedModel, samples: Sequence[Sample], config: UnlearnConfig) -> list[Encoding]:
    """A refusal in place of each answer, drawn from the run's seed; none where the objective reads none."""
    if "refusals" not in config.forget_needs:
        return []
    draw = Random(config.seed)
    return [model.encode(sample, answer=draw.choice(REFUSALS)) for sample in samples]


def _trainable_copy(
    model: LoadedModel, config: UnlearnConfig
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


def _trainer(target: LoadedModel, config: UnlearnConfig, rows: StepRows) -> UnlearnTrainer:
    assert config.learning_rate is not None
    folder = tempfile.TemporaryDirectory()
    arguments = training_arguments(
        folder.name,
        target.device,
        max_steps=config.steps,
        per_device_train_batch_size=1,
        learning_rate=config.learning_rate,
        warmup_steps=min(config.warmup_steps, config.steps - 1),
        max_grad_norm=config.max_grad_norm,
        weight_decay=0.0,
        lr_scheduler_type="constant_with_warmup",
        train_sampling_strategy="sequential",
        logging_steps=1,
        logging_nan_inf_filter=False,
        seed=config.seed,
    )
    trainer = UnlearnTrainer(
        model=target.model,
        args=arguments,
        train_dataset=[{"step": i} for i in range(config.steps)],
        data_collator=lambda steps: rows.batch(steps[0]["step"], target.pad_id),
    )
    trainer.prepare(config, rows.references, folder)
    return trainer


class UnlearnTrainer(Trainer):
    """A Trainer whose loss is ``gamma * L_f + lambda * L_r``."""

    def prepare(
        self, config: UnlearnConfig, references: References, folder: tempfile.TemporaryDirectory
    ) -> None:
        """Take what the loss needs beside the batches."""
        self.config, self.references = config, references
        self.objective: Objective = make_objective(config.objective, config.parameters)
        self.weighting = make_weighting(config.weighting, config.weighting_parameters)
        self.regulariser = make_regulariser(config.regulariser) if config.needs_retain else None
        self.lambda_ = config.lambda_
        self.parts: dict[str, float] = {}
        self.snapshot: tuple[int, list[Tensor]] = (0, [])
        self._folder = folder
        self.remove_callback(PrinterCallback)

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: PreTrainedModel, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """Total loss of one step; the parts are kept for its record."""
        batch = Batch(**{name: inputs[name] for name in Batch.FIELDS})
        with layer_states(model, self.config.layer, batch) as collected:
            logits = output_head(model)(response_hidden(model, batch))  # (B, T, V)
        states = collected[0] if collected else None
        forget_loss, nll = self._forget_loss(inputs, batch, logits, states)
        self.parts = {"forget_loss": forget_loss.item(), "forget_nll": nll.item()}
        loss = self.config.gamma * forget_loss
        if self.regulariser is not None:
            retain_loss = self._retain_loss(inputs, batch, logits, states)
            self.parts |= {"retain_loss": retain_loss.item(), "lambda": self.lambda_}
            loss = loss + self.lambda_ * retain_loss
        self.parts["loss"] = loss.item()
        if self.state.global_step % SNAPSHOT_EVERY == 0 and torch.isfinite(loss):
            self.snapshot = (self.state.global_step, [p.detach().clone() for p in self.trainable()])
        return (loss, None) if return_outputs else loss

    def _forget_loss(
        self, inputs: dict[str, Tensor], batch: Batch, logits: Tensor, states: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Forget loss, and the weighted mean NLL of the forget tokens."""
        n = len(inputs["weights"])  # forget rows; their refusals are the next n
        refusals = None
        if "refusals.ref_nll" in inputs:
            nll = token_nll(logits[n : 2 * n], batch.labels[n : 2 * n])
            refusals = Refusals(nll, inputs["refusals.ref_nll"], batch.mask[n : 2 * n])
        control = self.references.control
        step = ForgetStep(
            logits[:n],
            batch.labels[:n],
            batch.mask[:n],
            inputs["weights"],
            ref_nll=inputs.get("forget.ref_nll"),
            ref_logits=self._ref_logits(inputs.get("forget.ref_hidden")),
            base_nll=inputs.get("forget.base_nll"),
            states=None if states is None else states[:n],
            control=None if control is None else control.to(logits.device),
            refusals=refusals,
        )
        published = self.config.published_scale
        step.weights = self.weighting.weights(step, published_scale=published)
        total = step.weights.sum()
        loss = self.objective.loss(step)
        if published and self.objective.token_mean and not self.weighting.uses_selection:
            loss = loss * (total / step.mask.sum())  # a mean over tokens of w * loss, as published
        return loss, (step.nll.detach() * step.weights).sum() / total.clamp_min(1e-12)

    def _retain_loss(
        self, inputs: dict[str, Tensor], batch: Batch, logits: Tensor, states: Tensor | None
    ) -> Tensor:
        assert self.regulariser is not None
        first = len(inputs["weights"]) * (2 if "refusals.ref_nll" in inputs else 1)
        rows = slice(first, None)
        return self.regulariser.loss(
            RetainStep(
                logits[rows],
                batch.labels[rows],
                batch.mask[rows],
                self._ref_logits(inputs.get("retain.ref_hidden")),
                None if states is None else states[rows],
                inputs.get("retain.ref_states"),
            )
        )

    def _ref_logits(self, hidden: Tensor | None) -> Tensor | None:
        """The reference's logits from its stored final hidden states."""
        if hidden is None:
            return None
        with torch.no_grad():
            return self.references.head(hidden)

    def trainable(self) -> list[torch.nn.Parameter]:
        """Parameters that the run changes."""
        assert self.model is not None
        return [p for p in self.model.parameters() if p.requires_grad]


class _Watch(TrainerCallback):
    """Keeps the records, asks whether to stop, goes back to the last good weights on divergence."""

    def __init__(
        self,
        trainer: UnlearnTrainer,
        config: UnlearnConfig,
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

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Adapt lambda; stop when asked, or when the loss has diverged."""
        trainer = self.trainer
        if "retain_loss" in trainer.parts:
            trainer.lambda_ = trainer.objective.next_lambda(
                trainer.lambda_, trainer.parts["retain_loss"], state.global_step
            )
        if not _finite(self.trainer.parts["loss"]):
            self.stopped = "diverged"
        elif self.should_stop is not None and self.should_stop():
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


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")
