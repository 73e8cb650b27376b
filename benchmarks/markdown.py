"""Tables and figures as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def over_seeds(values: Sequence[float], digits: int) -> str:
    """Mean of a few seeds, with the standard deviation of the sample (n - 1) where there are two or more."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def counted(share: Sequence[float]) -> str:
    """A share, its interval and n, from (share, low, high, n)."""
    value, low, high, n = share
    return f"{value:.3f} ({low:.3f} to {high:.3f}, n = {n})"


def seed_range(values: Sequence[float]) -> str:
    """Mean of a few seeds, with the smallest and the largest where there are two or more; a dash for none."""
    if not values:
        return "–"
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"
