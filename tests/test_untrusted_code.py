"""Nothing that comes with a model or a data set is executed, and no secret is written down."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.launch import ROOT
from tests.runs.new_runs import new_spec
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.loading import load_model
from tokenunlearn.runs.store import RunStore

FOLDERS = ("tokenunlearn", "app", "pages", "benchmarks", "tools")
SOURCES = [ROOT / "streamlit_app.py", *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
SECRET = "hf_secretsecretsecretsecretsecret"


def calls(path: Path):
    """Every call in a file by its dotted name, with its keywords."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {keyword.arg: keyword.value for keyword in node.keywords}


def faults(path: Path):
    """What a file does that could run foreign code."""
    imported = set(re.findall(r"^\s*(?:import|from)\s+(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    yield from imported & LOADERS
    for name, keywords in calls(path):
        if name in ("eval", "exec", "torch.hub.load"):
            yield name
        if name == "torch.load" and ast.unparse(keywords.get("weights_only", ast.Constant(None))) != "True":
            yield "torch.load without weights_only=True"
        for keyword in ("trust_remote_code", "allow_pickle"):
            if keyword in keywords and ast.unparse(keywords[keyword]) != "False":
                yield keyword


@pytest.mark.slow
def test_no_file_loads_pickles_or_runs_remote_code():
    assert {str(path): found for path in SOURCES if (found := [*faults(path)])} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "    from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=flag)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_the_search_finds_what_it_looks_for(tmp_path, line):
    (tmp_path / "a.py").write_text(line.strip())
    assert [*faults(tmp_path / "a.py")]


def test_no_secret_is_in_specs_errors_or_score_sets(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("TOKENUNLEARN_TOKEN", SECRET)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    sentences = []
    for action in (
        lambda: load_model("someone/some-model"),
        lambda: load_samples("hf:someone/some-set"),
        lambda: load_model(str(tmp_path)),
    ):
        with pytest.raises(TokenUnlearnError) as refusal:
            action()
        sentences.append(str(refusal.value))
    RunStore(tmp_path / "runs").create(new_spec("authors:forget10"))
    stored = [path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    printed = capfd.readouterr()
    assert stored
    assert SECRET not in "".join([*sentences, printed.out, printed.err, *map(str, stored)])
