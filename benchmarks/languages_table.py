"""Tables and section of ``benchmarks/results/languages.json``: what works beyond English, and how well."""

from __future__ import annotations

from typing import Any

Table = tuple[list[str], list[list[str]]]
SECTION = """## Other languages

`python -m benchmarks.languages`: one run of each language with the default settings, on
[`german:forget` and `japanese:forget`](data.md#other-languages). In parentheses: 95 % CI and n.

AUROC for the gold tokens of the forget set, all tokens; interval over the nine people. `importance` is the
default signal, `masking` the knowledge score with the copy guard.

{signals}

{metrics}

Shares of true and of damaged answers that the judge `words` calls broken, as in
[what became of the forgotten answers](#what-became-of-the-forgotten-answers); the limit is set on half of the
retained answers, the others are tested.

{judge}

Facts stated under attack, unlearned and retrained model:

{attacks}

{verdicts}
"""


def signals_table(result: dict[str, Any]) -> Table:
    """Signals as rows, languages as columns."""
    columns = {
        f"{language}, n = {of['tokens']['n_samples']}": of["signals"]
        for language, of in result["languages"].items()
    }
    names = next(iter(columns.values()))
    return ["signal", *columns], [[name, *(_area(of[name]) for of in columns.values())] for name in names]


def metrics_table(result: dict[str, Any]) -> Table:
    """Metrics as rows; start, unlearned and retrained model of each language as columns."""
    columns = {
        f"{language}: {model}": of
        for language, known in result["languages"].items()
        for model, of in known["models"].items()
    }
    return ["", *columns], _rows(columns)


def judge_table(result: dict[str, Any]) -> Table:
    """Groups of answers as rows, languages as columns: the share that is called broken."""
    columns = {language: of["called_broken"] for language, of in result["languages"].items()}
    return ["called broken", *columns], _rows(columns)


def attacks_table(result: dict[str, Any]) -> Table:
    """Attacks as rows; unlearned and retrained model of each language as columns."""
    columns: dict[str, dict[str, Any]] = {}
    for language, of in result["languages"].items():
        columns[f"{language}: unlearned"] = {name: row[:4] for name, row in of["attacks"].items()}
        columns[f"{language}: retrained"] = {name: row[4:] for name, row in of["attacks"].items()}
    return ["", *columns], _rows(columns)


def headline_table(result: dict[str, Any]) -> Table:
    """What a reader wants first: the signal, what is forgotten and kept, and the verdict."""
    languages = result["languages"]
    rows = [
        ["AUROC of the default signal", *(_area(of["signals"]["importance"]) for of in languages.values())]
    ]
    for name in ("forget/leaks", "forget/broken", "retain/retained_pairs"):
        for model in ("unlearned model", "retrained model"):
            cells = (_cell(of["models"][model].get(name)) for of in languages.values())
            rows.append([f"`{name}`, {model}", *cells])
    rows.append(
        [
            "gold tokens that hold more than the fact",
            *(_cell(of["gold_tokens_across"]) for of in languages.values()),
        ]
    )
    rows.append(["verdict", *(of["verdict"]["outcome"] for of in languages.values())])
    return ["", *(f"`{of['model']}`" for of in languages.values())], rows


# Place in the section -> its table.
TABLES = {
    "signals": signals_table,
    "metrics": metrics_table,
    "judge": judge_table,
    "attacks": attacks_table,
}


def verdicts(result: dict[str, Any]) -> str:
    """The verdict on each run, as sentences."""
    lines = (f"- {language}: {of['verdict']['headline']}" for language, of in result["languages"].items())
    return "The verdict on each run:\n\n" + "\n".join(lines)


def _rows(columns: dict[str, dict[str, Any]]) -> list[list[str]]:
    names = dict.fromkeys(name for of in columns.values() for name in of)
    return [[f"`{name}`", *(_cell(of.get(name)) for of in columns.values())] for name in names]


def _area(figure: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*figure)


def _cell(figure: list[Any] | None) -> str:
    """Value, interval and n of a figure; the value alone, where that is all there is."""
    if not figure or figure[0] is None:
        return "–"
    value, *rest = figure
    if not rest:
        return f"{value:.3f}"
    low, high, n = rest
    interval = "" if low is None else f"{low:.3f} to {high:.3f}, "
    return f"{value:.3f} ({interval}n = {n})"
