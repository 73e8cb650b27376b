"""The tables and section of ``benchmarks/results/methods``: every objective with every rule."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks import RESULTS
from benchmarks.markdown import markdown, over_seeds
from tokenunlearn.objectives import OBJECTIVES

METHODS = RESULTS / "methods"


def methods_results() -> list[dict[str, Any]]:
    """The stored results of the methods, one a model, that of ``demo`` first."""
    paths = sorted(METHODS.glob("*.json"), key=lambda path: (path.stem != "demo", path.stem))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def methods_table(result: dict[str, Any]) -> str:
    """Objectives as rows, weights as columns: forget gold spans and utility of one model, mean ± sd, seeds.

    Cells that reach the target, at most 0.15 of the forget set's gold spans at 0.90 of the start model's
    utility or more, are bold.
    """
    rules = list(result["rules"])
    measured = {run["objective"] for run in result["runs"]}
    rows = [
        [f"`{objective}`", *(_method_cell(result, objective, rule) for rule in rules)]
        for objective in OBJECTIVES
        if objective in measured
    ]
    return markdown(["objective", *rules], rows)


def _method_cell(result: dict[str, Any], objective: str, rule: str) -> str:
    runs = [r["metrics"] for r in result["runs"] if (r["objective"], r["weights"]) == (objective, rule)]
    if not runs:
        return "–"
    forget = [m["forget/gold_span"] for m in runs]
    utility = [m["model_utility"] / result["start"]["model_utility"] for m in runs]
    text = f"{over_seeds(forget, 2)} / {over_seeds(utility, 2)}"
    reached = statistics.mean(forget) <= 0.15 and statistics.mean(utility) >= 0.9
    return (f"**{text}**" if reached else text) + f" ({len(runs)})"


def _model_methods(result: dict[str, Any]) -> str:
    size, start = result["parameters"] / 1e6, result["start"]["model_utility"]
    return f"""### {result["model"]}

{result["architecture"]}, {size:.1f} M parameters, utility of the start model {start:.3f}.

{methods_table(result)}
"""


def section(results: Sequence[dict[str, Any]]) -> str:
    """The section of ``docs/results.md``."""
    models = "\n".join(map(_model_methods, results))
    return f"""## All objectives

`python -m tokenunlearn bench methods`: recommended settings of each objective ([method.md](method.md)), tuned
on `demo` with hard selection (preset `leave-one-out`, threshold 0.8) and no frame loss, on models of
several families, {results[0]["limit"]} samples per split.
Each cell: gold-span accuracy on the forget set / model utility relative to the start model, mean ±
standard deviation over seeds, with the number of seeds in parentheses. Bold: at most 0.15 / at least 0.90.

{models}
![Gold-span accuracy on the forget set against model utility, one panel per model](images/methods.png)
"""
