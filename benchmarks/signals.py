"""Which signal finds the secret: AUROC of every token score against the gold spans.

    python -m benchmarks.signals demo smollm2-authors

Writes ``benchmarks/results/signals.json`` and prints the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import tokenunlearn as tu
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.evaluation.token_auroc import token_auroc

RESULT = Path(__file__).parent / "results" / "signals.json"
SAMPLES = "authors:forget10"


def signals(scores: ScoreSet, paper: ScoreSet) -> dict[str, list[np.ndarray]]:
    """Every token score by name."""
    unguarded = scores.with_settings(copy_guard=False)
    return {
        "entropy": [x.entropy for x in scores.samples],
        "1 - p": [1 - np.exp(-x.nll) for x in scores.samples],
        "masking, leave-one-out, copy guard": scores.knowledge,
        "masking, leave-one-out, no guard": unguarded.knowledge,
        "masking, prompt, copy guard": paper.with_settings(copy_guard=True, aggregation="sum").knowledge,
        "masking, prompt, no guard": paper.with_settings(aggregation="sum").knowledge,
        "preset paper": paper.importance,
        "even sum of ranks": scores.with_settings(fusion="sum").importance,
        "default": scores.importance,
    }


def main(models: list[str]) -> None:
    """Score the forget set with every model and write the table."""
    samples = tu.load_samples(SAMPLES)
    result = {}
    for name in models:
        model = tu.load_model(name)
        scores, paper = tu.score(model, samples), tu.score(model, samples, preset="paper")
        gold = [x.gold for x in scores.samples]
        aurocs = {
            signal: round(token_auroc(values, gold), 4) for signal, values in signals(scores, paper).items()
        }
        result[name] = {
            "revision": model.revision,
            "tokens": int(sum(len(g) for g in gold)),
            "gold_tokens": int(sum(g.sum() for g in gold)),
            "auroc": aurocs,
        }
    RESULT.write_text(json.dumps({"samples": SAMPLES, "models": result}, indent=2) + "\n", encoding="utf-8")
    table = Table("signal", *result, title=f"AUROC against the gold spans of {SAMPLES}")
    for signal in next(iter(result.values()))["auroc"]:
        table.add_row(signal, *(f"{row['auroc'][signal]:.3f}" for row in result.values()))
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:] or ["demo", "smollm2-authors"])
