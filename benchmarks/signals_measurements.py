"""What the benchmark of signals measures on models: score sets and other arrays, each stored on disk."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

import tokenunlearn as tu
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score import split_settings
from tokenunlearn.attribution.score_cache import ScoreCache, score_keys
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets.public import data_folder
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import cache_folder
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.presets import PRESETS, available_presets

FORMAT = 1
Arrays = list[np.ndarray]


class NotMeasuredError(TokenUnlearnError):
    """A measurement is not stored, and nothing may be measured."""


@dataclass(frozen=True)
class World:
    """Samples with gold spans and the models that know them.

    Attributes:
        models: Presets whose signals are compared.
        forget: Name of the forget set; it is scored.
        retain: Name of the retained set.
        step: One in so many rows of the retained set is scored too, and not retained; 0 for none.
        fitted: Presets whose scores of the retained rows a selector learns from; none by default.
        files: Files of public data that the samples come from.
    """

    models: tuple[str, ...]
    forget: str
    retain: str
    step: int = 0
    fitted: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def available(self) -> bool:
        """Whether the samples are on this machine."""
        return all((data_folder() / file).is_file() for file in self.files)

    @property
    def forget_ids(self) -> frozenset[str]:
        """Ids of the samples that the retrained models never saw."""
        return frozenset(sample.id for sample in tu.load_samples(self.forget))

    def samples(self, limit: int | None = None) -> SampleSet:
        """What is scored."""
        forget = tu.load_samples(self.forget).spread(limit)
        if not self.step:
            return forget
        name = f"{self.forget} + one row in {self.step} of {self.retain}"
        others = tu.load_samples(self.retain)[:: self.step].spread(limit)
        return SampleSet(name, (*forget, *others))

    def retained(self, limit: int | None = None) -> SampleSet:
        """What is to be retained and is not scored."""
        rows = tu.load_samples(self.retain)
        others = tuple(s for i, s in enumerate(rows) if not self.step or i % self.step)
        return SampleSet(self.retain, others).spread(limit)


WORLDS = {
    "authors": World(
        ("demo", "demo-qwen3", "demo-neox", "smollm2-authors"),
        "authors:forget10",
        "authors:retain90",
        fitted=("demo",),
    ),
    "prose": World(
        ("demo-prose", "smollm2-prose"),
        "prose:forget",
        "prose:retain",
        fitted=("demo-prose", "smollm2-prose"),
    ),
    "tofu": World(
        ("smollm2-tofu",),
        "tofu:forget10_first5",
        "tofu:retain90_first15",
        step=3,
        files=("tofu/forget10_perturbed.json", "tofu/retain_perturbed.json"),
    ),
}


def world_of(model: str) -> str:
    """Name of the world that a model knows.

    Raises:
        TokenUnlearnError: If the model knows none.
    """
    for name, world in WORLDS.items():
        if model in world.models:
            return name
    known = ", ".join(model for world in WORLDS.values() for model in world.models)
    raise TokenUnlearnError(f'No gold spans are known for the model "{model}"; use one of {known}.')


def available_models() -> list[str]:
    """Models whose weights and samples are on this machine."""
    here = available_presets()
    return [m for world in WORLDS.values() if world.available for m in world.models if m in here]


@lru_cache(maxsize=3)
def _load(name: str) -> LoadedModel:
    return tu.load_model(name)


def base_of(model: str) -> str | None:
    """The model under a preset's adapter, which never saw its samples; None without an adapter."""
    return PRESETS[model].base if PRESETS[model].adapter else None


def retrained_of(model: str) -> str | None:
    """The model trained without the forget set, where its weights are on this machine."""
    name = PRESETS[model].retrained
    return name if name in available_presets() else None


@dataclass
class Measurements:
    """Measures what is not stored yet, and keeps the time.

    Attributes:
        measure: Whether anything may be measured; else what is not stored is an error.
        seconds: What each measurement took, by its name.
    """

    measure: bool = True
    seconds: dict[str, float] = field(default_factory=dict)

    def load(self, name: str) -> LoadedModel:
        """A model; the last three stay in memory."""
        started = time.monotonic()
        model = _load(name)
        self.seconds[f"loading {name}"] = round(time.monotonic() - started, 2)
        return model

    def scores(self, model: LoadedModel, samples: SampleSet, preset: str = "default") -> ScoreSet:
        """The score set of samples under a preset.

        Raises:
            NotMeasuredError: If a sample's scores are not stored and nothing may be measured.
        """
        name = f"{model.name} {samples.name} {preset}"
        if not self.measure:
            store = ScoreCache.default()
            keys = score_keys(model, model.chunk(samples), split_settings(preset)[0])
            self._require(name, all(store.path(key).is_file() for key in keys))
        started = time.monotonic()
        scores = tu.score(model, samples, preset=preset, cache=True)
        self.seconds[name] = round(time.monotonic() - started, 2)
        return scores

    def arrays(
        self, model: LoadedModel, sets: Sequence[SampleSet], kind: str, make: Callable[[], Arrays]
    ) -> Arrays:
        """What ``make`` measures on the first set, one (T_i,) array a sample.

        Stored under model, samples, kind and the source of the module that defines ``make``.

        Raises:
            NotMeasuredError: If it is not stored and nothing may be measured.
        """
        name = f"{model.name} {sets[0].name} {kind}"
        keys = [score_keys(model, samples, MaskingSettings()) for samples in sets]
        content = json.dumps([FORMAT, kind, keys, _source(make)])
        path = cache_folder() / "signals" / f"{hashlib.sha256(content.encode()).hexdigest()}.npz"
        started = time.monotonic()
        arrays = _read(path)
        if arrays is None:
            self._require(name, self.measure)
            arrays = make()
            _write(path, arrays)
        self.seconds[name] = round(time.monotonic() - started, 2)
        return arrays

    @staticmethod
    def _require(name: str, there: bool) -> None:
        if not there:
            raise NotMeasuredError(f'"{name}" is not measured yet; run without --no-measure.')


def _source(make: Callable[[], Arrays]) -> str:
    """sha256 of the module of a function, or of what a partial calls."""
    module = inspect.getmodule(getattr(make, "func", make))
    return hashlib.sha256(inspect.getsource(module).encode()).hexdigest() if module else ""


def _read(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.split(file["values"], np.cumsum(file["lengths"])[:-1])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.savez_compressed(file, values=np.concatenate(arrays), lengths=[len(a) for a in arrays])
    os.replace(file.name, path)
