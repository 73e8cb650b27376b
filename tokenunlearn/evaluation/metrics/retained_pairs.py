"""What is retained, row by row: of what the start model got right, how much is still right."""

from __future__ import annotations

from collections.abc import Sequence

from tokenunlearn.evaluation.metrics.metric import Comparison, LeftOut, SuiteMetric
from tokenunlearn.evaluation.result import MetricResult, share_result

Row = float | None


def right_pairs(rows: Sequence[Row], start: Sequence[Row], *, before: bool) -> list[Row]:
    """1 where a row is right now, 0 where it is not, of the rows that the start model got right or wrong.

    Right is a value of 1: every fact stated, the correct letter chosen.

    Args:
        rows: Values now.
        start: Values of the start model on the same rows.
        before: Whether the start model was right on the rows to count.

    >>> right_pairs([1.0, 0.5, 1.0, None], [1.0, 1.0, 0.0, 1.0], before=True)
    [1.0, 0.0, None, None]
    """
    return [
        None if now is None or then is None or (then == 1) != before else float(now == 1)
        for now, then in zip(rows, start, strict=True)
    ]


def pair_results(
    part: str,
    ids: Sequence[str],
    rows: Sequence[Row],
    start: Sequence[Row],
    retrained: Sequence[Row] | None,
) -> list[MetricResult]:
    """Share of the rows right at the start that are right now, and of those wrong at the start.

    A share of no rows is left out.

    Args:
        part: Name of the part.
        ids: Ids of the rows.
        rows: Values now.
        start: Values of the start model on the same rows.
        retrained: Values of the retrained model on the same rows, or None.
    """
    results = []
    for name, before in (("retained_pairs", True), ("gained_pairs", False)):
        pairs = right_pairs(rows, start, before=before)
        others = [] if retrained is None else right_pairs(retrained, start, before=before)
        if any(row is not None for row in pairs):
            results.append(share_result(f"{part}/{name}", pairs, ids, "higher", others))
    return results


def _pairs(compared: Comparison) -> list[MetricResult]:
    if compared.start is None:
        return []
    results = []
    for part in compared.parts_of("retain", "options"):
        column = compared.columns.get(name := f"{part}/gold_span")
        start = compared.start.get(name)
        if column and start:
            retrained = (compared.retrained or {}).get(name)
            results += pair_results(
                part,
                column.sample_ids,
                column.rows,
                start.rows_of(column.sample_ids),
                retrained.rows if retrained else None,
            )
    if not results:
        raise LeftOut("No retained pairs, because the start model's report has none of these rows.")
    return results


RETAINED_PAIRS = SuiteMetric(
    "retained_pairs",
    "Share of the retained rows that the start model got right and this model still gets right.",
    ("retain/gold_span", "the start model"),
    _pairs,
)
