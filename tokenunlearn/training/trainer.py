"""UnlearnTrainer: a transformers Trainer that forgets samples with token weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel, Trainer, TrainerCallback
from transformers.trainer_utils import TrainOutput, get_last_checkpoint

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.layout import read_samples
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.context import fit_context
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.layers import adapter_targets, down_projections
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.processes import process_count, process_index
from tokenunlearn.models.token_budget import training_tokens
from tokenunlearn.objectives import make_objective
from tokenunlearn.objectives.refusals import REFUSALS
from tokenunlearn.training.applied_weights import AppliedWeights
from tokenunlearn.training.config import UnlearnConfig
from tokenunlearn.training.guard import CollapseGuard
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.step_loss import StepLoss
from tokenunlearn.training.step_rows import StepPlan, StepRows, fixed_weights

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedTokenizerBase

SNAPSHOT_EVERY = 10
STATE_FILE = "unlearning.safetensors"

Samples = str | Sequence[Sample] | Sequence[Mapping[str, Any]]
OnReference = Callable[[str, int, int], None]


class UnlearnTrainer(Trainer):
    """A :class:`transformers.Trainer` whose loss is ``gamma * L_f + lambda * L_r`` of a whole step.

    The model is trained in place, or gets an adapter where ``peft_config`` is given. What the reference says
    is measured once, when training begins, so no second model is held. Each record holds, beside what
    transformers logs, ``forget_loss``, ``retain_loss``, ``lambda`` and ``forget_nll`` (weighted mean token
    NLL of the step's forget samples, in nats).

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

    Attributes:
        settings: The settings with every "auto" decided.
        forget: The forget samples, documents cut into chunks.
        trained: Names of the trained modules; "all" for all weights, "all-linear" for an adapter on every
            linear layer, or the kinds of layers that it sits on.
        loss: The loss module around the model.
        fault: Why the guard ended training, as a sentence without its end; "" if it did not.
        good_step: Optimizer steps behind the weights that the model holds.

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
    ) -> None:
        args = UnlearnConfig() if args is None else copy.copy(args)  # what is left open is filled below
        trained, self.lm = _trained_and_loaded(model, processing_class, args)
        adapter = peft_config is not None or hasattr(trained, "peft_config")
        self.settings = args.settings("lora" if adapter else "full").resolved(self.lm)
        self.forget = fit_context(self.lm, _samples(forget_dataset, "forget"), self.settings.long)
        if not len(self.forget):
            raise TokenUnlearnError("There are no samples to forget.")
        retain = _samples(retain_dataset, "retain") if self.settings.needs_retain else ()
        if self.settings.needs_retain and not len(retain):
            raise TokenUnlearnError(
                f'The regularizer "{self.settings.regularizer}" needs retained samples; add some or use none.'
            )
        rows = _rows(self.lm, self.settings, self.forget, retain, token_weights)
        micro_batches = passes_of_step(self.lm, self.settings, rows)
        self.settings = replace(self.settings, gradient_accumulation=micro_batches)
        self.rows = replace(rows, config=self.settings, parts=micro_batches * process_count())
        args.gradient_accumulation_steps = micro_batches
        args.learning_rate = self.settings.learning_rate

        torch.manual_seed(args.seed)  # an adapter's first weights are random
        trained, self.trained = make_trainable(trained, self.settings, peft_config)
        self.loss: StepLoss | None = None
        vocabulary = self.lm.model.config.get_text_config().vocab_size
        self.guard = CollapseGuard(vocabulary, self.settings.regularizer, self.settings.collapse_guard)
        self.fault, self.good_step = "", 0
        self.record: dict[str, float] = {}
        # The start model, where a copy of it is trained.
        self.reference: LoadedModel | None = None
        self.on_reference: OnReference = lambda phase, done, total: None
        self._sums: list[Tensor] = []
        self._snapshot: tuple[int, list[Tensor]] | None = None
        super().__init__(
            model=trained,
            args=args,
            data_collator=self._batch,
            train_dataset=[{"part": i} for i in range(args.max_steps * self.rows.parts)],  # type: ignore[arg-type]
            processing_class=self.lm.tokenizer,
            callbacks=[_WholeStep(self), *(callbacks or [])],
            optimizers=optimizers,
        )
        self.loss_is_scaled_for_ga = False  # the trainer is to take the mean over micro-batches

    def train(  # type: ignore[override]
        self, resume_from_checkpoint: str | bool | None = None, **options: Any
    ) -> TrainOutput:
        """Train, from the start or from a checkpoint that this trainer wrote.

        Args:
            resume_from_checkpoint: A checkpoint folder, or True for the last one under ``args.output_dir``.
                Weights, optimizer, schedule, lambda, order of rows and random generators go on as if there
                had been no interruption; the model passed in must be the start model again.
            **options: As transformers takes them.

        Raises:
            TokenUnlearnError: If there is no such checkpoint, or it is not whole.
        """
        folder = self._checkpoint(resume_from_checkpoint)
        loss = self._step_loss()
        if folder is not None:
            self._load_state(folder, loss)
        result = super().train(resume_from_checkpoint=str(folder) if folder else None, **options)
        if not self.fault:
            self._measure_last()
        self._settle()
        return result

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: torch.nn.Module, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """A micro-batch's share of the total loss, times their number, since the trainer takes their mean."""
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

    def end_step(self) -> None:
        """Add up the record of a step whose backward passes are done; store its weights now and then."""
        self._add_up()
        due = self._snapshot is None or self.state.global_step % SNAPSHOT_EVERY == 0
        if due and self.guard.sound:
            self._snapshot = (self.state.global_step, [p.detach().clone() for p in self.trainable()])

    @torch.no_grad()
    def _measure_last(self) -> None:
        """Look at the last weights too, on the samples of the last step."""
        record, loss = self.record, self._step_loss()
        applied, loss.applied = loss.applied, None  # nothing is trained with these weights
        last = (self.args.max_steps - 1) * self.rows.parts
        for part in range(process_index(), self.rows.parts, process_count()):
            inputs = self._prepare_inputs(self.rows.batch(last + part, loss.references, self.lm.pad_id))
            self._sums.append(self.model_wrapped(inputs)[1])
        self._add_up(last=True)
        self.record, loss.applied = record, applied

    def _add_up(self, *, last: bool = False) -> None:
        """Make the record of a step from the sums of its parts, and have the guard look at it."""
        assert self.loss is not None
        sums = self.accelerator.reduce(torch.stack(self._sums).sum(0), "sum")
        forget, retain, frame, weighted_nll, weight = sums.tolist()
        self._sums.clear()
        loss = self.settings.gamma * forget
        self.record = {"forget_loss": forget, "forget_nll": weighted_nll / max(weight, 1e-12)}
        if self.settings.frame:
            self.record["frame_loss"] = frame
            loss += self.settings.frame * frame
        if self.loss.regularizer is not None:
            self.record |= {"retain_loss": retain, "lambda": self.loss.lambda_}
            loss += self.loss.lambda_ * retain
        self.record["loss"] = loss
        self.fault = self.fault or self.guard.verdict(self.record, last=last)

    def _step_loss(self) -> StepLoss:
        """The loss around the model; at the first call the reference is measured."""
        if self.loss is None:
            reference = self.reference or self.lm
            reference.model.eval()
            drawn = self.rows.retained(process_index(), process_count())
            references = References.measure(
                reference, self.settings, self.rows.forget, self.rows.refusals, drawn, self.on_reference
            )
            if self.reference is None and self.settings.train == "full":
                references = references.detached()
            self.loss = StepLoss(self.lm.model, self.settings, references)
            if self.settings.weights_move:
                self.loss.applied = AppliedWeights([e.response_length for e in self.rows.forget])
        return self.loss

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

    def _checkpoint(self, resume: str | bool | None) -> Path | None:
        if not resume:
            return None
        output = str(self.args.output_dir)
        folder = get_last_checkpoint(output) if resume is True and Path(output).is_dir() else resume
        if not isinstance(folder, str | Path) or not Path(folder).is_dir():
            where = f'in "{output}"' if resume is True else f'at "{resume}"'
            raise TokenUnlearnError(f"There is no checkpoint {where} to resume from.")
        return Path(folder)

    def save_state_of_loss(self, folder: Path) -> None:
        """Write what the loss carries from step to step beside a checkpoint."""
        assert self.loss is not None
        applied = self.loss.applied
        state = {"lambda": torch.tensor(self.loss.lambda_, dtype=torch.float64)}
        if applied is not None:
            state |= {"applied_total": applied.total, "applied_times": applied.times}
        save_file(state, folder / STATE_FILE)

    def _load_state(self, folder: Path, loss: StepLoss) -> None:
        try:
            state = load_file(folder / STATE_FILE)
            loss.lambda_ = float(state["lambda"])
            if loss.applied is not None:
                loss.applied.total.copy_(state["applied_total"])
                loss.applied.times.copy_(state["applied_times"])
        except (OSError, SafetensorError, KeyError, RuntimeError):
            raise TokenUnlearnError(
                f'The checkpoint "{folder}" is incomplete or belongs to other settings: its {STATE_FILE} '
                "cannot be read; resume from an earlier one."
            ) from None

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
    """Adds up each step, adapts lambda, and ends training that destroys the model."""

    def __init__(self, trainer: UnlearnTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The step's losses are known, its weights are still the old ones."""
        self.trainer.end_step()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Adapt lambda; stop where the guard found a fault."""
        trainer = self.trainer
        assert trainer.loss is not None
        if "retain_loss" in trainer.record:
            loss = trainer.loss
            loss.lambda_ = loss.objective.next_lambda(
                loss.lambda_, trainer.record["retain_loss"], state.global_step
            )
        if trainer.fault:
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Complete the checkpoint."""
        if state.is_world_process_zero:
            self.trainer.save_state_of_loss(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def _trained_and_loaded(
    model: str | Path | PreTrainedModel | PeftModel | LoadedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    args: UnlearnConfig,
) -> tuple[Any, LoadedModel]:
    """The module to train, and the causal language model inside it with its tokenizer."""
    if isinstance(model, str | Path):
        model = load_model(str(model), device="cpu" if args.use_cpu else "auto")
    if isinstance(model, LoadedModel):
        return model.model, model
    if tokenizer is None:
        raise TokenUnlearnError("Pass the model's tokenizer as processing_class.")
    module: Any = model
    inner = module.get_base_model() if hasattr(module, "get_base_model") else module
    return model, LoadedModel(inner, tokenizer, getattr(inner.config, "_name_or_path", "") or "model", "")


def _samples(dataset: Samples | None, name: str) -> Sequence[Sample]:
    if dataset is None:
        return ()
    if isinstance(dataset, str):
        return load_samples(dataset)
    if isinstance(dataset, SampleSet):
        return dataset
    rows: list[Any] = list(dataset)
    if all(isinstance(row, Sample) for row in rows):
        return rows
    places = [(f"Row {i} of the {name} set", row) for i, row in enumerate(rows, 1)]
    return read_samples(places, f"the {name} set", name)


def _rows(
    lm: LoadedModel,
    settings: UnlearnSettings,
    forget: Sequence[Sample],
    retain: Sequence[Sample],
    weights: TokenWeights | None,
) -> StepRows:
    """Everything that the steps read, as encodings, in one part."""
    encodings = lm.encode_all(forget)
    retained = lm.encode_all(fit_context(lm, retain, settings.long)) if len(retain) else []
    token_weights = fixed_weights(encodings, weights, settings)
    plan = StepPlan.draw(settings, len(encodings), len(retained))
    return StepRows(settings, encodings, _refusals(lm, forget, settings), retained, token_weights, plan)


def _refusals(lm: LoadedModel, samples: Sequence[Sample], settings: UnlearnSettings) -> list[Encoding]:
    """A refusal in place of each answer, drawn from the seed; none where the objective reads none."""
    if "refusals" not in settings.forget_needs:
        return []
    draw = Random(settings.seed)
    return [lm.encode(sample, answer=draw.choice(REFUSALS)) for sample in samples]


def trained_modules(model: PreTrainedModel, settings: UnlearnSettings) -> list[str]:
    """Names of the few modules that the objective trains; none where it trains all."""
    if not make_objective(settings.objective, settings.parameters).few_modules:
        return []
    assert settings.layer is not None
    return down_projections(model, settings.layer)


def make_trainable(
    model: Any, settings: UnlearnSettings, peft_config: PeftConfig | None
) -> tuple[Any, tuple[str, ...]]:
    """The module to train with its gradients switched on, and what of it is trained."""
    if hasattr(model, "peft_config"):  # an adapter is there; the model's own tensors stay frozen
        return model, ("adapter",)
    few = trained_modules(model, settings)
    if peft_config is None:
        model.requires_grad_(not few)
        for name in few:
            model.get_submodule(name).requires_grad_(True)
        return model, tuple(few) or ("all",)
    from peft import get_peft_model

    if few or getattr(peft_config, "target_modules", "") is None:
        peft_config.target_modules = few or adapter_targets(model)  # type: ignore[attr-defined]
    targets = getattr(peft_config, "target_modules", None) or "all-linear"
    layers = [targets] if isinstance(targets, str) else sorted({t.rpartition(".")[2] for t in targets})
    try:
        return get_peft_model(model, peft_config), tuple(few or layers)
    except ValueError as error:
        raise TokenUnlearnError(f"The adapter does not fit the model: {error}") from error


def passes_of_step(model: LoadedModel, settings: UnlearnSettings, rows: StepRows) -> int:
    """Micro-batches of a step in each process: as asked, or as few as the training budget allows.

    Raises:
        TokenUnlearnError: If a step has fewer samples than micro-batches.
    """
    processes = process_count()
    passes = settings.gradient_accumulation
    fewest = min([settings.batch_size, *([settings.retain_batch_size] if settings.needs_retain else [])])
    if passes is None:
        steps = (rows.of_step(step) for step in range(settings.steps))
        tokens = max(
            sum(len(rows.forget[i]) for i in forget)
            + sum(len(rows.refusals[i]) for i in forget if rows.refusals)
            + sum(len(rows.retain[i]) for i in retain)
            for forget, retain in steps
        )
        budget = training_tokens(model, checkpointing=settings.gradient_checkpointing)
        passes = max(1, min(-(-tokens // (budget * processes)), fewest // processes))
    if passes * processes > fewest:
        raise TokenUnlearnError(
            f"A step of {settings.batch_size} forget and {settings.retain_batch_size} retained samples "
            f"cannot be split into {passes} micro-batches in each of {processes} processes; increase "
            "batch_size and retain_batch_size or lower gradient_accumulation."
        )
    return passes
