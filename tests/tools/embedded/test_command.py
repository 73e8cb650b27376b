"""The command that rebuilds what is embedded."""

from __future__ import annotations

import json

import pytest

from tokenunlearn.datasets import load_samples
from tokenunlearn.evaluation import report as reports
from tokenunlearn.models import presets
from tokenunlearn.training.finetune_settings import FinetuneSettings
from tools.embedded import build, card
from tools.embedded.__main__ import app

pytestmark = pytest.mark.slow


@pytest.fixture
def small_assets(monkeypatch, tmp_path):
    """The recipe on a few samples for one epoch, with its own assets folder."""
    (tmp_path / "assets" / "reports").mkdir(parents=True)
    for module in (build, card, presets, reports):
        monkeypatch.setattr(module, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(build, "load_samples", lambda name: load_samples(name).spread(8))
    monkeypatch.setattr(build, "DEMO_TRAINING", FinetuneSettings(epochs=1, batch_size=16, learning_rate=1e-3))
    monkeypatch.setattr(card, "LIMITS", {"demo-retrained": 2})
    return tmp_path / "assets"


def test_demo_build_trains_measures_and_describes(call, small_assets):
    done = call("build", "demo-retrained", app=app)
    assert done.code == 0, done.err
    assert "demo-retrained: built in" in done.out and "measured and described" in done.out
    report = json.loads((small_assets / "reports" / "demo-retrained.json").read_text())
    card = (small_assets / "models" / "demo-retrained" / "README.md").read_text()
    value = report["metrics"]["retain/gold_span"]["value"]
    assert f"| retain/gold_span | {value:.4g} |" in card
    weights = (small_assets / "models" / "demo-retrained" / "model.safetensors").read_bytes()
    again = call("build", "demo-retrained", "--only-measure", app=app)
    assert again.code == 0
    assert "built in" not in again.out
    assert (small_assets / "models" / "demo-retrained" / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("more", [(), ("--only-measure",)])
def test_demo_build_refuses_other_names(call, small_assets, more):
    refused = call("build", "gpt", *more, app=app)
    assert refused.code == 2
    assert '"gpt"' in refused.sentence
    assert not (small_assets / "models").exists()
