"""Score a forget set: one call from model and samples to a score set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking import copied_tokens, measure_masking, repeated_tokens
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score_set import SampleScores, ScoreSet, make_score_set
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.forward import TOKEN_BUDGET, Progress
from tokenunlearn.models import LoadedModel
from tokenunlearn.samples import Sample, SampleSet

# Named settings. "paper" reconstructs arXiv 2605.00364 as far as it is known: all prompt content masked at
# once, the absolute change of the true token's log-probability, min-max within the forget set, an even sum,
# no copy guard.
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": {
        "mask": "prompt",
        "aggregation": "absolute",
        "normaliser": "minmax",
        "fusion": "sum",
        "alpha": 0.5,
        "copy_guard": False,
        "granularity": "token",
    },
}


def split_settings(preset: str = "default", **changes: Any) -> tuple[MaskingSettings, ImportanceSettings]:
    """Settings of a preset with changes by name, as masking settings and importance settings.

    Raises:
        TokenUnlearnError: If the preset or a name is unknown, or a value is not allowed.
    """
    if preset not in PRESETS:
        raise TokenUnlearnError(f'There is no preset "{preset}"; use one of {", ".join(PRESETS)}.')
    values = PRESETS[preset] | {k: v for k, v in changes.items() if v is not None}
    masking = {f.name for f in fields(MaskingSettings)}
    mixing = {f.name for f in fields(ImportanceSettings)}
    unknown = sorted(set(values) - masking - mixing)
    if unknown:
        raise TokenUnlearnError(
            f'There is no score setting "{unknown[0]}"; use one of {", ".join(sorted(masking | mixing))}.'
        )
    return (
        MaskingSettings(**{k: v for k, v in values.items() if k in masking}),
        ImportanceSettings(**{k: v for k, v in values.items() if k in mixing}),
    )


def score(
    model: LoadedModel,
    samples: SampleSet | Sequence[Sample],
    *,
    preset: str = "default",
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
    **settings: Any,
) -> ScoreSet:
    """Measure knowledge and entropy score of every response token of a forget set.

    Args:
        model: The model before unlearning.
        samples: The forget set; documents are scored chunk by chunk.
        preset: "default", or "paper" for the method as published.
        token_budget: Most tokens in one forward pass.
        progress: Called with samples done and samples in all.
        **settings: Any field of :class:`MaskingSettings` or :class:`ImportanceSettings`, e.g.
            ``mask="prompt"``.

    Raises:
        TokenUnlearnError: If there are no samples or a setting is unknown.
        SampleTooLongError: If a sample does not fit the model's context.
    """
    masking, mixing = split_settings(preset, **settings)
    if not len(samples):
        raise TokenUnlearnError("There are no samples to score.")
    samples = model.chunk(samples)
    encodings = model.encode_all(samples)
    measured = measure_masking(model, encodings, masking, token_budget=token_budget, progress=progress)
    scored = [
        SampleScores(
            sample_id=sample.id,
            question=sample.question,
            answer=sample.answer,
            span=sample.span,
            prompt_texts=e.texts[: e.prompt_length],
            texts=e.texts[e.prompt_length :],
            token_ids=e.input_ids[e.prompt_length :],
            offsets=e.answer_offsets,
            nll=m.nll,
            entropy=m.entropy,
            contexts=tuple(c.text for c in m.contexts),
            losses=m.losses,
            copied=repeated_tokens(sample.answer, e.answer_offsets)
            if sample.document
            else copied_tokens(sample.question, sample.answer, e.answer_offsets),
        )
        for sample, e, m in zip(samples, encodings, measured, strict=True)
    ]
    source = samples.name if isinstance(samples, SampleSet) else "samples"
    return make_score_set(scored, source, model.name, model.revision, masking, mixing)
