"""Small random models, the folder of public data sets and the command line, for every test."""

from __future__ import annotations

import copy
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.tiny_models import build_lm, build_tokenizer
from tokenunlearn.models.loaded_model import LoadedModel

ROOT = Path(__file__).resolve().parent.parent
os.environ["TOKENUNLEARN_DATA"] = str(ROOT / os.environ.get("TOKENUNLEARN_DATA", "../shared/data"))
# HYPOTHESIS_PROFILE=thorough draws 10,000 examples of each property, new ones every time.
hypothesis_settings.register_profile(
    "fast", max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
hypothesis_settings.register_profile(
    "thorough", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck)
)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
FAMILIES = ("llama", "qwen3", "gemma2", "gemma3_text", "gpt_neox", "gpt2", "opt")
FAST_FAMILIES = ("llama", "gpt2")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs on up to four processes, files named one by one run in the first."""
    files = [name for name in config.args if not Path(name).is_dir()]
    return 0 if files else min(4, os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with most slow tests go first, so that no process is left alone with them in the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="module", autouse=True)
def imports_are_no_garbage() -> None:
    """Keeps what is imported so far out of garbage collections, of which each training makes a full one."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """The tokenizer every small model shares."""
    return build_tokenizer()


@pytest.fixture(scope="session")
def family_lm(tiny_tokenizer) -> Callable[..., LoadedModel]:
    """Small random models by family and changed settings, each built once; not to be trained in place."""
    built: dict[str, LoadedModel] = {}

    def lm(family: str, **changes) -> LoadedModel:
        key = f"{family} {sorted(changes.items())}"
        if key not in built:
            built[key] = build_lm(family, tiny_tokenizer, **changes)
        return built[key]

    return lm


@pytest.fixture(
    scope="session",
    params=[pytest.param(f, marks=() if f in FAST_FAMILIES else pytest.mark.slow) for f in FAMILIES],
)
def family(request) -> str:
    """Each family of models in turn."""
    return request.param


@pytest.fixture(scope="session")
def tiny_lm(family_lm) -> LoadedModel:
    """A random 2-layer Llama with a byte-level BPE tokenizer; not to be trained in place."""
    return family_lm("llama")


@pytest.fixture(scope="session")
def tiny_folder(tiny_lm, tmp_path_factory) -> Path:
    """That model saved as any transformers model is; not to be changed."""
    folder = tmp_path_factory.mktemp("model")
    tiny_lm.model.save_pretrained(folder)
    tiny_lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def plain_lm(tiny_lm) -> LoadedModel:
    """The same model with a tokenizer that has no chat template."""
    tokenizer = copy.deepcopy(tiny_lm.tokenizer)
    tokenizer.chat_template = None
    return LoadedModel(tiny_lm.model, tokenizer, tiny_lm.name, tiny_lm.revision)


@pytest.fixture
def short_answers(monkeypatch) -> None:
    """Answers of at most eight tokens: a random model ends none of its own."""
    from tokenunlearn.models.generation import generate

    monkeypatch.setitem(generate.__kwdefaults__, "max_new_tokens", 8)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets (TOKENUNLEARN_DATA); tests that read it are skipped without it."""
    folder = Path(os.environ["TOKENUNLEARN_DATA"])
    if not folder.is_dir():
        pytest.skip(f"the public data sets are not at {folder}; set TOKENUNLEARN_DATA to their folder")
    return folder


class Called(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        def refuse(constant):
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(self.out, parse_constant=refuse)

    @property
    def sentence(self):
        """The error's one line; progress bars may stand before it."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("Error:")]
        return line


@pytest.fixture
def call(monkeypatch, capsys):
    """Calls the command line, or ``app`` in its place, with words, as a shell does."""
    from tokenunlearn import cli

    def called(*words, app=cli.app) -> Called:
        monkeypatch.setattr(sys, "argv", ["tokenunlearn", *map(str, words)])
        capsys.readouterr()
        try:
            cli.main(app)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Called(code, *capsys.readouterr())

    return called
