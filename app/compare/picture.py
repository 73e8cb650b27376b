"""The picture that a comparison begins with: secret, rest of the answer, everything else. Pure.

Each share is drawn on the questions that all models were evaluated on, so that evaluations of different sizes
are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from app.compare.comparison import Contender
from app.present.slides import percent
from tokenunlearn.evaluation.difference import Figure
from tokenunlearn.evaluation.report import MetricValues, ReportValues
from tokenunlearn.evaluation.result import ARROWS, Better

# Measures of what a split asks for, the best one first, and what their share is a share of.
SHARES = {
    "leaks": "answers that state it or part of it",
    "gold_span": "facts stated",
    "accuracy": "right choices",
    "rouge_l": "words repeated in order",
    "probability": "mean probability",
}
REST, REST_SHARE = "frame_kept", "other words repeated"
TITLES = {
    "forget": "Secret",
    "retain": "Retained samples",
    "real_authors": "Real authors",
    "world_facts": "World facts",
}
NOT_ASKED = ("holdout",)
LEGEND = (
    "Line: 95 % CI, also in parentheses. ↓ lower is better, ↑ higher is better, → closest to the retrained "
    "model is best."
)
STYLE = """<style>
.pc { container-type: inline-size; line-height: 1.35; font-variant-numeric: tabular-nums; }
.pc .grid { display: grid; grid-auto-flow: column; grid-template-columns: minmax(7rem, 13rem);
  grid-auto-columns: minmax(0, 1fr); column-gap: 1.2rem; }
.pc .names, .pc .panel { display: contents; }
.pc .head { align-self: end; padding-bottom: .35rem; }
.pc .head span { display: block; font-size: .8rem; opacity: .8; }
.pc .lane, .pc .who { position: relative; display: grid; grid-template-columns: minmax(0, 1fr) 4rem;
  gap: .6rem; align-items: center; min-height: 2.4rem; border-top: 1px solid rgba(128, 128, 128, .2); }
.pc .who { grid-template-columns: minmax(0, 1fr); }
.pc .name { padding-left: .15rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  unicode-bidi: isolate; }
.pc .lane .name { position: absolute; clip-path: inset(50%); width: 1px; }
.pc .track { position: relative; height: 1.1rem; margin: 0 .4rem; }
.pc .track i { position: absolute; }
.pc .line { inset: calc(50% - .5px) -.4rem auto; height: 1px; background: rgba(128, 128, 128, .45); }
.pc .share { left: 0; top: .2rem; bottom: .2rem; opacity: .3; }
.pc .range { top: calc(50% - 1.5px); height: 3px; border-radius: 2px; min-width: 2px; }
.pc .mark { top: 50%; transform: translate(-50%, -50%); font-style: normal; font-size: 1rem; line-height: 1; }
.pc .value { line-height: 1.15; }
.pc .value small { display: block; opacity: .8; white-space: nowrap; }
.pc .missing { grid-column: 1 / -1; font-size: .85rem; opacity: .8; }
.pc .axis { display: flex; justify-content: space-between; margin-right: 4.6rem; font-size: .75rem;
  opacity: .8; border-top: 1px solid rgba(128, 128, 128, .2); }
