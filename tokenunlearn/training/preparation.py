"""What a trainer is given, as the model that it trains and the rows that its steps read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel

from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.languages import language_of
from tokenunlearn.datasets.layout import read_samples
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.context import fit_context
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.layers import adapter_targets, down_projections, freeze_below, layers_from
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.processes import process_count
from tokenunlearn.models.token_budget import training_tokens
from tokenunlearn.objectives import OBJECTIVES, make_objective
from tokenunlearn.training.config import UnlearnConfig
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.step_rows import StepPlan, StepRows, fixed_weights

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedTokenizerBase

Samples = str | Sequence[Sample] | Sequence[Mapping[str, Any]]


def trained_and_loaded(
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


def as_samples(dataset: Samples | None, name: str) -> Sequence[Sample]:
    """The forget or the retained samples in any form that the trainer takes."""
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


def encoded_rows(
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
    """A refusal in place of each answer, in its language and drawn from the seed.

    None where the objective reads none.
    """
    if "refusals" not in settings.forget_needs:
        return []
    texts, draw = OBJECTIVES[settings.objective].refusals, Random(settings.seed)
    return [
        lm.encode(sample, answer=draw.choice(texts or language_of(sample.question).refusals))
        for sample in samples
    ]


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
    trainable, trained = _trainable(model, settings, peft_config)
    if settings.first_layer:
        freeze_below(trainable, settings.first_layer)
    return trainable, trained


def _trainable(
    model: Any, settings: UnlearnSettings, peft_config: PeftConfig | None
) -> tuple[Any, tuple[str, ...]]:
    if hasattr(model, "peft_config"):  # an adapter is there; the model's own tensors stay frozen
        return model, ("adapter",)
    few, first = trained_modules(model, settings), settings.first_layer
    if peft_config is None:
        model.requires_grad_(not few)
        for name in few:
            model.get_submodule(name).requires_grad_(True)
        return model, tuple(few or (layers_from(model, first) if first else ["all"]))
    from peft import get_peft_model

    if few or getattr(peft_config, "target_modules", "") is None:
        peft_config.target_modules = few or adapter_targets(model, first)  # type: ignore[attr-defined]
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
