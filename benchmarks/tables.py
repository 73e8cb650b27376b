"""Writes ``docs/results.md`` from ``benchmarks/results/*.json``: ``python -m benchmarks.tables``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import RESULTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
HEAD = """# Results

Every table on this page is written by `python -m benchmarks.tables` from the JSON files under
`benchmarks/results/`, and those by the command named above each table. Nothing here is typed in by hand.
"""


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def signals_table(result: dict[str, Any]) -> str:
    """Signals as rows, models as columns: AUROC against the gold spans."""
    models = result["models"]
    names = list(next(iter(models.values()))["auroc"])
    rows = [[name, *(f"{model['auroc'][name]:.3f}" for model in models.values())] for name in names]
    return markdown(["signal", *models], rows)


def selection_table(result: dict[str, Any]) -> str:
    """Rules as rows, metrics as columns: mean ± standard deviation over seeds."""
    metrics = list(next(iter(result["summary"].values())))
    rows = [["start model", *(f"{result['start'][m]:.3g}" for m in metrics)]]
    for name, figures in result["summary"].items():
        rows.append([name, *(f"{figures[m]['mean']:.3f} ± {figures[m]['sd']:.3f}" for m in metrics)])
    known = result["retrained"]
    rows.append(["retrained model", *(f"{known[m]:.3g}" if m in known else "–" for m in metrics)])
    return markdown(["weights", *metrics], rows)


def _signals_section(result: dict[str, Any]) -> str:
    counts = ", ".join(f"{n}: {m['gold_tokens']} of {m['tokens']}" for n, m in result["models"].items())
    return f"""## Which signal finds the secret

`python -m benchmarks.signals`: AUROC of each token score against the gold spans of `{result["samples"]}`;
chance is 0.5. Gold tokens ({counts}).

{signals_table(result)}
"""


def _selection_section(result: dict[str, Any]) -> str:
    runs = result["runs"]
    seeds = len(next(iter(runs.values())))
    shares = ", ".join(f"{name} {rows[0]['selected']} of {rows[0]['tokens']}" for name, rows in runs.items())
    steps = result["config"]["steps"]
    rows = f"{result['limit']} samples a part" if result["limit"] else "every sample"
    return f"""## Sequence-level, hard, soft

`python -m benchmarks.selection`: objective {result["objective"]}, {steps} steps, the same settings for all,
{seeds} seeds, model `{result["model"]}`, forget set `{result["forget"]}`. Mean ± standard deviation over
seeds, evaluated on {rows}; the start and the retrained model on every sample. Tokens with a weight:
{shares}.

{selection_table(result)}
"""


SECTIONS = {"signals": _signals_section, "selection": _selection_section}


def write() -> None:
    """Renew the page from the results that are there."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(section(json.loads(path.read_text(encoding="utf-8"))))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    write()
