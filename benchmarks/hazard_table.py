"""The table and section of ``benchmarks/results/hazard.json``: what hazard unlearning leaves."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.markdown import markdown, over_seeds


def hazard_table(result: dict[str, Any]) -> str:
    """Models as rows, accuracies as columns, with 95 % intervals, of runs with their spread over seeds."""
    names = list(result["start"])

    def measured(accuracy: Sequence[float]) -> str:
        return f"{accuracy[0]:.3f} ({accuracy[1]:.3f} to {accuracy[2]:.3f})"

    rows = [["start model", *(measured(result["start"][name]) for name in names)]]
    runs: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in result["runs"]:
        runs.setdefault((run["forget"], run["objective"], run["weights"]), []).append(run)
    for (forget, objective, rule), seeds in sorted(runs.items()):
        cells = [over_seeds([run["metrics"][name][0] for run in seeds], 3) for name in names]
        first, last = (statistics.mean(run["nll"][i] for run in seeds) for i in (0, -1))
        rows.append(
            [f"`{forget}`, `{objective}`, {rule}", *cells, str(len(seeds)), f"{first:.1f} → {last:.1f}"]
        )
    rows.append(["retrained model", *(f"{result['retrained'][name]:.3f}" for name in names)])
    rows.append(["chance", *(f"{result['chance']:.2f}" for _ in names)])
    rows = [[*row, *[""] * (len(names) + 3 - len(row))] for row in rows]
    header = ["", *(f"{name}, n = {result['n'][name]}" for name in names), "seeds", "forget NLL, nats"]
    return markdown(header, rows)


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    settings = {run["objective"]: run["config"] for run in reversed(result["runs"])}
    described = "\n".join(
        f"- {name}: {c['steps']} steps, learning rate {c['learning_rate']:g}, gamma {c['gamma']:g}, "
        f"lambda {c['lambda_']:g}, {c['regularizer']}, "
        + ", ".join(f"{k} {v:g}" for k, v in c["parameters"].items())
        + (f", layer {c['layer']} (from 0)" if c["layer"] is not None else "")
        + f", frame {c['frame']:g}"
        for name, c in settings.items()
    )
    return f"""## A fictional hazard, WMDP-style

`python -m tokenunlearn bench hazard`: `{result["model"]}` forgets texts on the hazard and retains texts on a
neighboring topic; multiple-choice questions are scored by the likelihood of their letters. `alchemy:forget`
are prose documents; `alchemy:forget_exercises` are exercise sheets: the same questions with their choices in
a different order than in the evaluation. Preset `leave-one-out`, hard selection at threshold 0.8. Start model
with 95 % CI, runs as mean ± standard deviation over seeds; forget NLL: NLL of the selected tokens in the
first and the last step.

{described}

The settings of `altnpo`, the default, are the recommended ones, which were chosen for answers to questions:
no question about the documents is forgotten with them.

{hazard_table(result)}
"""