@container (max-width: 70rem) {
  .pc .grid, .pc .panel { display: block; }
  .pc .names { display: none; }
  .pc .head { padding-top: .8rem; }
  .pc .head span { display: inline; margin-left: .4rem; }
  .pc .lane { grid-template-columns: minmax(0, 2fr) minmax(0, 3fr) 6.6rem; min-height: 1.7rem; }
  .pc .lane .name { position: static; clip-path: none; width: auto; }
  .pc .value small { display: inline; }
  .pc .missing { grid-column: 2 / -1; }
  .pc .axis { display: none; }
}
</style>"""


@dataclass(frozen=True)
class Panel:
    """One share of every model.

    Attributes:
        title: What is asked for.
        share: What it is a share of.
        better: Which way is better.
        figures: Model's name -> its share, on the questions that all models have where there are any.
        sizes: Model's name -> questions that it was evaluated on.
    """

    title: str
    share: str
    better: Better
    figures: Mapping[str, Figure]
    sizes: Mapping[str, int]

    @property
    def mixed(self) -> bool:
        """Whether the shares rest on different questions, because the models have too few in common."""
        figures = self.figures.values()
        return len({f.n for f in figures}) > 1 or len({frozenset(f.ids) for f in figures if f.ids}) > 1

    @property
    def n(self) -> str:
        """Questions behind each share, "24" or "24 to 72"."""
        return _range(figure.n for figure in self.figures.values())


def panels(reports: Mapping[str, ReportValues]) -> list[Panel]:
    """The shares that reports have: the secret and the rest of the answer, then what was to be kept.

    Args:
        reports: Model's name -> report.
    """
    names = dict.fromkeys(name for report in reports.values() for name in report["metrics"])
    forgotten: list[Panel] = []
    others: list[Panel] = []
    for split in dict.fromkeys(name.partition("/")[0] for name in names if "/" in name):
        metric = None if split in NOT_ASKED else _metric(split, reports)
        if metric is None:
            continue
        panel = _panel(f"{split}/{metric}", _title(split), SHARES[metric], reports)
        (forgotten if panel.better == "lower" else others).append(panel)
        if panel.better == "lower" and f"{split}/{REST}" in names:
            forgotten.append(_panel(f"{split}/{REST}", "Rest of the answer", REST_SHARE, reports))
    return [*forgotten, *others]


def _title(split: str) -> str:
    words = split.replace("_", " ")
    return TITLES.get(split, words[:1].upper() + words[1:])


def _metric(split: str, reports: Mapping[str, ReportValues]) -> str | None:
    """The best measure of a split that all reports on it have, else that any has."""
    having = [
        {metric for metric in SHARES if _value(report, f"{split}/{metric}")} for report in reports.values()
    ]
    having = [metrics for metrics in having if metrics]
    if not having:
        return None
    common = set.intersection(*having) or set.union(*having)
    return next(metric for metric in SHARES if metric in common)


def _value(report: ReportValues, name: str) -> MetricValues | None:
    metric = report["metrics"].get(name)
    return metric if metric and metric["value"] is not None and metric["n"] else None


def _panel(name: str, title: str, share: str, reports: Mapping[str, ReportValues]) -> Panel:
    metrics = {model: metric for model, report in reports.items() if (metric := _value(report, name))}
    rows = {model: _rows(metric) for model, metric in metrics.items()}
    shared = set.intersection(*(set(own) for own in rows.values() if own) or [set()])
    return Panel(
        title,
        share,
        next(iter(metrics.values()))["better"],
        {model: _figure(metric, rows[model], shared) for model, metric in metrics.items()},
        {model: metric["n"] for model, metric in metrics.items()},
    )


def _rows(metric: MetricValues) -> dict[str, float]:
    """Sample id -> value of the rows that have one."""
    pairs = zip(metric["sample_ids"], metric["rows"], strict=True)
    return {sample_id: row for sample_id, row in pairs if row is not None}


def _figure(metric: MetricValues, rows: Mapping[str, float], shared: set[str]) -> Figure:
    """A share on the shared questions; on all of its own where none are shared or its rows are not known."""
    ids = [i for i in rows if i in shared] or list(rows)
    if ids:
        return Figure.of(ids, [rows[i] for i in ids])
    assert metric["value"] is not None
    low, high = metric["interval"] or (None, None)
    interval = None if low is None or high is None else (low, high)
    return Figure(metric["value"], metric["n"], interval=interval)


def size_note(drawn: Sequence[Panel]) -> str:
    """What to say of evaluations that differ in size; "" where none do."""
    uneven = [panel for panel in drawn if len({*panel.sizes.values()}) > 1]
    mixed = [panel.title for panel in drawn if panel.mixed]
    parts = []
    if uneven:
        parts.append(f"Evaluated on different numbers of questions per split: {_sizes(uneven)}.")
    if len(uneven) > len(mixed):
        parts.append("The picture uses the questions that all models have.")
    if mixed:
        parts.append(f"Not the same questions, so not comparable: {', '.join(mixed)}.")
    return " ".join(parts)


def _sizes(drawn: Sequence[Panel]) -> str:
    """Models with the numbers of questions they were evaluated on, "start, retrained 66 to 648; A 24"."""
    names: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for panel in drawn for name in panel.sizes):
        names.setdefault(_range(panel.sizes[name] for panel in drawn if name in panel.sizes), []).append(name)
    return "; ".join(f"{', '.join(models)} {counts}" for counts, models in names.items())


def _range(counts: Iterable[int]) -> str:
    """The smallest and the largest number, "24" or "24 to 72"."""
    ordered = sorted(counts)
    return " to ".join(f"{n:,}" for n in dict.fromkeys((ordered[0], ordered[-1])))


def picture_html(columns: Sequence[Contender], drawn: Sequence[Panel]) -> str:
    """The picture as safe HTML: side by side on a wide screen, one below the other on a narrow one."""
    names = "".join(f'<div class="who">{_name(column)}</div>' for column in columns)
    rows = f"grid-template-rows: auto repeat({len(columns)}, auto) auto"
    parts = [
        f'<div class="names" aria-hidden="true"><div class="head"></div>{names}<div></div></div>',
        *(_panel_html(columns, panel) for panel in drawn),
    ]
    return f'{STYLE}<div class="pc"><div class="grid" style="{rows}">{"".join(parts)}</div></div>'


def _name(column: Contender) -> str:
    title = escape(column.title)
    mark = f'<span aria-hidden="true" style="color: {column.color}">{column.mark}</span>'
    return f'<span class="name" title="{title}">{mark} {title}</span>'


def _panel_html(columns: Sequence[Contender], panel: Panel) -> str:
    head = f"<strong>{escape(panel.title)} {ARROWS[panel.better]}</strong>"
    what = f"<span>{escape(panel.share)}, n&nbsp;=&nbsp;{panel.n}</span>"
    lanes = "".join(_lane(column, panel) for column in columns)
    axis = '<div class="axis" aria-hidden="true"><span>0</span><span>100 %</span></div>'
    return f'<div class="panel"><div class="head">{head} {what}</div>{lanes}{axis}</div>'


def _lane(column: Contender, panel: Panel) -> str:
    figure = panel.figures.get(column.name)
    if figure is None:
        return f'<div class="lane">{_name(column)}<span class="missing">not evaluated</span></div>'
    bounds = figure.bounds()
    low, high = bounds or (figure.value, figure.value)
    value = f"<strong>{percent(figure.value)} %</strong>"
    ends = f" <small>({100 * low:.0f}–{100 * high:.0f})</small>" if bounds else ""
    tip = f"{column.title}: {percent(figure.value)} %" + (
        f", 95 % CI {100 * low:.1f} to {100 * high:.1f} %, n = {figure.n:,}" if bounds else ""
    )
    color = f"background: {column.color}"
    return (
        f'<div class="lane" title="{escape(tip)}">{_name(column)}<span class="track" aria-hidden="true">'
        f'<i class="line"></i><i class="share" style="width: {100 * figure.value:.2f}%; {color}"></i>'
        f'<i class="range" style="left: {100 * low:.2f}%; width: {100 * (high - low):.2f}%; {color}"></i>'
        f'<i class="mark" style="left: {100 * figure.value:.2f}%; color: {column.color}">{column.mark}</i>'
        f'</span><span class="value">{value}{ends}</span></div>'
    )
