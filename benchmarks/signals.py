"""Which signal finds the secret: AUROC of every token score against the gold spans.

    python -m benchmarks.signals demo smollm2-authors

Writes ``benchmarks/results/signals.json``, prints the table and renews ``docs/results.md``.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, tables
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.evaluation.token_auroc import token_auroc

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
        scores, paper = (
            tu.score(model, samples, preset=preset, cache=True) for preset in ("default", "paper")
        )
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
    found = {"samples": SAMPLES, "models": result}
    (RESULTS / "signals.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    Console().print(tables.signals_table(found))
    tables.write()


if __name__ == "__main__":
    main(sys.argv[1:] or ["demo", "smollm2-authors"])
