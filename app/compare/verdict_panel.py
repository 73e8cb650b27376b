"""A verdict as HTML: sentences on the left, their figures on the right, one section after another."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from app.numbers import measured
from tokenunlearn.evaluation.claims import SECTIONS, Claim, Verdict

# Amber, teal and gray read on light and dark grounds alike; the words beside them say the same.
MARKS = {"gone": "13, 148, 136", "there": "217, 119, 6", "hidden": "217, 119, 6"}
FOLDED = ("differs", "untested")
SHOWN = 3  # claims of another section
STYLE = """<style>
.vd { border: 1px solid rgba(128, 128, 128, .35); border-radius: .5rem; padding: .8rem 1rem; line-height: 1.5;
  overflow-wrap: anywhere; }
.vd .head { font-weight: 600; margin: 0; padding-left: .7rem; border-left: .3rem solid rgb(107, 114, 128); }
.vd.heads { border: none; padding: 0; font-size: 1.15rem; }
.vd.heads .head + .head { margin-top: .5rem; }
.vd h4, .vd summary { font-size: .95rem; font-weight: 600; margin: .8rem 0 .2rem; padding: 0; }
.vd summary { cursor: pointer; }
.vd ul { list-style: none; margin: 0; padding: 0; }
.vd li { display: grid; grid-template-columns: minmax(0, 1fr) 21rem; gap: 0 1.5rem; margin: 0;
  padding: .35rem 0; border-top: 1px solid rgba(128, 128, 128, .2); }
.vd .alone { grid-column: 1 / -1; }
.vd .figures { font-size: .82rem; opacity: .85; font-variant-numeric: tabular-nums; }
.vd .figures span { display: flex; justify-content: space-between; gap: .8rem; }
.vd .note { font-size: .82rem; opacity: .85; margin: .6rem 0 0; }
@media (max-width: 46rem) { .vd li { grid-template-columns: minmax(0, 1fr); } }
</style>"""


def panel_html(verdict: Verdict, title: str = "", *, folded: bool = True) -> str:
    """A verdict as safe HTML.

    Args:
        verdict: The verdict.
        title: What is judged; "" where that is clear.
        folded: Whether differences, what was not tested, and more than three claims open on a click.
    """
    parts = [_head(verdict, title)]
    for field, heading in SECTIONS.items():
        claims = getattr(verdict, field)
        if claims and folded and field in FOLDED:
            summary = f"<summary>{escape(heading)} ({len(claims)})</summary>"
            parts.append(f"<details>{summary}{_list(claims)}</details>")
        elif claims:
            shown = SHOWN if folded else len(claims)
            parts.append(f"<h4>{escape(heading)}</h4>{_list(claims[:shown])}")
            if more := claims[shown:]:
                parts.append(f"<details><summary>{len(more)} more</summary>{_list(more)}</details>")
    note = (
        f"Same level: the 90 % interval of the difference lies within ±{verdict.margin:g}. "
        "More or less often, higher or lower: its 95 % interval does not contain 0."
    )
    return f'{STYLE}<div class="vd">{"".join(parts)}<p class="note">{note}</p></div>'


def heads_html(verdicts: Mapping[str, Verdict]) -> str:
    """The sentence of each verdict as safe HTML; of a single one without what is judged.

    Args:
        verdicts: What is judged -> verdict.
    """
    heads = (_head(verdict, title if len(verdicts) > 1 else "") for title, verdict in verdicts.items())
    return f'{STYLE}<div class="vd heads">{"".join(heads)}</div>'


def _head(verdict: Verdict, title: str) -> str:
    name = f"{escape(title)}: " if title else ""
    mark = MARKS.get(verdict.outcome, "107, 114, 128")
    return f'<p class="head" style="border-color: rgb({mark})">{name}{escape(verdict.headline)}</p>'


def _list(claims: tuple[Claim, ...]) -> str:
    return f"<ul>{''.join(map(_item, claims))}</ul>"


def _item(claim: Claim) -> str:
    if claim.value is None:
        return f'<li><div class="alone">{escape(claim.sentence)}</div></li>'
    lines = [(f"this model, n = {claim.n:,}", _figure(claim.value, claim.interval))]
    if claim.retrained is not None:
        lines.append(("never saw it", _figure(claim.retrained, claim.retrained_interval)))
    if gap := claim.difference:
        ends = f"{measured(gap.low, '+')} to {measured(gap.high, '+')}"
        lines.append((f"difference, {100 * gap.level:.0f} % CI", f"{measured(gap.value, '+')} ({ends})"))
    if claim.p is not None:
        lines.append(("Kolmogorov-Smirnov", f"p = {measured(claim.p)}"))
    figures = "".join(f"<span><span>{name}</span><span>{text}</span></span>" for name, text in lines)
    return f'<li><div>{escape(claim.sentence)}</div><div class="figures">{figures}</div></li>'


def _figure(value: float, interval: tuple[float, float] | None) -> str:
    ends = f" ({measured(interval[0])} to {measured(interval[1])})" if interval else ""
    return f"{measured(value)}{ends}"
