"""Fit: does the forget set fit the model, with one click for what can be mended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from app import background, model_work, sample_sets, state
from app.controls import Source
from app.input_panel import numbered, show_findings
from app.numbers import setting
from app.tokens import mends
from tokenunlearn.attribution.answer_fit import whole_words
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.runs.check import Inspection
from tokenunlearn.runs.cost import duration_text
from tokenunlearn.runs.findings import Finding
from tokenunlearn.runs.fit import Fit, Threshold
from tokenunlearn.runs.scoring_model import exported
from tokenunlearn.training.settings import UnlearnSettings

TIMED = "fit_timed"
# Of the settings that are committed when a button is pressed.
Change = Callable[[state.TokenSettings], state.TokenSettings]


class Mend(NamedTuple):
    """A button: its label and what it calls."""

    label: str
    action: Callable[..., Any]
    arguments: tuple[Any, ...]


def show(
    source: Source,
    key: str,
    scores: ScoreSet,
    mixed: ScoreSet,
    weights: Sequence[np.ndarray],
    settings: state.TokenSettings,
    fit: Fit,
) -> None:
    """Every finding with the button that mends it; open where something does not fit.

    Args:
        source: Model and forget set.
        key: What tells one score set's measurements from another's.
        scores: The score set as stored.
        mixed: The score set with its settings and overrides.
        weights: (T_i,) weight of each sample's tokens.
        settings: The committed settings.
        fit: How the forget set fits.
    """
    mendable = mends.can_split(source)
    known = [answer.sample_id for answer in fit.answers if answer.known]

    def commit(change: Change) -> None:
        state.remember(key, scores, change(state.current(key, scores)))

    def mends_of(finding: Finding) -> list[Mend]:
        if finding.name == "not known" and mendable and known:
            label = f"Leave out {len(fit.unknown):,} unknown"
            return [Mend(label, mends.leave_out, (source, scores, set(fit.unknown)))]
        if finding.name == "fact not selected":
            return _lower(fit.reaching, settings, commit)
        if finding.name == "fact half selected":
            missing = whole_words(mixed, weights)
            extend = [Mend("Extend to whole words", commit, (partial(_extended, missing=missing),))]
            return [*(extend if missing else []), *_lower(fit.covering, settings, commit)]
        if finding.name == "retained set":
            return [*_retain(fit), *_aside(source, scores, known, mendable)]
        return []

    findings = (*filter(None, [exported(source.scored)]), *fit.findings)
    found = [f for f in findings if f.level == "warning"]
    title = f"Fit: {len(found)} warning{'' if len(found) == 1 else 's'}" if found else "Fit"
    with st.expander(title, icon=":material/rule:", expanded=bool(found)):
        ids = [answer.sample_id for answer in fit.answers]
        for finding in findings:
            shown = _chosen(finding, fit) if finding.name == "retained set" else numbered(finding, ids)
            _row(_dated(shown, source), mends_of(finding))
        if _by_threshold(settings):
            _threshold(fit, settings, commit)
        _time(source, fit)


def _row(finding: Finding, buttons: Sequence[Mend]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"fit-{finding.name}"):
        show_findings([finding])
        for label, action, arguments in buttons:
            st.button(label, on_click=action, args=arguments, key=f"mend-{label}")


def _chosen(finding: Finding, fit: Fit) -> Finding:
    """The finding on the retained set, with the set that is chosen where it is another one."""
    name = st.session_state.get("retain", fit.retained.name)
    if name == fit.retained.name:
        return finding
    chosen = sample_sets.set_name(name) or "none"
    sentence = f"Retained set: {chosen}. Suggested: {fit.retained.name}. {fit.retained.reason}"
    return replace(finding, sentence=sentence)


def _dated(finding: Finding, source: Source) -> Finding:
    """A finding on what the model knows, which after runs is what it knew before them."""
    if source.scored == source.model or finding.name not in ("known", "not known"):
        return finding
    return replace(finding, sentence=f"Before all runs: {finding.sentence}")


def _by_threshold(settings: state.TokenSettings) -> bool:
    return settings.weights == "hard" and settings.criterion == "threshold"


def _lower(
    threshold: Threshold | None, settings: state.TokenSettings, commit: Callable[..., None]
) -> list[Mend]:
    if threshold is None or not 0 < threshold.value < settings.threshold or not _by_threshold(settings):
        return []
    label = f"Lower threshold to {setting(threshold.value)} (selects {100 * threshold.selected:.0f} %)"
    return [Mend(label, commit, (partial(replace, threshold=threshold.value),))]


def _extended(settings: state.TokenSettings, missing: dict[str, list[int]]) -> state.TokenSettings:
    forced = {key: dict(value) for key, value in settings.overrides.items()}
    for key, positions in missing.items():
        forced.setdefault(key, {}).update(dict.fromkeys(positions, True))
    return replace(settings, overrides=forced)


def _retain(fit: Fit) -> list[Mend]:
    name = fit.retained.name
    if st.session_state.get("retain", name) == name:
        return []
    return [Mend(f"Retain {name}", st.session_state.update, ({"pending_retain": name},))]


def _aside(source: Source, scores: ScoreSet, known: list[str], mendable: bool) -> list[Mend]:
    if not mendable or not sample_sets.is_own(source.samples) or len(known) < mends.ASIDE * mends.LEAST_ASIDE:
        return []
    count = -(-len(known) // mends.ASIDE)
    return [Mend(f"Set aside {count:,} own answers instead", mends.set_aside, (source, scores, known))]


def _threshold(fit: Fit, settings: state.TokenSettings, commit: Callable[..., None]) -> None:
    suggested = fit.suggested_threshold
    sentence = f"Threshold: {setting(settings.threshold)}; the scores suggest {setting(suggested)}."
    mend = Mend("Use suggested threshold", commit, (partial(replace, threshold=suggested),))
    differs = abs(settings.threshold - suggested) > 5e-3
    _row(Finding("threshold", "note", sentence), [mend] if differs else [])


def _time(source: Source, fit: Fit) -> None:
    """Minutes of a run, measured on request, because that loads the model."""
    asked = (source.model, source.samples, st.session_state.get("retain", fit.retained.name))
    if st.session_state.get(TIMED) != asked:
        finding = Finding("time", "note", "Training time is estimated from the speed of the model.")
        start = Mend("Estimate time", st.session_state.update, ({TIMED: asked},))
        _row(finding, [start])
        return
    inspection: Inspection | None = background.result(model_work.inspect(*asked))
    if inspection is not None and inspection.cost is not None:
        spent = duration_text(inspection.cost.time([UnlearnSettings()]))
        _row(Finding("time", "note", f"A run with the default settings trains for about {spent}."), [])
