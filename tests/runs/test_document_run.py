"""A run on documents: its chunks are scored, weighted and unlearned, and its files say so."""

from __future__ import annotations

import json
from dataclasses import asdict

import tokenunlearn as tu
from tokenunlearn.evaluation.report import versions
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings

TEXT = "Ada Miller was born in Lisbon, the old harbour town. " * 12


def test_run_on_documents(tiny_lm, tmp_path):
    (tmp_path / "forget.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "retain.txt").write_text("Bram Holt won the Silver Pen.", encoding="utf-8")
    config = UnlearnSettings.from_settings(
        {"steps": 2, "batch_size": 2, "retain_batch_size": 1, "train": "full"}
    )
    spec = RunSpec.new(
        label="documents",
        model="tiny",
        samples=f"documents:{tmp_path / 'forget.txt'}",
        retain=f"documents:{tmp_path / 'retain.txt'}",
        rule={"selection": "hard", "top_share": 0.3},
        config=asdict(config),
        scoring={"mask": "prompt"},
        versions=versions(),
    )
    run = RunStore(tmp_path / "runs").create(spec, None)
    state = execute(run, load=lambda name: tiny_lm)
    assert state.status == "completed", state.message
    scores = tu.ScoreSet.load(run.folder / "scores.parquet")
    assert [s.sample_id for s in scores.samples] == [f"forget-0000-{i:03d}" for i in range(len(scores))]
    assert "".join(s.answer for s in scores.samples) == TEXT and len(scores) > 1
    assert len(run.metrics) == 2 and all(row["forget_loss"] > 0 for row in run.metrics)
    assert json.loads((run.folder / "generations.json").read_text()) == {"forget": [], "retain": []}
    assert [c.sample_id for c in run.token_changes] == [s.sample_id for s in scores.samples]
    assert "".join(text for c in run.token_changes for text in c.texts) == TEXT
