"""Score a forget set: one call from model and samples to a score set."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking import (
    Masking,
    copied_tokens,
    effective_settings,
    repeated_tokens,
    stream_masking,
)
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.optional import measure_option
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_cache import ScoreCache, score_keys
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.context import fit_context
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import Progress
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_base_model
from tokenunlearn.models.processes import split
from tokenunlearn.settings import renamed

# Named settings. "paper" reconstructs arXiv 2605.00364 as far as it is known: all prompt content masked at
# once, the absolute change of the true token's log-probability, min-max within the forget set, an even sum,
# no copy guard. "leave-one-out" masks every word of the question alone, at about a pass each.
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "leave-one-out": {
        "mask": "leave-one-out",
        "alpha": 0.3,
        "granularity": "highest",
        "reading": "plain",
    },
    "paper": {
        "mask": "prompt",
        "aggregation": "absolute",
        "normalizer": "minmax",
        "fusion": "sum",
        "alpha": 0.5,
        "copy_guard": False,
        "granularity": "token",
        "reading": "plain",
    },
}


def split_settings(preset: str = "default", /, **changes: Any) -> tuple[MaskingSettings, ImportanceSettings]:
    """Settings of a preset with changes by name, as masking settings and importance settings.

    Raises:
        TokenUnlearnError: If the preset or a name is unknown, or a value is not allowed.
    """
    if preset not in PRESETS:
        raise TokenUnlearnError(f'There is no preset "{preset}"; use one of {", ".join(PRESETS)}.')
    values = PRESETS[preset] | {k: v for k, v in renamed(changes).items() if v is not None}
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
    prefix: bool = False,
    base_model: str | None = None,
    token_budget: int | None = None,
    cache: bool | Path = False,
    long: str = "error",
    progress: Progress | None = None,
    **settings: Any,
) -> ScoreSet:
    """Measure knowledge and entropy score of every response token of a forget set.

    Samples are encoded and measured a window at a time. Under ``accelerate launch`` every process scores its
    share, and all return the whole set.

    Args:
        model: The model before unlearning.
        samples: The forget set; documents are scored chunk by chunk.
        preset: "default", "paper" for the method as published, or "leave-one-out".
        prefix: Measure prefix knowledge as well, at about a pass over the prompt for each response token; see
            :func:`~tokenunlearn.attribution.prefix.prefix_knowledge`.
        base_model: Name of a model that never saw the samples, whose NLL and entropy are measured as well;
            "auto" takes a preset without its adapter, else its retrained model.
        token_budget: Most tokens in one forward pass; by default what suits the device.
        cache: Keep each sample's scores on disk as soon as they are measured, and measure none that are
            there: an interrupted scoring goes on where it was. True is the user's cache, a path a folder of
            its own.
        long: What becomes of samples that exceed the model's context: "error", "skip", "chunk" or "truncate"
            (:func:`~tokenunlearn.models.context.fit_context`).
        progress: Called with samples done and samples in all, of this process; a sample counts once for each
            of prefix, base model and masking.
        **settings: Any field of :class:`MaskingSettings` or :class:`ImportanceSettings`, e.g.
            ``mask="prompt"``.

    Raises:
        TokenUnlearnError: If there are no samples, a setting is unknown, the base model is not known or has
            another vocabulary, or the model predicts NaN.
        SampleTooLongError: If samples do not fit the model's context and ``long`` is "error".
    """
    masking, mixing = split_settings(preset, **settings)
    if not len(samples):
        raise TokenUnlearnError("There are no samples to score.")
    masking = effective_settings(model, masking)
    samples = fit_context(model, samples, long)
    store = ScoreCache.default() if cache is True else ScoreCache(cache, sys.maxsize) if cache else None
    base = load_base_model(model, base_model) if base_model else None
    optional = {"prefix": model if prefix else None, "base_model": base}
    measured_on = {option: lm for option, lm in optional.items() if lm is not None}

    def work(numbers: range) -> list[SampleScores]:
        share = [samples[i] for i in numbers]

        def report(before: int, done: int, total: int) -> None:
            if progress:
                progress(before * total + done, (1 + len(measured_on)) * total)

        try:
            scores = _score_all(model, share, masking, token_budget, store, partial(report, 0))
            encodings = model.encode_all(share) if measured_on else []
            for before, (option, lm) in enumerate(measured_on.items(), start=1):
                arrays = measure_option(option, lm, encodings, token_budget, store, partial(report, before))
                scores = [replace(x, **own) for x, own in zip(scores, arrays, strict=True)]
            return scores
        finally:
            if store is not None:
                store.shrink()

    source = samples.name if isinstance(samples, SampleSet) else "samples"
    scored = split(len(samples), work)
    scores = ScoreSet(tuple(scored), source, model.name, model.revision, asdict(masking), mixing)
    if base is None:
        return scores
    return replace(
        scores, masking={**scores.masking, "base_model": base.name, "base_revision": base.revision}
    )


def score_alike(
    scores: ScoreSet | None, model: LoadedModel, samples: SampleSet | Sequence[Sample], **how: Any
) -> ScoreSet:
    """Score samples with the settings, options and selector of another score set.

    Args:
        scores: The other score set; None for the default settings.
        model: The model.
        samples: The samples.
        **how: ``token_budget``, ``cache``, ``long`` and ``progress``, as :func:`score` takes them.
    """
    if scores is None:
        return score(model, samples, **how)
    masking = {f.name: scores.masking[f.name] for f in fields(MaskingSettings) if f.name in scores.masking}
    alike = score(
        model,
        samples,
        prefix="prefix" in scores.options,
        base_model=scores.masking.get("base_model"),
        **masking,
        **asdict(scores.settings),
        **how,
    )
    return replace(alike, selector=scores.selector)


def _score_all(
    model: LoadedModel,
    samples: Sequence[Sample],
    masking: MaskingSettings,
    token_budget: int | None,
    store: ScoreCache | None,
    progress: Progress,
) -> list[SampleScores]:
    """Scores of every sample, in order; those in the store are not measured."""
    keys = score_keys(model, samples, masking) if store else []
    results: list[SampleScores | None] = [None] * len(samples)
    if store:
        results = [store.read(k, s) for k, s in zip(keys, samples, strict=True)]
    missing = [i for i, scores in enumerate(results) if scores is None]
    known = len(samples) - len(missing)
    if known:
        progress(known, len(samples))

    def report(done: int, _: int) -> None:
        progress(known + done, len(samples))

    window: deque[Encoding] = deque()  # encoded, but not measured yet

    def encodings() -> Iterator[Encoding]:
        for i in missing:
            window.append(model.encode(samples[i]))
            yield window[-1]

    stream = stream_masking(
        model, encodings(), masking, total=len(missing), token_budget=token_budget, progress=report
    )
    for i, measured in zip(missing, stream, strict=True):
        if np.isnan(measured.nll).any():
            raise TokenUnlearnError(
                f'The model predicts NaN for the sample "{samples[i].id}" in {model.model.dtype}; '
                "try float32."
            )
        scores = results[i] = _sample_scores(samples[i], window.popleft(), measured)
        if store:
            store.write(keys[i], scores)
    return [scores for scores in results if scores is not None]


def _sample_scores(sample: Sample, encoding: Encoding, measured: Masking) -> SampleScores:
    start = encoding.prompt_length
    prompt = "\n".join(turn.content for turn in sample.turns[:-1] if turn.role != "system")
    return SampleScores(
        sample_id=sample.id,
        question=sample.question,
        answer=sample.answer,
        span=sample.span,
        prompt_texts=encoding.texts[:start],
        texts=encoding.response_texts,
        token_ids=encoding.response_ids,
        offsets=encoding.answer_offsets,
        nll=measured.nll,
        entropy=measured.entropy,
        tail_entropy=measured.tail_entropy,
        contexts=tuple(c.text for c in measured.contexts),
        losses=measured.losses,
        copied=repeated_tokens(sample.answer, encoding.answer_offsets)
        if sample.document
        else copied_tokens(prompt, sample.answer, encoding.answer_offsets),
    )
