"""UnlearnTrainer: a transformers Trainer that forgets samples with token weights."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback
from transformers.trainer_utils import TrainOutput

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import free_bytes, size_text
from tokenunlearn.models.context import fit_context
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.processes import is_sharded, process_count, process_index
from tokenunlearn.objectives import make_objective
from tokenunlearn.training import checkpoints
from tokenunlearn.training.applied_weights import AppliedWeights
from tokenunlearn.training.checkpointed_trainer import CheckpointedTrainer
from tokenunlearn.training.checkpoints import Checkpoint
from tokenunlearn.training.config import UnlearnConfig
from tokenunlearn.training.guard import CollapseGuard
from tokenunlearn.training.holdout import with_level
from tokenunlearn.training.memory import FLOAT32
from tokenunlearn.training.preparation import (
    Samples,
    as_samples,
    encoded_rows,
    make_trainable,
    passes_of_step,
    trained_and_loaded,
)
from tokenunlearn.training.references import Phase, References
from tokenunlearn.training.rescoring import Rescoring
from tokenunlearn.training.schedules import Schedule, schedules_of
from tokenunlearn.training.settings import NONE, UnlearnSettings
from tokenunlearn.training.step_loss import StepLoss
from tokenunlearn.training.step_rows import fixed_weights

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedTokenizerBase

    from tokenunlearn.attribution.score_set import ScoreSet

SNAPSHOT_EVERY = 10
# Arguments of transformers that decide the steps of the optimizer, beside those that are settings.
OPTIMIZATION = (
    "optim",
    "optim_args",
    "optim_target_modules",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "lr_scheduler_type",
    "lr_scheduler_kwargs",
    "warmup_steps",
)
STATE_FILE = "unlearning.safetensors"


class UnlearnTrainer(CheckpointedTrainer):
    """A :class:`transformers.Trainer` whose loss is ``gamma * L_f + lambda * L_r`` of a whole step.

    The model is trained in place, or gets an adapter where ``peft_config`` is given. What the reference says
    is measured once, when training begins, so no second model is held. Each record holds, beside what
    transformers logs, ``forget_loss``, ``retain_loss``, ``lambda`` and ``forget_nll`` (weighted mean token
    NLL of the step's forget samples, in nats); with a level also ``level``, which that is to reach, and of an
    objective that fades the share of its beta (``fading``).

    A model that is being destroyed ends training, see :class:`~tokenunlearn.training.guard.CollapseGuard`: it
    then holds its last good weights, and ``fault`` says why.

    Args:
        model: Name or folder, a transformers or peft model, or a :class:`~tokenunlearn.models.LoadedModel`.
            It is the start model, and so the reference.
        args: Arguments; defaults of :class:`UnlearnConfig` without.
        forget_dataset: The forget set: samples, rows with "question" and "answer" (a ``datasets.Dataset``
            too), or a name such as "authors:forget10".
        retain_dataset: The retained samples likewise; needed unless the regularizer is "none".
        token_weights: Weights of the very same samples, in order; None weights every response token alike.
        processing_class: The model's tokenizer; needed where ``model`` is a bare transformers or peft model.
        peft_config: Adapter to train in place of the model's own weights.
        callbacks: Callbacks of transformers.
        optimizers: Optimizer and scheduler to use in place of what ``args`` names.
        scores: The score set that the weights are from, which says how ``holdout`` and ``rescore`` score; by
            default with the default settings.
        on_phase: Called with phase ("holdout", "reference", or "training" while it scores again), done and
            total.

    Attributes:
        settings: The settings with every "auto" decided.
        forget: The forget samples, documents cut into chunks.
        trained: Names of the trained modules; "all" for all weights, "all-linear" for an adapter on every
            linear layer, or the kinds of layers that it sits on.
        loss: The loss module around the model.
        fault: Why the guard ended training, as a sentence without its end; "" if it did not.
        good_step: Optimizer steps behind the weights that the model holds.
        schedules: What adapts lambda, and ends training before its last step; add your own.
        reached: Whether a schedule ended training.

    Raises:
        TokenUnlearnError: If samples, weights and settings do not fit together.
    """

    args: UnlearnConfig

    def __init__(
        self,
        model: str | Path | PreTrainedModel | PeftModel | LoadedModel,
        args: UnlearnConfig | None = None,
        forget_dataset: Samples | None = None,
        retain_dataset: Samples | None = None,
        token_weights: TokenWeights | None = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        peft_config: PeftConfig | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        scores: ScoreSet | None = None,
        on_phase: Phase | None = None,
    ) -> None:
        self.on_phase = on_phase or (lambda phase, done, total: None)
        args = UnlearnConfig() if args is None else copy.copy(args)  # what is left open is filled below
        trained, self.lm = trained_and_loaded(model, processing_class, args)
        adapter = peft_config is not None or hasattr(trained, "peft_config")
        settings = args.settings("lora" if adapter else "full").resolved(self.lm)
        self.forget = fit_context(self.lm, as_samples(forget_dataset, "forget"), settings.long)
        if not len(self.forget):
            raise TokenUnlearnError("There are no samples to forget.")
        retain = as_samples(retain_dataset, "retain") if settings.needs_retain else ()
        if settings.needs_retain and not len(retain):
            raise TokenUnlearnError(
                f'The regularizer "{settings.regularizer}" needs retained samples; add some or use none.'
            )
        rows = encoded_rows(self.lm, settings, self.forget, retain, token_weights)
        micro_batches = passes_of_step(self.lm, settings, rows)
        on_holdout = partial(self.on_phase, "holdout")
        settings = with_level(settings, self.lm, self.forget, retain, token_weights, scores, on_holdout)
        self.settings = replace(settings, gradient_accumulation=micro_batches)
        self.rows = replace(rows, config=self.settings, parts=micro_batches * process_count())
        self.first_weights, self.rescoring = self.rows.weights, None
        if self.settings.rescore:
            self.rescoring = Rescoring(self.lm, self.forget, token_weights, scores)
        args.gradient_accumulation_steps = micro_batches
        args.learning_rate = self.settings.learning_rate

        torch.manual_seed(args.seed)  # an adapter's first weights are random
        trained, self.trained = make_trainable(trained, self.settings, peft_config)
        self.loss: StepLoss | None = None
        vocabulary = self.lm.model.config.get_text_config().vocab_size
        self.guard = CollapseGuard(vocabulary, self.settings.regularizer, self.settings.collapse_guard)
        self.fault, self.good_step, self.reached = "", 0, False
        objective = make_objective(self.settings.objective, self.settings.parameters)
        self.schedules: list[Schedule] = schedules_of(self.settings, objective)
        self.record: dict[str, float] = {}
        # The start model, where a copy of it is trained.
        self.reference: LoadedModel | None = None
        self._sums: list[Tensor] = []
        self._snapshot: tuple[int, list[Tensor]] | None = None
        super().__init__(
            model=trained,
            args=args,
            data_collator=self._batch,
            train_dataset=self._parts(args.max_steps),
            processing_class=self.lm.tokenizer,
            callbacks=[_WholeStep(self), *(callbacks or [])],
            optimizers=optimizers,
        )
        if self.rescoring and (self.is_fsdp_enabled or self.is_deepspeed_enabled):
            raise TokenUnlearnError("rescore reads the whole model between two steps; here it is sharded.")
        self.loss_is_scaled_for_ga = False  # the trainer is to take the mean over micro-batches

    def train(  # type: ignore[override]
        self, resume_from_checkpoint: str | bool | Checkpoint | None = None, **options: Any
    ) -> TrainOutput:
        """Train, from the start or from a checkpoint that this trainer wrote.

        Args:
            resume_from_checkpoint: A checkpoint or its folder, or True for the newest under
                ``args.output_dir`` that is whole. Weights, optimizer, schedules, lambda, collapse guard,
                order of rows and random generators go on as if there had been no interruption; the model
                passed in must be the start model again.
            **options: As transformers takes them.

        Raises:
            TokenUnlearnError: If there is no such checkpoint, it is not whole, or it belongs to another run.
        """
        checkpoint = self._checkpoint(resume_from_checkpoint)
        loss = self._step_loss()
        if checkpoint is not None:
            self._load_state(checkpoint, loss)
        folder = str(checkpoint.folder) if checkpoint else None
        result = super().train(resume_from_checkpoint=folder, **options)
        if not self.fault:
            self._measure_last()
        self._settle()
        return result

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: torch.nn.Module, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """A micro-batch's share of the total loss, times their number, since the trainer takes their mean."""
        if self.rescoring:  # the batch may have been made before the weights
            samples, time = inputs["samples"].tolist(), inputs["weights"].shape[1]
            now = self.rows.weighting(samples, self.state.global_step, time)
            inputs = {**inputs, **self._prepare_inputs(now)}
        loss, sums = model(inputs)
        self._sums.append(sums)
        loss = loss * self.rows.parts
        return (loss, None) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log a record with the parts of its loss."""
        super().log(logs | self.record if "loss" in logs else logs, start_time)

    def token_weights(self) -> list[np.ndarray]:
        """(T_i,) weights of each forget sample as applied.

        The mean over the steps that read it where the weighting changes from step to step; of several
        processes all must call this.
        """
        applied = self._step_loss().applied
        return applied.means() if applied else [row.numpy() for row in self.rows.weights]

    def trainable(self) -> list[torch.nn.Parameter]:
        """Parameters that training changes."""
        return [p for p in self.lm.model.parameters() if p.requires_grad]

    def reweight(self) -> None:
        """Weight the tokens by what the model in training says of them now."""
        assert self.rescoring is not None
        step, steps = self.state.global_step, self.state.max_steps
        weights = self.rescoring.weights(lambda *_: self.on_phase("training", step, steps))
        self.rows = replace(self.rows, weights=fixed_weights(self.rows.forget, weights, self.settings))

    def end_step(self) -> None:
        """Add up the record of a step whose backward passes are done; store its weights now and then."""
        self._add_up()
        step = self.state.global_step
        due = self._snapshot is None or step % SNAPSHOT_EVERY == 0
        if due and (self.guard.sound or step == 0):  # the start weights are good, whatever their loss
            self._snapshot = (step, [p.detach().clone() for p in self.trainable()])

    @torch.no_grad()
    def _measure_last(self) -> None:
        """Look at the last weights too, on the samples of the last step."""
        record, loss = self.record, self._step_loss()
        applied, loss.applied = loss.applied, None  # nothing is trained with these weights
        last = (self.state.global_step - 1) * self.rows.parts
        for part in range(process_index(), self.rows.parts, process_count()):
            inputs = self._prepare_inputs(self.rows.batch(last + part, loss.references, self.lm.pad_id))
            self._sums.append(self.model_wrapped(inputs)[1])
        self._add_up(last=True)
        self.record, loss.applied = record, applied

    def _add_up(self, *, last: bool = False) -> None:
        """Make the record of a step from the sums of its parts, and have the guard look at it."""
        assert self.loss is not None
        sums = self.accelerator.reduce(torch.stack(self._sums).sum(0), "sum")
        forget, retain, frame, weighted_nll, weight, weighted_level = sums.tolist()
        self._sums.clear()
        loss = self.settings.gamma * forget
        self.record = {"forget_loss": forget, "forget_nll": weighted_nll / max(weight, 1e-12)}
        if self.settings.frame:
            self.record["frame_loss"] = frame
            loss += self.settings.frame * frame
        if self.loss.regularizer is not None:
            self.record |= {"retain_loss": retain, "lambda": self.loss.lambda_}
            loss += self.loss.lambda_ * retain
        levels = [self.settings.level] if self.settings.level is not None else []
        levels += [weighted_level / max(weight, 1e-12)] if self.settings.base_level else []
        if levels:
            self.record["level"] = min(levels)
            if self.loss.objective.fades:
                self.record["fading"] = self.loss.fading
        self.record["loss"] = loss
        self.fault = self.fault or self.guard.verdict(self.record, last=last)

    def _step_loss(self) -> StepLoss:
        """The loss around the model; at the first call the reference is measured."""
        if self.loss is None:
            reference = self.reference or self.lm
            reference.model.eval()
            drawn = self.rows.retained(process_index(), process_count())
            references = References.measure(
                reference, self.settings, self.rows.forget, self.rows.refusals, drawn, self.on_phase
            )
            if self.reference is None and self.settings.train == "full":
                references = references.detached()
            self.loss = StepLoss(self.lm.model, self.settings, references)
            if self.settings.weights_move or self.rescoring:
                self.loss.applied = AppliedWeights([e.response_length for e in self.rows.forget])
        return self.loss

    def _parts(self, steps: int) -> Any:
        return [{"part": i} for i in range(steps * self.rows.parts)]

    def _batch(self, parts: Sequence[Mapping[str, int]]) -> dict[str, Tensor]:
        return self.rows.batch(parts[0]["part"], self._step_loss().references, self.lm.pad_id)

    def _prepare_for_training(self, *arguments: Any, **options: Any) -> Any:
        """Have accelerate wrap the loss with the model in it, so that every pass goes through one module."""
        model = self.model
        self.model = self.model_wrapped = self._step_loss()  # type: ignore[assignment]
        try:
            return super()._prepare_for_training(*arguments, **options)
        finally:
            self.model = self.callback_handler.model = model

    def _check_space(self, output: Path) -> None:
        """Leave room for the result: its weights, besides those, the optimizer and the good weights here."""
        trained = sum(p.numel() for p in self.trainable())
        stored = trained if hasattr(self.model, "peft_config") else self.lm.parameters
        needed, free = FLOAT32 * (2 * stored + 3 * trained), free_bytes(output)
        if free < needed:
            raise TokenUnlearnError(
                f"checkpoint and result take about {size_text(needed)}, and {size_text(free)} are free."
            )

    def _save_state(self, folder: Path) -> None:
        """Complete a checkpoint by what loss, schedules and guard carry from step to step."""
        assert self.loss is not None
        strengths = {"lambda": self.loss.lambda_, "pull": self.loss.pull, "fading": self.loss.fading}
        state = {name: torch.tensor(value, dtype=torch.float64) for name, value in strengths.items()}
        if (applied := self.loss.applied) is not None:
            state |= {"applied_total": applied.total, "applied_times": applied.times}
        if self.rescoring:
            state |= {f"weights.{i}": row for i, row in enumerate(self.rows.weights)}
        values: dict[str, Any] = {
            "fingerprint": self._fingerprint(),
            "guard": self.guard.state(),
            "schedules": [schedule.state() for schedule in self.schedules],
            "reached": self.reached,
            "good_step": None,
        }
        if self._snapshot is not None and not is_sharded(self.lm.model):
            values["good_step"], weights = self._snapshot
            state |= {f"good.{i}": weight.contiguous() for i, weight in enumerate(weights)}
        save_file(state, folder / STATE_FILE)
        checkpoints.seal(folder, self.state.global_step, values)

    def _load_state(self, checkpoint: Checkpoint, loss: StepLoss) -> None:
        values = checkpoint.values
        if values["fingerprint"] != self._fingerprint():
            raise TokenUnlearnError(
                f'The checkpoint "{checkpoint.folder}" belongs to another run: its model, settings, samples '
                "or token weights differ; choose another folder, or remove the checkpoints to begin again."
            )
        state = load_file(checkpoint.folder / STATE_FILE)
        loss.lambda_, loss.pull = float(state["lambda"]), float(state.get("pull", 0.0))
        loss.fading = float(state.get("fading", 1.0))
        if loss.applied is not None:
            loss.applied.total.copy_(state["applied_total"])
            loss.applied.times.copy_(state["applied_times"])
        if self.rescoring:
            rows = [state[f"weights.{i}"] for i in range(len(self.rows.weights))]
            self.rows = replace(self.rows, weights=rows)
        self.guard.restore(values["guard"])
        for schedule, stored in zip(self.schedules, values["schedules"], strict=True):
            schedule.restore(stored)
        self.reached = values["reached"]
        if self.reached:  # no step is left
            self.args.max_steps = checkpoint.step
            self.train_dataset = self._parts(checkpoint.step)
        if values["good_step"] is not None:
            weights = self.trainable()
            good = [state[f"good.{i}"].to(parameter.device) for i, parameter in enumerate(weights)]
            self._snapshot = (values["good_step"], good)

    def _fingerprint(self) -> str:
        """Hash of what a checkpoint belongs to: model, settings, samples and their weights."""
        adapters: Mapping[str, Any] = getattr(self.model, "peft_config", {})
        described = [
            self.lm.revision,
            asdict(self._chosen()) | self._optimization(),
            [list(parameter.shape) for parameter in self.trainable()],
            [getattr(adapter, "lora_alpha", None) for adapter in adapters.values()],
            [type(schedule).__name__ for schedule in self.schedules],
            [
                (e.input_ids, e.prompt_length)
                for e in (*self.rows.forget, *self.rows.refusals, *self.rows.retain)
            ],
        ]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
        for weights in self.first_weights:
            digest.update(weights.numpy().tobytes())
        return digest.hexdigest()

    def _chosen(self) -> UnlearnSettings:
        """The settings without what follows from others and the device: its free memory, its arithmetic."""
        level = self.settings.level if self.settings.holdout == NONE else None
        return replace(self.settings, gradient_accumulation=None, bf16=False, level=level)

    def _optimization(self) -> dict[str, Any]:
        """Arguments of optimizer and schedule that say something else than settings and defaults."""
        known = {f.name: f.default for f in fields(self.args)} | asdict(self.settings)
        given = {name: getattr(self.args, name) for name in OPTIMIZATION}
        return {name: value for name, value in given.items() if value != known[name]}

    def _settle(self) -> None:
        """Go back to the last good weights where the guard ended training."""
        weights = self.trainable()
        self.good_step = self.state.global_step
        if not all(torch.isfinite(p).all() for p in weights):
            self.fault = self.fault or "Weights became NaN or infinite"
        if not self.fault:
            return
        if self._snapshot is not None:
            self.good_step, snapshot = self._snapshot
            with torch.no_grad():
                for parameter, good in zip(weights, snapshot, strict=True):
                    parameter.copy_(good)


class _WholeStep(TrainerCallback):
    """Adds up each step, asks the schedules, and ends training that destroys the model."""

    def __init__(self, trainer: UnlearnTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The step's losses are known, its weights are still the old ones."""
        self.trainer.end_step()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Adapt lambda, pull and fading; stop where a schedule says so or the guard found a fault."""
        trainer = self.trainer
        assert trainer.loss is not None
        for schedule in trainer.schedules:
            record, step = trainer.record, state.global_step
            trainer.loss.lambda_ = schedule.next_lambda(trainer.loss.lambda_, record, step)
            trainer.loss.pull = schedule.next_pull(trainer.loss.pull, record, step)
            trainer.loss.fading = schedule.next_fading(trainer.loss.fading, record, step)
            trainer.reached = schedule.ends(record, step) or trainer.reached
        if trainer.fault or trainer.reached:
            control.should_training_stop = True
        elif trainer.rescoring and state.global_step in range(0, state.max_steps, trainer.settings.rescore):
            trainer.reweight()
