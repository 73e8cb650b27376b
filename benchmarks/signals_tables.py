"""Headers and rows of the tables on which signal finds the secret, from the stored results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OWN, OTHER_PRESETS, MODEL = "this project", "other presets", "signals of the model"
RIVALS, OTHERS, TEXT = "published weightings, at the start", "with another model", "text alone"
GROUPS = (OWN, OTHER_PRESETS, MODEL, RIVALS, OTHERS, TEXT)
DEFAULT, FORMER_DEFAULT, PAPER = "default", "preset leave-one-out (former default)", "preset paper"
RETRAIN_GAP = "gap to the retrained model (oracle)"
HELD_OUT, RANDOM = "selector, held out by author", "random"
Table = tuple[list[str], list[list[str]]]
COLUMNS = (
    "AUROC (95 % CI)",
    "average precision",
    "AUROC, content words (95 % CI)",
    "mean AUROC per answer",
    "precision",
    "recall",
)
SECTION = """## Which signal finds the secret

`python -m benchmarks.signals`: how well each token score ranks the gold tokens in text that the model knows.
Samples without a gold span and the end of turn are excluded. AUROC: chance is 0.5. In parentheses: 95 % CI
from {draws} bootstrap draws over authors or subjects. n is the number of samples. The constants of the
default were tuned with these rows in view, so its figures are not a held-out test; selectors never saw the
gold spans they are tested on. The best text-only rule is chosen on the same rows.

{everything}

The same among content words, which are neither function words nor words of the question:

{content}

The tables per model also show average precision (chance is the share of gold tokens), the mean AUROC within
an answer, and precision and recall of as many top tokens as the default rule selects (of ties, the first).
Weightings are computed on the model before unlearning, where TNPO gives all tokens the same weight and WTNPO
ranks like WGA. The gap to the retrained model is an oracle, because that model is not available in practice.

{models}"""


def stored(folder: Path) -> list[dict[str, Any]]:
    """The stored results, one a model, those of a world together."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    return sorted(results, key=lambda result: (result["world"], result["model"]))


def full(result: Mapping[str, Any]) -> Table:
    """Every signal of a model as a row."""
    rows = []
    for row in result["rows"]:
        cells = [
            with_interval(row["auroc"]),
            number(row["average_precision"]),
            with_interval(row["content_auroc"]),
            *(number(row[name]) for name in ("row_auroc", "precision", "recall")),
        ]
        mark = " (fitted on this world's retained rows)" if row.get("own_world") else ""
        rows.append([row["group"], row["signal"] + mark + _samples(row, result), *cells])
    return ["kind", "signal", *COLUMNS], rows


def summary(results: Sequence[Mapping[str, Any]], column: str) -> Table:
    """A few signals as rows, models as columns: their "auroc" or "content_auroc"."""
    header = ["signal", *(f"`{r['model']}`, n = {r['n_samples']}" for r in results)]
    chosen = [_chosen(result, column) for result in results]
    names = list(dict.fromkeys(name for rows in chosen for name in rows))
    return header, [[name, *(rows.get(name, "–") for rows in chosen)] for name in names]


def headline(results: Sequence[Mapping[str, Any]]) -> Table:
    """The README's table: AUROC with interval of the default and of what it must beat, on SmolLM2."""
    shown = [result for result in results if result["model"].startswith("smollm2")] or list(results)
    rows = []
    for name in (DEFAULT, FORMER_DEFAULT, PAPER, TEXT):
        row = [name]
        for result in shown:
            by_name = {r["signal"]: r for r in result["rows"]}
            rules = [r for r in result["rows"] if r["group"] == TEXT and r["signal"] != RANDOM]
            best = max(rules, key=lambda r: r["auroc"][0] or 0.0, default=None)
            cell = best if name == TEXT else by_name.get(name)
            row.append(with_interval(cell["auroc"]) if cell else "–")
        rows.append(["best text-only rule" if name == TEXT else name, *row[1:]])
    header = [f"{r['world']}, n = {r['n_samples']} answers, {r['n_clusters']} subjects" for r in shown]
    return ["AUROC (95 % CI)", *header], rows


def _chosen(result: Mapping[str, Any], column: str) -> dict[str, str]:
    """Cells of a model in the summary, by the name of the row."""
    by_name = {row["signal"]: row for row in result["rows"]}
    others = [row for row in result["rows"] if "fitted_on" in row and not row["own_world"]]
    rules = [row for row in result["rows"] if row["group"] == TEXT and row["signal"] != RANDOM]

    def cell(row: Mapping[str, Any] | None) -> str:
        return number(row[column][0]) + _samples(row, result) if row else "–"

    selector = max(others, key=lambda row: len(row["fitted_on"]), default=None)
    rule = max(rules, key=lambda row: row[column][0] or 0.0, default=None)
    return {
        DEFAULT: cell(by_name.get(DEFAULT)),
        "selector, fitted on other worlds": cell(selector),
        HELD_OUT: cell(by_name.get(HELD_OUT)),
        FORMER_DEFAULT: cell(by_name.get(FORMER_DEFAULT)),
        "best text-only rule": f"{cell(rule)} ({rule['signal']})" if rule else "–",
        PAPER: cell(by_name.get(PAPER)),
        RETRAIN_GAP: cell(by_name.get(RETRAIN_GAP)),
    }


def described(result: Mapping[str, Any]) -> str:
    """What was judged, in one sentence or two."""
    content = result["content_gold_share"]
    margins = {"sharp": "without the quarter that it adds to hesitant ones", "tail": "with half of its share"}
    margin = f", {margins[result['reading']]}," if result["reading"] in margins else ""
    inside = "" if content is None else f", {content:.1%} of them gold"
    return (
        f"`{result['samples']}`: {result['n_samples']} samples of {result['n_clusters']} authors or "
        f"subjects, {result['n_tokens']:,} tokens, {result['gold_share']:.1%} of them gold; "
        f"{result['n_content_tokens']:,} content-word tokens{inside}. Entropy reading: "
        f"{result['reading']}. The default rule{margin} selects {result['selected_share']:.1%} of the tokens."
    )


def _samples(row: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """How many samples a row is judged on, where that is not all of them."""
    return "" if row["n_samples"] == result["n_samples"] else f" (n = {row['n_samples']})"


def number(value: float | None) -> str:
    """Three digits, or a dash for what does not exist."""
    return "–" if value is None else f"{value:.3f}"


def with_interval(values: Sequence[float | None]) -> str:
    """A value with its interval, where there is one."""
    value, low, high = values
    return number(value) if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
