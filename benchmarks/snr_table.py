"""Tables and section of ``benchmarks/results/snr.json``: signal and noise of gradients by token weights."""

from __future__ import annotations

from typing import Any

Table = tuple[list[str], list[list[str]]]
SECTION = """## Gradient signal-to-noise

`python -m benchmarks.snr`: gradients of every response token of the start model, with respect to the
weights that unlearning trains by default; see [method.md](method.md#gradient-signal-to-noise). Signal:
squared length of the weighted gradient inside the unlearning subspace, which is spanned by the gradients of
the paraphrases' gold tokens. Noise: squared length of the rest. SNR: their ratio over all samples together;
"to uniform": this SNR as a multiple of that of uniform weights; "by sample": the geometric mean of this
multiple over single samples, in which samples with long gradients count no more than others. In
parentheses: 95 % bootstrap CI over subjects. `random` moves the weights of `default` to other tokens of the
same answer (mean of 10 draws); `gold` selects the gold tokens.

{models}"""
MODEL = """### {name}: signal and noise

`{forget}`, n = {samples} samples of {subjects} subjects, {gold:,} gold tokens of {all:,}; {parameters:,}
trained numbers ({trained}), {directions} directions. The default threshold is {threshold:.3f}.

{table}

The theory (arXiv 2605.00364) says that gradients of unimportant tokens lie mostly orthogonal to the
unlearning subspace. {judgment}
{others}
"""
OTHERS = """
As a check, the subspace is also taken from the facts of the other half of the subjects, which have the same
form but are not the facts measured. In that subspace the default's SNR is {default} times that of uniform
weights, and the SNR of gold tokens {gold} times. It contains {gold_share} of the gold tokens' squared
gradient length and {other_share} of the other tokens'.
"""


def snr_table(result: dict[str, Any]) -> Table:
    """Header and rows: the rules, then hard selection by threshold, then soft weighting by temperature."""
    rows = [_row(name, figures) for name, figures in result["rules"].items()]
    for name, points in result["curves"].items():
        setting = "threshold" if name == "hard" else "temperature"
        rows += [_row(f"{name}, {setting} {point['at']:g}", point) for point in points]
    return [
        "weights",
        "SNR",
        "to uniform",
        "to uniform, by sample",
        "tokens selected",
        "samples with any",
    ], rows


def judgment(result: dict[str, Any]) -> str:
    """Whether the prediction holds, and whether the default doubles the ratio of uniform weights."""
    gold, other = (result["shares"][side] for side in ("gold", "other"))
    inside = (
        f"Inside it lie {figure(other)} of the squared gradient length of tokens that are not gold, and "
        f"{figure(gold)} of the gold tokens'."
    )
    holds = "It holds here" if other[2] < 0.5 else "It does not hold here"
    if gold[1] > other[2]:
        apart = ", and the gold tokens' gradients lie inside more"
    elif gold[2] < other[1]:
        apart = ", but the gold tokens' gradients lie inside less"
    else:
        apart = ", but the gold tokens' gradients do not differ beyond the intervals"
    also = "; most of their length lies outside too" if gold[2] < 0.5 else ""
    _, low, high = ratio = result["rules"]["default"]["to_uniform"]
    doubled = "at least twice" if low >= 2 else "less than twice" if high < 2 else "not clearly twice"
    verdict = f"The default's SNR is {doubled} that of uniform weights: {figure(ratio, 2)}."
    return f"{inside} {holds}{apart}{also}. {verdict}"


def others(result: dict[str, Any]) -> str:
    """What another definition of the subspace gives, where it was measured."""
    if "other_subjects" not in result:
        return ""
    rules, shares = (result["other_subjects"][part] for part in ("rules", "shares"))
    return OTHERS.format(
        **{name: figure(rules[name]["to_uniform"], 2) for name in ("default", "gold")},
        **{f"{side}_share": figure(values) for side, values in shares.items()},
    )


def section(name: str, result: dict[str, Any], table: str) -> str:
    """The part of one model."""
    values = {key: value for key, value in result.items() if not isinstance(value, dict)}
    return MODEL.format(
        name=name, table=table, judgment=judgment(result), others=others(result), **values, **result["tokens"]
    )


def figure(values: list[float], digits: int = 4) -> str:
    """Value and interval."""
    value, low, high = (f"{v:.{digits}f}" for v in values)
    return f"{value} ({low} to {high})"


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    counts = f"{figures['selected']:,}", str(figures["samples"])
    return [
        name,
        figure(figures["snr"]),
        figure(figures["to_uniform"], 2),
        figure(figures["by_sample"], 2),
        *counts,
    ]
