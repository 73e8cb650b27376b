"""The tables and section of ``benchmarks/results/outcomes.json``: judges, and what became of answers."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import counted, markdown


def judges_table(result: dict[str, Any]) -> str:
    """Groups of answers as rows, judges and suites as columns: AUROC, then the share called broken."""
    columns = {(j, s): f for j, suites in result["judges"].items() for s, f in suites.items()}
    groups = dict.fromkeys(group for figures in columns.values() for group in figures["called_broken"])
    aurocs = [f"{a:.3f} ({low:.3f} to {high:.3f})" for a, low, high in (f["auroc"] for f in columns.values())]
    rows = [["AUROC, all broken against all fluent", *aurocs]]
    for group in groups:
        cells = (figures["called_broken"].get(group) for figures in columns.values())
        label = f"called broken: {group}"
        rows.append([label, *(counted(cell) if cell else "–" for cell in cells)])
    return markdown(["", *(f"`{judge}`, {suite}" for judge, suite in columns)], rows)


def outcomes_table(result: dict[str, Any]) -> str:
    """Outcomes as rows, start, unlearned and retrained model as columns."""
    metrics = result["outcomes"]
    models = next(iter(metrics.values()))
    rows = [
        [f"`{name}`", *(counted(row[model]) if model in row else "–" for model in models)]
        for name, row in metrics.items()
        if row
    ]
    rows += [
        [f"called broken by the judge `{judge}`, whatever is stated", *(counted(row[m]) for m in models)]
        for judge, row in result["shipped_broken"].items()
    ]
    return markdown(["", *models], rows)


def read_table(result: dict[str, Any]) -> str:
    """Models and labels by reading as rows, judges as columns: the share called broken."""
    judges = result["read_broken"]
    rows = [
        [f"`{model}`, {label}", *(counted(figures[model][label]) for figures in judges.values())]
        for model, labels in next(iter(judges.values())).items()
        for label in labels
    ]
    return markdown(["answers of runs from", *(f"called broken by `{judge}`" for judge in judges)], rows)


def section(result: dict[str, Any]) -> str:
    """The section of ``docs/results.md``."""
    return f"""## What became of the forgotten answers

The [run shipped with the repository](verdict.md#the-run-in-this-repository), its start model and its
retrained model, see [metrics.md](metrics.md#leaks-cross_leaks-declines-broken-wrong). In parentheses: 95 % CI
and n.

{outcomes_table(result)}

`python -m benchmarks.outcomes`: do the judges tell broken answers from fluent ones? Fluent: answers of the
start and the retrained model to retained questions, and true answers of the holdout. Broken: the start
model's answers after one damage each (swapped: two pairs of words; thinned: a quarter of the words deleted;
glued: half a word and the next; repeated: three words said three times; spliced: the beginning of one answer
with the end of another; cut: the last third missing; salad: all words in random order). On TOFU, true answers
stand in for those of models. Limits are set on other retained questions.

{judges_table(result)}

How `words` weighs its faults was chosen among five forms on these damaged answers, so its figures are not a
held-out test. The start and the retrained model recite most retained answers alike, so their two rows are one
measurement. Both judges miss most of the spliced answers, some of which are sentences, so `broken` is a lower
bound. SmolLM2 finds invented names unlikely in fluent answers too: its limit is high, and among the authors
it misses most faults of a word or two. On TOFU's real text it tells broken from fluent better than `words`.

Answers of unlearned models, read one by one without knowing what a judge says: those of the demo model are a
sample from runs of several kinds, those of SmolLM2 all that the runs with the default settings gave. Of the
latter {_read_broken(result)} are broken.

{read_table(result)}
"""


def _read_broken(result: dict[str, Any]) -> str:
    """How many of SmolLM2's answers are broken by reading."""
    counts = next(iter(result["read_broken"].values()))["smollm2-authors"]
    broken, fluent = (counts[label][-1] for label in ("broken", "fluent"))
    return f"{broken} of {broken + fluent}"
