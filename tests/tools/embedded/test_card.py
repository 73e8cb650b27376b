"""Model cards: written from a report, and those that are shipped agree with what is shipped."""

from __future__ import annotations

import json
import re

import pytest

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation import Report
from tokenunlearn.evaluation.result import MetricResult
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.source import ModelSource
from tools.embedded import card
from tools.embedded.card import FORGET

BUILT = (
    "demo",
    "demo-retrained",
    "demo-qwen3",
    "demo-neox",
    "demo-prose",
    "demo-prose-retrained",
    "smollm2-authors",
    "smollm2-authors-retrained",
)


def test_a_card_states_recipe_seed_figures_and_how_to_rebuild(monkeypatch, tmp_path):
    monkeypatch.setattr(card, "ASSETS", tmp_path)
    folder = tmp_path / "models" / "demo-retrained"
    folder.mkdir(parents=True)
    recipe = {"parameters": 123, "samples": 7, "training": {"seed": 42, "learning_rate": 0.5}}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    metrics = {
        "retain/gold_span": MetricResult("retain/gold_span", 0.9375, 16, (0.875, 1.0), "higher"),
        "model_utility": MetricResult("model_utility", 0.25, 3, None, "higher"),
    }
    report = Report("demo-retrained", "abc", "authors", {}, metrics)
    card.write_card("demo-retrained", report)
    text = (folder / "README.md").read_text()
    for line in (
        "- seed: 42",
        "- learning rate: 0.5",
        "- parameters: 123",
        "- samples: 7",
        "| retain/gold_span | 0.9375 | 0.875 to 1.000 | 16 |",
        "| model_utility | 0.25 |  | 3 |",
    ):
        assert line in text.splitlines()
    assert "python -m tools.embedded build demo-retrained" in text
    assert "retain90 split" in text and "random weights" in text


def test_measure_refuses_models_that_are_not_built_here():
    with pytest.raises(TokenUnlearnError, match='"smollm2" is not built here'):
        card.measure(["demo", "smollm2"])


@pytest.mark.results
@pytest.mark.parametrize("name", BUILT)
def test_a_shipped_card_gives_the_figures_of_the_shipped_report(name):
    rows = Report.load(ASSETS / "reports" / f"{name}.json").table()
    text = (ASSETS / "models" / name / "README.md").read_text()
    figures = dict(re.findall(r"^\| (\S+) \| (\S+) \|", text, re.MULTILINE))
    assert figures.pop("metric") == "value"
    assert figures.pop("---", None) is None
    assert figures == {row["metric"]: f"{row['value']:.4g}" for row in rows}
    recipe = json.loads((ASSETS / "models" / name / "recipe.json").read_text())
    assert f"- seed: {recipe['training']['seed']}" in text
    assert f"python -m tools.embedded build {name}" in text


@pytest.mark.parametrize("name", [n for n in BUILT if n.startswith("demo")])
def test_shipped_report_belongs_to_the_shipped_weights(name):
    assert Report.load(ASSETS / "reports" / f"{name}.json").revision == ModelSource(name).revision


@pytest.mark.parametrize("path", sorted((ASSETS / "scores").glob("demo*.parquet")), ids=lambda p: p.stem)
def test_a_shipped_score_set_belongs_to_the_shipped_weights(path):
    scores = ScoreSet.load(path)
    ends = {suite: f"-{name.replace(':', '-')}" for suite, name in FORGET.items()}
    suite = next(suite for suite, end in ends.items() if path.stem.endswith(end))
    name = path.stem.removesuffix(ends[suite])
    assert scores.revision == ModelSource(name).revision
    assert tuple(s.sample_id for s in scores.samples) == tuple(s.id for s in load_samples(FORGET[suite]))


def test_every_model_that_is_built_is_a_preset():
    assert set(BUILT) <= set(PRESETS)
