"""Learned selectors by name: those that came with the repository, and those fitted on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from app import access
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selector import Selector, fit_selector
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import ASSETS, cache_folder


def files() -> dict[str, Path]:
    """Name -> file of every selector that can be read; the name is the file's without its ending."""
    paths: dict[str, Path] = {}
    for folder in (ASSETS / "selectors", own_folder()):
        for path in sorted(folder.glob("*.json")):
            paths.setdefault(path.stem, path)
    return {name: path for name, path in paths.items() if _read(path, path.stat().st_mtime)}


def own_folder() -> Path:
    """Folder of the selectors fitted on this machine."""
    return cache_folder() / "selectors"


def find(name: str) -> Selector | None:
    """The selector of a name, or None; "" is no name."""
    path = files().get(name) if name else None
    return _read(path, path.stat().st_mtime) if path else None


def file_of(selector: Selector) -> Path | None:
    """Where a selector is stored, or None."""
    return next((path for name, path in files().items() if find(name) == selector), None)


@st.cache_resource(max_entries=64, show_spinner=False)
def _read(path: Path, changed: float) -> Selector | None:
    """A selector from disk, None where the file holds none; ``changed`` is the file's time."""
    try:
        return Selector.load(path)
    except TokenUnlearnError:
        return None


def learned(scores: ScoreSet, name: str) -> ScoreSet:
    """The score set with the importance of a selector; as it is without a name or where there is none."""
    selector = find(name)
    return _learned(scores.hash, selector.hash, scores, selector) if selector else scores


@st.cache_resource(max_entries=16, show_spinner=False)
def _learned(score_hash: str, selector_hash: str, _scores: ScoreSet, _selector: Selector) -> ScoreSet:
    return replace(_scores, selector=_selector)


def marked(scores: ScoreSet) -> int:
    """Number of answers with a marked fact."""
    return sum(bool(sample.span) for sample in scores.samples)


def fit(scores: ScoreSet) -> str:
    """Fit a selector on a score set, keep it under its hash, and return that name.

    Raises:
        TokenUnlearnError: If there are too few marked facts, or they cover every word.
    """
    access.require("save")
    selector = fit_selector(f"gold spans of {scores.source}", [scores])
    selector.save(own_folder() / f"{selector.hash}.json")
    return selector.hash
