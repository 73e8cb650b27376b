"""Unlearning with token weights: a transformers Trainer over batches of forget and retained samples."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import ScoreSetError, TokenUnlearnError
from tokenunlearn.forward import output_head, response_hidden, response_nll
from tokenunlearn.models import LoadedModel
from tokenunlearn.objectives import ForgetStep, Objective, RetainStep, make_objective, make_regulariser
from tokenunlearn.samples import Batch, Encoding, Sample, SampleSet, batches_by_length, collate
from tokenunlearn.training.finetune import training_arguments
from tokenunlearn.training.unlearn_config import UnlearnConfig

if TYPE_CHECKING:
    from peft import PeftModel

SNAPSHOT_EVERY = 10

Phase = Callable[[str, int, int], None]
OnStep = Callable[[dict[str, float]], None]
ShouldStop = Callable[[], bool]


@dataclass
class Unlearned:
    """What an unlearning run leaves behind.

    Attributes:
        model: The unlearned model; a LoRA adapter stays unmerged over the start model's own tensors.
        config: The configuration with every "auto" decided.
        history: One record a step: loss, forget_loss, retain_loss, forget_nll, grad_norm, learning_rate,
            seconds.
        stopped: "" after the last step, "cancelled", or "diverged" when the loss was no finite number any
            more; the model then holds its last good weights.
        good_step: Optimiser steps behind the weights in ``model``.
    """

    model: LoadedModel
    config: UnlearnConfig
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
    forget = model.encode_all(model.chunk(samples))
    kept = model.encode_all(model.chunk(retain)) if config.needs_retain and retain else []
    token_weights = _fitting_weights(forget, weights)

    with torch.random.fork_rng(devices=[], enabled=True):
        torch.manual_seed(config.seed)
        target, peft = _trainable_copy(model, config)
        plan = StepPlan.draw(config, len(forget), len(kept))
        references = References.measure(model, config, forget, kept, plan, on_phase or _ignore)
        trainer = _trainer(target, config, forget, kept, token_weights, plan, references)
        watch = _Watch(trainer, config, on_phase or _ignore, on_step, should_stop)
        trainer.add_callback(watch)
        with torch.enable_grad():
            trainer.train()
    stopped, good_step = watch.settle()
    target.model.eval()
    return Unlearned(target, config, watch.history, stopped, good_step, peft)


def _ignore(phase: str, done: int, total: int) -> None:
    """Nobody listens to the phases."""


def _fitting_weights(forget: Sequence[Encoding], weights: TokenWeights | None) -> list[Tensor]:
    """Weights as tensors (T_i,), checked against the encodings they are for."""
    if weights is None:
        return [torch.ones(e.response_length) for e in forget]
    if list(weights.sample_ids) != [e.sample_id for e in forget]:
        raise ScoreSetError(
            "The token weights belong to other samples than the ones to forget; score these first."
        )
    for e, w in zip(forget, weights.weights, strict=True):
        if len(w) != e.response_length:
            raise ScoreSetError(
                f"Sample {e.sample_id} has {e.response_length} response tokens but {len(w)} weights; "
                "the weights come from another tokenizer, score the samples with this model."
            )
    return [torch.tensor(w, dtype=torch.float32) for w in weights.weights]


def _trainable_copy(model: LoadedModel, config: UnlearnConfig) -> tuple[LoadedModel, PeftModel | None]:
    """The model to train: an adapter over the start model's own tensors, or a copy of all weights."""
    if config.train == "full":
        target = model.copy(share_weights=False)
        target.model.float().requires_grad_(True)
        return target, None
    from peft import LoraConfig, get_peft_model

    target = model.copy(share_weights=True)
    lora = LoraConfig(
        r=config.lora_r, lora_alpha=config.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    peft = get_peft_model(target.model, lora)  # type: ignore[arg-type]
    target.model = peft.get_base_model()  # type: ignore[assignment]
    return target, peft  # type: ignore[return-value]


@dataclass(frozen=True)
class StepPlan:
    """Which samples each step reads, drawn once from the run's seed.

    Attributes:
        forget: (steps * batch_size,) indices; every sample comes up equally often.
        retain: (steps * retain_batch_size,) indices likewise; empty without retained samples.
    """

    forget: tuple[int, ...]
    retain: tuple[int, ...]

    @classmethod
    def draw(cls, config: UnlearnConfig, forget: int, retain: int) -> StepPlan:
        """Shuffle forget and retained samples, again and again, until there are enough for all steps."""
        generator = torch.Generator().manual_seed(config.seed)

        def cycle(size: int, count: int) -> tuple[int, ...]:
            drawn: list[int] = []
            while size and len(drawn) < count:
                drawn += torch.randperm(size, generator=generator).tolist()
            return tuple(drawn[:count])

        batch, retain_batch = config.batch_size, config.retain_batch_size
        return cls(cycle(forget, config.steps * batch), cycle(retain, config.steps * retain_batch))


@dataclass(frozen=True)
class References:
    """What the reference model said before anything changed; it replaces a second copy of the weights.

    Attributes:
        nll: (T_i,) reference token NLL of each forget sample, in nats; empty when the objective needs none.
        hidden: (T_i, d) final hidden states of each retained sample that some step reads; its head makes
            logits of them.
        head: The reference's map from final hidden states to logits.
    """

    nll: Sequence[Tensor]
    hidden: dict[int, Tensor]
    head: Callable[[Tensor], Tensor]

    @classmethod
    def measure(
        cls,
        lm: LoadedModel,
        config: UnlearnConfig,
        forget: Sequence[Encoding],
        retain: Sequence[Encoding],
        plan: StepPlan,
        on_phase: Phase,
    ) -> References:
        """Run the reference once over what the steps will read."""
        objective = make_objective(config.objective, config.parameters)
        regulariser = make_regulariser(config.regulariser)
        drawn = sorted(set(plan.retain)) if regulariser and regulariser.needs_reference else []
        wanted = len(forget) if objective.needs_reference else 0
        total = wanted + len(drawn)
        nll = (
            response_nll(lm, forget, progress=lambda done, _: on_phase("reference", done, total))
            if wanted
            else []
        )
        hidden: dict[int, Tensor] = {}
        with torch.no_grad():
            for group in batches_by_length([len(retain[i]) for i in drawn], 4096):
                rows = [drawn[g] for g in group]
                batch = collate([retain[i] for i in rows], lm.pad_id, lm.device)
                states = response_hidden(lm.model, batch).cpu()
                for row, index in enumerate(rows):
                    hidden[index] = states[row, : retain[index].response_length].clone()
                on_phase("reference", wanted + len(hidden), total)
        return cls(nll, hidden, output_head(lm.model))


def _padded(rows: Sequence[Tensor], time: int) -> Tensor:
    """Rows (T_i, ...) stacked into (B, time, ...), 0 where a row has ended."""
    out = torch.zeros((len(rows), time, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for row, values in enumerate(rows):
        out[row, : len(values)] = values
    return out


def _trainer(
    target: LoadedModel,
    config: UnlearnConfig,
    forget: Sequence[Encoding],
    retain: Sequence[Encoding],
    weights: Sequence[Tensor],
    plan: StepPlan,
    references: References,
) -> UnlearnTrainer:
    ratio = config.retain_batch_size

    def collator(steps: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Forget rows first, retained rows after them, all in one forward pass."""
        (step,) = steps
        batch_forget = [
            plan.forget[i]
            for i in range(step["step"] * config.batch_size, (step["step"] + 1) * config.batch_size)
        ]
        batch_retain = list(plan.retain[step["step"] * ratio : (step["step"] + 1) * ratio])
        batch = collate([forget[i] for i in batch_forget] + [retain[i] for i in batch_retain], target.pad_id)
        inputs = {name: getattr(batch, name) for name in Batch.FIELDS}
        time = batch.labels.shape[1]
        inputs["weights"] = _padded([weights[i] for i in batch_forget], time)
        if references.nll:
            inputs["ref_nll"] = _padded([references.nll[i] for i in batch_forget], time)
        if references.hidden:
            inputs["ref_hidden"] = _padded([references.hidden[i] for i in batch_retain], time)
        return inputs

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
        data_collator=collator,
    )
    trainer.prepare(config, references, folder)
    return trainer


class UnlearnTrainer(Trainer):
    """A Trainer whose loss is ``gamma * L_f + lambda * L_r``."""

    def prepare(
        self, config: UnlearnConfig, references: References, folder: tempfile.TemporaryDirectory
    ) -> None:
        """Take what the loss needs beside the batches."""
        self.config = config
        self.objective: Objective = make_objective(config.objective, config.parameters)
        self.regulariser = make_regulariser(config.regulariser) if config.needs_retain else None
        self.reference_head = references.head
        self.parts: dict[str, float] = {}
        self.snapshot: tuple[int, list[Tensor]] = (0, [])
        self._folder = folder
        self.remove_callback(PrinterCallback)

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: PreTrainedModel, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """Total loss of one step; the parts are kept for its record."""
        weights, ref_nll, ref_hidden = (
            inputs.pop("weights"),
            inputs.pop("ref_nll", None),
            inputs.pop("ref_hidden", None),
        )
        batch = Batch(**inputs)
        logits = output_head(model)(response_hidden(model, batch))  # (F + R, T, V)
        n = len(weights)
        step = ForgetStep(logits[:n], batch.labels[:n], weights, ref_nll)
        forget_loss = self.objective.loss(step)
        loss = self.config.gamma * forget_loss
        self.parts = {
            "forget_loss": forget_loss.item(),
            "forget_nll": ((step.nll.detach() * weights).sum() / weights.sum().clamp_min(1e-12)).item(),
        }
        if self.regulariser is not None:
            ref_logits = (
                None if ref_hidden is None else self.reference_head(ref_hidden.to(logits.device)).detach()
            )
            retain_loss = self.regulariser.loss(
                RetainStep(logits[n:], batch.labels[n:], batch.mask[n:], ref_logits)
            )
            self.parts["retain_loss"] = retain_loss.item()
            loss = loss + self.config.lambda_ * retain_loss
        self.parts["loss"] = loss.item()
        if self.state.global_step % SNAPSHOT_EVERY == 0 and torch.isfinite(loss):
            self.snapshot = (self.state.global_step, [p.detach().clone() for p in self.trainable()])
        return (loss, None) if return_outputs else loss

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
        self.history: list[dict[str, float]] = []
        self.stopped = ""
        self.started = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self.started = time.monotonic()
        self.on_phase("training", 0, self.config.steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop when asked, or when the loss has diverged."""
        if not _finite(self.trainer.parts["loss"]):
            self.stopped = "diverged"
        elif self.should_stop is not None and self.should_stop():
            self.stopped = "cancelled"
        if self.stopped:
            control.should_training_stop = True

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
