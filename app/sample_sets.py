"""Sample sets by name: those of the suites, uploads, sets of the Hub; and who may name which."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import access, run_reader, tasks
from app.data import hub_sets
from app.services import shipped_store, store
from app.tasks import Task
from tokenunlearn.datasets import holdout_of
from tokenunlearn.errors import DatasetError
from tokenunlearn.files import replaced
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.retained import SETS, fitting_retained

if TYPE_CHECKING:
    from tokenunlearn.datasets.layout import Layout
    from tokenunlearn.datasets.samples import Sample, SampleSet

SET_NAME = re.compile(r"[\w-]{1,40}")


def check_offered(model: ModelSource | None = None, *samples: str) -> None:
    """Refuse a model or samples that are not on offer, to visitors who may not name others.

    Raises:
        AccessError: If they may not.
    """
    if access.may("open"):
        return
    sets = {name for pairs in SETS.values() for pair in pairs.items() for name in pair}
    unknown = {name for name in samples if name} - sets - set(uploads())
    if unknown:
        specs = [
            run.spec for run in (*store().runs(), *shipped_store().runs()) if run.state.status != "damaged"
        ]
        unknown -= {name for spec in specs for name in (spec.samples, spec.retain)}
    if unknown or (model is not None and model.name not in PRESETS):
        access.require("open")


def load_samples(name: str) -> SampleSet:
    """Samples by name, read once.

    Raises:
        TokenUnlearnError: If they cannot be loaded, or the visitor may not name them.
    """
    check_offered(None, name)
    return _load_samples(name)


@st.cache_resource(max_entries=16, show_spinner=False)
def _load_samples(name: str) -> SampleSet:
    from tokenunlearn.datasets import load_samples as load

    return load(name)


def keep_upload(content: bytes, name: str, layout: Layout | None = None) -> str:
    """Check an uploaded file, keep it beside the runs, and return the name that loads it.

    With a layout of its own it is kept as the samples that it gives, under the usual names.

    Raises:
        DatasetError: If it is no file of samples; nothing is kept then.
    """
    access.require("upload")
    from tokenunlearn.datasets.files import parse_samples, to_jsonl
    from tokenunlearn.datasets.layout import Layout
    from tokenunlearn.datasets.rows import split_ending

    samples = parse_samples(content, name, layout)
    if layout is not None and layout != Layout():
        content, name = to_jsonl(samples), f"{split_ending(name)[0]}.jsonl"
    digest = hashlib.sha256(content).hexdigest()[:12]
    stem, ending = split_ending(name)
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem)[:40]
    path = store().root / "uploads" / digest / f"{stem}{ending}"
    if not path.exists() or path.stat().st_size != len(content):  # half a file, once left by a full disk
        with replaced(path) as file:
            file.write(content)
    return f"file:{path}"


def uploads() -> list[str]:
    """Names of the files uploaded before, and of the sets of the Hub loaded before."""
    folder = store().root / "uploads"
    files = [*folder.glob("[!.]*.*"), *folder.glob(f"{'[0-9a-f]' * 12}/[!.]*.*")]
    names = [f"file:{path}" for path in sorted(files, key=lambda path: (path.name, path))]
    return [*names, *hub_sets.names(store().root)]


def hub_key(name: str) -> str:
    """Key of the task that loads a set of the Hub."""
    return f"hub {name}"


def load_hub_set(name: str) -> Task:
    """Have the worker load a set of the Hub, "hf:owner/name", and store its name where it can be chosen."""

    def work(task: Task) -> None:
        _load_samples(name)
        hub_sets.add(store().root, name)

    return tasks.start(hub_key(name), f"Loading {name.removeprefix('hf:')} from the Hub", work, "upload")


def _pairs(model: str) -> dict[str, str]:
    """Forget set -> retained set of what a model was trained on; of every suite for a model not known."""
    suites = [PRESETS[model].suite] if model in PRESETS else SETS
    return {forget: retain for suite in suites for forget, retain in SETS[suite].items()}


def forget_sets(model: str) -> list[str]:
    """The sets a model may be made to forget, and own files."""
    return [*_pairs(model), *uploads()]


def retain_sets(model: str, samples: str) -> list[str]:
    """The sets a model may retain, the one that fits in front, and own files."""
    return [*dict.fromkeys([fitting_retained(model, samples).name, *_pairs(model).values()]), *uploads()]


def holdout_sets(samples: str) -> list[str]:
    """What the setting holdout may say for a forget set: by itself, none, its benchmark's, and own files."""
    return ["auto", "none", *filter(None, [holdout_of(samples)]), *uploads()]


def set_name(name: str) -> str:
    """What a person calls a set: for a kept file its own name, "cities.jsonl"; other names as they are.

    The first file of a name keeps it, as do links to it; later ones have the beginning of their hash added.
    """
    file, digest = _file_name(name)
    alike = [other for other in uploads() if _file_name(other)[0] == file] if digest else []
    first = min(alike, key=lambda other: run_reader.stamp(Path(other[5:])), default=name)
    return file if name == first else f"{file} ({digest[:4]})"


def _file_name(name: str) -> tuple[str, str]:
    """Name of a kept file and its hash, which is "" for any other set."""
    if not name.startswith("file:"):
        return name, ""
    path = Path(name[5:])
    if re.fullmatch("[0-9a-f]{12}", path.parent.name):
        return path.name, path.parent.name
    kept = re.fullmatch(r"(.+)-([0-9a-f]{12})(\..+)", path.name)  # by earlier versions
    return (f"{kept[1]}{kept[3]}", kept[2]) if kept else (path.name, "")


def save_set(samples: Sequence[Sample], name: str) -> str:
    """Keep samples as a named set beside the uploads, and return the name that loads them.

    Raises:
        DatasetError: If the name is empty or has other characters than letters, digits, "-" and "_".
    """
    access.require("save")
    from tokenunlearn.datasets.files import to_jsonl

    if not name:
        raise DatasetError("The set has no name; enter one.")
    if not SET_NAME.fullmatch(name):
        raise DatasetError(f'The name "{name}" is not valid; use 1 to 40 letters, digits, "-" or "_".')
    return keep_upload(to_jsonl(samples), f"{name}.jsonl")


def is_own(samples: str) -> bool:
    """Whether samples belong to no benchmark with models of its own."""
    return samples.partition(":")[0] not in SETS
