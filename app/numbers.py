"""How numbers look: the one rule for text and tables, so that equal values look equal everywhere."""

from __future__ import annotations

TABLE = "%.3f"  # the rule for a column of a table


def measured(value: float, sign: str = "") -> str:
    """A measured number: three decimals, and two digits where these would show 0 for what is not 0.

    Args:
        value: The number.
        sign: "+" to write the sign of positive numbers, too.
    """
    value = float(value) or 0.0  # no -0.000
    return f"{value:{sign}.2g}" if 0 < abs(value) < 5e-4 else f"{value:{sign},.3f}"


def setting(value: float) -> str:
    """A number that was chosen: like a measured one, without zeros at its end."""
    text = measured(value)
    return text if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


def counted(count: int, noun: str) -> str:
    """So many of something: "1 answer", "1,474 tokens"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
