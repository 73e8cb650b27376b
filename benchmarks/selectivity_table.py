"""The tables and section of ``benchmarks/results/selectivity.json``: equal utility, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.markdown import markdown


def selectivity_table(result: dict[str, Any]) -> str:
    """Rules as rows; gold and other tokens at equal steps, then at equal mean change, as columns."""
    figures = ("p_gold", "p_other", "change_gold", "change_other", "selectivity")
    rows = [["start model", "", *_selectivity_cells(result["start"], figures[:2]), *[""] * 8]]
    for row in result["rows"]:
        weighted = f"{row['selected']:,} ({row['weight_on_gold']:.2f})"
        equal = _selectivity_cells(row["change"], figures) if row["change"] else ["–"] * len(figures)
        name = row["rule"] + (f", {row['seeds']} seeds" if row["seeds"] > 1 else "")
        rows.append([name, weighted, *_selectivity_cells(row["steps"], figures), *equal])
    if "retrained" in result:
        measured = _selectivity_cells(result["retrained"]["steps"], figures)
        rows.append(["retrained model", "", *measured, *[""] * len(figures)])
    columns = ["p(gold)", "p(other)", "NLL change, gold", "NLL change, other", "selectivity"]
    equal_columns = [f"{column} (equal change)" for column in columns]
    return markdown(["weights", "tokens (weight on gold)", *columns, *equal_columns], rows)


def _selectivity_cells(measured: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Values; probabilities and selectivity with their interval, where there is one."""
    cells = []
    for name in names:
        value, low, high = measured[name]
        form = ".3f" if name.startswith("p_") else "+.2f"
        bounds = low is not None and not name.startswith("change_")
        interval = f" ({low:{form}} to {high:{form}})" if bounds else ""
        cells.append("–" if value is None else f"{value:{form}}{interval}")
    return cells


def _model_selectivity(name: str, result: dict[str, Any]) -> str:
    config, counts = result["config"], result["counts"]
    retrained = f". Retrained model: `{result['retrained']['name']}`" if "retrained" in result else ""
    return f"""### {name}

Forget set `{result["forget"]}`, retained samples `{result["retain"]}`, {config["steps"]} steps, learning rate
{config["learning_rate"]:g}, lambda {config["lambda_"]:g}. n = {result["samples"]} samples of
{result["clusters"]} subjects, {counts["gold"]:,} gold and {counts["other"]:,} other tokens. The equal change
is {result["target"]:.3f} nats, the largest that `{result["least_changed"]}` reaches{retrained}.

{selectivity_table(result)}
"""


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    models = "\n".join(_model_selectivity(name, table) for name, table in result["tables"].items())
    return f"""## Do the weights matter?

`python -m benchmarks.selectivity`: NPO with a KL regularizer under each rule, measured on the forget set with
teacher forcing, without the end of turn. p is a mean probability, NLL changes are means in nats, and
selectivity is the NLL change of gold tokens minus that of other tokens. In parentheses: 95 % bootstrap CI
over subjects. Rules are compared after the same number of steps, and at the same increase in mean NLL over
all tokens: the largest increase that all runs reach, interpolated between measurements. `default` selects
by the default importance, without the quarter of tokens that the default threshold adds to the hesitant ones
and with half of its share of recited text, and no run has the frame loss. `gold` weights only the gold
tokens; `random` and `inverted` move the weights of `default` to other tokens of the same response; `paper`
selects as many tokens as `default`.

{models}"""
