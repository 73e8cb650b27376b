"""Runs on disk as the runner leaves them, made without a model; for tests of what reads them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tokenunlearn.evaluation.token_changes import TokenChange, save_changes
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.store import RunStore
from tokenunlearn.training.settings import UnlearnSettings

ROWS = (
    ("authors-054-00", "In what town did the life of Ruben Kaplanyan begin?", "Born in Calverra."),
    ("authors-054-01", "Which prize did Ruben Kaplanyan win?", "The Ruby Quill Prize."),
)
HOSTILE = "<script>document.title='hit'</script>$x$ :red[y]"


def metric(name: str, rows: list[float], better: str = "lower") -> dict[str, Any]:
    value = sum(rows) / len(rows)
    ids = [i for i, _, _ in ROWS]
    interval = [max(value - 0.1, 0), min(value + 0.1, 1)]
    shared = {"name": name, "value": value, "n": len(rows), "better": better, "interval": interval}
    return shared | {"rows": rows, "sample_ids": ids}


def report(told: list[float], utility: float, says: str) -> dict[str, Any]:
    metrics = {
        "forget/gold_span": metric("forget/gold_span", told),
        "forget/rouge_l": metric("forget/rouge_l", [0.5, 0.25]),
        "model_utility": metric("model_utility", [utility, utility], "higher")
        | {"rows": [], "sample_ids": []},
    }
    generations = [
        {"sample_id": i, "question": q, "answer": a, "generation": f"{says} {i}"} for i, q, a in ROWS
    ]
    settings = {"forget": "forget10", "retain": "retain90", "limit": 2, "retrained": "demo-retrained"}
    return {
        "model": "demo",
        "revision": "abc123",
        "suite": "authors",
        "settings": settings,
        "metrics": metrics,
        "generations": {"forget": generations},
        "versions": {"torch": "2.0"},
        "git_revision": "c0ffee",
        "device": "cpu",
    }


def changes(shift: float) -> list[TokenChange]:
    return [
        TokenChange(
            sample_id=sample_id,
            question=question,
            texts=("Born", " in", " Calverra", ".", "<|end|>"),
            weights=np.array([0, 0, 1, 0, 0], dtype=np.float32),
            nll_before=np.full(5, 0.1, dtype=np.float32),
            nll_after=np.array([0.1, 0.1, 0.1 + shift, 0.1, 0.1], dtype=np.float32),
            rank_before=np.ones(5, dtype=np.int64),
            rank_after=np.array([1, 1, 40, 1, 1]),
        )
        for sample_id, question, _ in ROWS
    ]


def write_run(
    root: Path,
    run_id: str,
    label: str,
    *,
    told: float = 0.0,
    shift: float = 5.0,
    samples: str = "authors:forget10",
    **settings: Any,
) -> Run:
    """A completed run of the demo model; ``settings`` change the default configuration."""
    spec = RunSpec(
        id=run_id,
        created=f"2026-01-{1 + len(RunStore(root).runs()):02d}T10:00:00+00:00",
        label=label,
        model="demo",
        samples=samples,
        retain="authors:retain90",
        rule={"selection": "hard", "threshold": 0.6},
        config=asdict(UnlearnSettings.from_settings(settings)),
        scoring={"preset": "default"},
        versions={"torch": "2.0"},
    )
    run = RunStore(root).create(spec)
    (run.folder / "adapter").mkdir()
    for step in range(1, 6):
        run.append_metrics({"step": step, "forget_nll": step * shift / 5, "loss": 1.0, "seconds": step})
    run.write("report.json", report([told, 0.0], 0.6 - told / 10, HOSTILE))
    kept = [
        {"sample_id": i, "question": q, "answer": a, "before": a, "after": f"{HOSTILE} {label}"}
        for i, q, a in ROWS
    ]
    run.write("generations.json", {"forget": kept})
    save_changes(changes(shift), run.folder / "tokens.parquet")
    run.set_state(status="completed", done=5, total=5)
    return run
