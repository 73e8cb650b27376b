"""Small charts as SVG that reads on light and dark grounds: intervals of a report, curves of a run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLORS = {"forget": "#d97706", "retain": "#0d9488", "retrained": "#7c3aed"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 320, 150, 44, 8, 34


def interval_bar(value: float, low: float | None, high: float | None, retrained: float | None) -> str:
    """A value between 0 and 1 as a dot, its interval as a bar, the retrained model's value as a tick."""

    def x(share: float) -> str:
        return f"{4 + 112 * min(max(share, 0.0), 1.0):.1f}"

    parts = ['<line x1="4" x2="116" y1="8" y2="8" stroke="currentColor" stroke-opacity=".25"/>']
    if low is not None and high is not None:
        parts.append(
            f'<line x1="{x(low)}" x2="{x(high)}" y1="8" y2="8" stroke="{COLORS["retain"]}" stroke-width="4"/>'
        )
    parts.append(f'<circle cx="{x(value)}" cy="8" r="4" fill="{COLORS["forget"]}"/>')
    if retrained is not None and 0 <= retrained <= 1:
        at = x(retrained)
        parts.append(
            f'<line x1="{at}" x2="{at}" y1="1" y2="15" stroke="{COLORS["retrained"]}" stroke-width="2"/>'
        )
    return f'<svg width="120" height="16" role="img" aria-label="{value:.3g}">{"".join(parts)}</svg>'


def curve(label: str, points: Sequence[tuple[float, float]], color: str) -> str:
    """One curve over steps, from 0 to its highest value; a dot marks the last one, which may be all there is.

    Args:
        label: What it shows, with its unit.
        points: (step, value) pairs in order, at least one.
        color: Name in ``COLORS``.
    """
    steps, values = zip(*points, strict=True)
    first, last, top = steps[0], steps[-1], max(*values, 0.0) or 1.0
    width, height = WIDTH - LEFT - 8, HEIGHT - TOP - BOTTOM

    def place(step: float, value: float) -> str:
        right = (step - first) / (last - first) if last > first else 0.5
        return f"{LEFT + width * right:.1f},{TOP + height * (1 - max(value, 0.0) / top):.1f}"

    axis = 'stroke="currentColor" stroke-opacity=".5"'
    text = 'fill="currentColor" font-size="11"'
    base = TOP + height
    x, y = place(*points[-1]).split(",")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" style="max-width: 100%" role="img" '
        f'aria-label="{escape(label)} over steps">'
        f'<path d="M{LEFT},{TOP}V{base}H{WIDTH - 8}" fill="none" {axis}/>'
        f'<polyline points="{" ".join(place(*point) for point in points)}" fill="none" '
        f'stroke="{COLORS[color]}" stroke-width="2"/>'
        f'<circle cx="{x}" cy="{y}" r="3" fill="{COLORS[color]}"/>'
        f'<text x="{LEFT - 5}" y="{TOP + 9}" text-anchor="end" {text}>{top:.3g}</text>'
        f'<text x="{LEFT - 5}" y="{base}" text-anchor="end" {text}>0</text>'
        f'<text x="{LEFT}" y="{base + 13}" {text}>{first:g}</text>'
        f'<text x="{WIDTH - 8}" y="{base + 13}" text-anchor="end" {text}>{last:g}</text>'
        f'<text x="{LEFT + width / 2}" y="{base + 28}" text-anchor="middle" {text}>{escape(label)}, by step'
        "</text></svg>"
    )
