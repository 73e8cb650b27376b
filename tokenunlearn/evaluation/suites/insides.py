"""What only the models themselves show, on the parts of a suite that are to be forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.measurement import Meter, Part
from tokenunlearn.evaluation.metrics import METRICS, ModelMetric
from tokenunlearn.evaluation.metrics.metric import Models
from tokenunlearn.evaluation.result import MetricResult
from tokenunlearn.evaluation.suites.choice_suite import CHOICE_SUITES


def check_depth(suite: str, retrained: str | Path | None) -> None:
    """Refuse to measure the unlearning depth where there is nothing to patch.

    Raises:
        TokenUnlearnError: In one sentence.
    """
    if suite in CHOICE_SUITES:
        raise TokenUnlearnError(f'The suite "{suite}" has no gold spans, which unlearning depth needs.')
    if retrained is None:
        raise TokenUnlearnError("Unlearning depth needs a retrained model; name one with retrained.")


def inside_results(meter: Meter, models: Models, parts: Mapping[str, Part]) -> dict[str, MetricResult]:
    """Results by name; a part without values has none."""
    results: dict[str, MetricResult] = {}
    metrics = [metric for metric in METRICS.values() if isinstance(metric, ModelMetric)]
    for name, part in parts.items():
        for metric in metrics if part.role == "forget" else ():
            place = f"{name}/{metric.name}"
            result = metric.of(models, part.samples, meter.hearing(f"{name}: {metric.name}"))
            if result:
                results[place] = replace(result, name=place)
    return results
