"""What mends a forget set that does not fit: smaller sets of its samples, whose scores are known already."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import streamlit as st

from app import access, sample_sets, score_sets
from app.controls import Source
from app.errors import show_error
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets.files import to_jsonl
from tokenunlearn.datasets.rows import split_ending
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError

ASIDE = 5  # one in so many known answers is set aside
LEAST_ASIDE = 2  # rows of a retained set that is worth having


def can_split(source: Source) -> bool:
    """Whether a smaller set can be saved: not one of documents, whose scores belong to chunks."""
    samples = sample_sets.load_samples(source.samples)
    return access.may("save") and access.may("upload") and not any(sample.document for sample in samples)


def leave_out(source: Source, scores: ScoreSet, ids: Collection[str]) -> None:
    """Work on with a set of the other samples, which needs no new scoring."""
    samples = [sample for sample in sample_sets.load_samples(source.samples) if sample.id not in ids]
    try:
        st.session_state["pending_samples"] = _save(source, scores, samples, "known")
    except TokenUnlearnError as error:
        show_error(error)


def set_aside(source: Source, scores: ScoreSet, known: Collection[str]) -> None:
    """Retain one in five known answers of the set, and work on with a set of the others."""
    aside = set(list(known)[::ASIDE])
    samples = sample_sets.load_samples(source.samples)
    try:
        retained = sample_sets.keep_upload(
            to_jsonl(sample for sample in samples if sample.id in aside), f"{_stem(source)}-retain.jsonl"
        )
        rest = [sample for sample in samples if sample.id not in aside]
        st.session_state["pending_samples"] = _save(source, scores, rest, "forget")
        st.session_state["pending_retain"] = retained
    except TokenUnlearnError as error:
        show_error(error)


def _save(source: Source, scores: ScoreSet, samples: list[Sample], ending: str) -> str:
    """Keep samples as a set with the scores that they have in a larger one; the name that loads them."""
    name = sample_sets.keep_upload(to_jsonl(samples), f"{_stem(source)}-{ending}.jsonl")
    ids = {sample.id for sample in samples}
    own = replace(
        scores,
        samples=tuple(x for x in scores.samples if x.sample_id in ids),
        source=name,
        overrides={key: forced for key, forced in scores.overrides.items() if key in ids},
    )
    own.save(score_sets.score_path(source.scored, name, source.masking))
    return name


def _stem(source: Source) -> str:
    return split_ending(sample_sets.set_name(source.samples).replace(":", "-"))[0]
