"""The table and section of ``benchmarks/results/tofu.json``: what the default does to real TOFU answers."""

from __future__ import annotations

from typing import Any

from benchmarks.frame_table import frame_table
from benchmarks.markdown import markdown
from tokenunlearn.evaluation.metrics.utility import UTILITY_METRICS

# What model utility is the harmonic mean of.
UTILITY_PARTS = tuple(
    f"{part}/{metric}" for part in ("retain", "real_authors", "world_facts") for metric in UTILITY_METRICS
)

SECTION = """## Real TOFU answers

`python -m benchmarks.tofu`: `{model}`, which has learned twenty authors of TOFU by heart, forgets the 100
answers about five of them with the recommended settings. The default has the level of `tofu:holdout10`.
These questions are not a held-out test: the share of tokens that the default selects in recited text was
chosen on half of them, and the rule that lowers beta in a run behind its level was decided on all. Gold
spans are derived from TOFU's paraphrased and perturbed answers
([data.md](data.md#gold-spans-by-alignment)). Forget quality is the p-value of a two-sample
Kolmogorov-Smirnov test against the retrained model. Model utility is the harmonic mean of the last nine
rows, so it is 0 as soon as one of them is 0. Means over seeds, with the smallest and the largest seed in
parentheses; n is the number of rows behind each seed.

{table}
"""


def tofu_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: metrics by start model, variants and retrained model."""
    return frame_table(result["runs"], result["retrained"], start=result["start"])


def section(result: dict[str, Any]) -> str:
    """The section with its table."""
    return SECTION.format(model=result["model"], table=markdown(*tofu_table(result)))
