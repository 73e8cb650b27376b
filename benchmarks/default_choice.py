"""How the default signal was chosen: every choice in it changed alone, on all three worlds.

    python -m benchmarks.default_choice [MODEL ...]

Reads the score sets that ``benchmarks.signals`` has measured (or measures them) and judges each variant by
the AUROC against the gold spans, overall and among content words that are not in the question. The default
is the variant with the best worst model. Its constants were chosen on these very rows, so this is no test of
them. Writes ``benchmarks/results/default_choice.json`` and renews ``docs/results.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from unittest import mock

import numpy as np
import typer
from rich.console import Console

from benchmarks import RESULTS, tables, write_result
from benchmarks.signals_measurements import WORLDS, Measurements, available_models, world_of
from benchmarks.token_labels import content_tokens
from tokenunlearn.attribution import score_set as score_sets
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc
from tokenunlearn.evaluation.report import git_revision

PATH = RESULTS / "default_choice.json"


def _settings(**changes: Any) -> Callable[[ScoreSet], list[np.ndarray]]:
    return lambda scores: scores.with_settings(**changes).importance


def _constant(name: str, value: Any) -> Callable[[ScoreSet], list[np.ndarray]]:
    """The importance with one constant of the reading changed."""

    def importance(scores: ScoreSet) -> list[np.ndarray]:
        with mock.patch.object(score_sets, name, value):
            return scores.with_settings().importance

    return importance


VARIANTS: Mapping[str, Callable[[ScoreSet], list[np.ndarray]]] = {
    "default": _settings(),
    "always sharp": _settings(reading="sharp"),
    "always tail": _settings(reading="tail"),
    "plain reading: no factors, no names": _settings(reading="plain"),
    "highest token of a unit": _settings(granularity="highest"),
    "each token its own": _settings(granularity="token"),
    "no copy guard": _settings(copy_guard=False),
    "words of the question count 0 in both readings": _constant("REPEATED", {"sharp": 0.0, "tail": 0.0}),
    "words of the question count 0.3 in both readings": _constant("REPEATED", {"sharp": 0.3, "tail": 0.3}),
    "names count no more": _constant("LOWER_CASE", {"sharp": 1.0, "tail": 1.0}),
    "names count more in both readings": _constant("LOWER_CASE", {"sharp": 0.6, "tail": 0.6}),
    "masking mixed in, alpha 0.15": _settings(alpha=0.15),
    "masking mixed in, alpha 0.3": _settings(alpha=0.3),
}


def judged(importance: list[np.ndarray], scores: ScoreSet) -> dict[str, float]:
    """AUROC overall and among content words, over the samples that have a gold span."""
    rows = [i for i, x in enumerate(scores.samples) if x.span]
    inside = [np.arange(len(scores.samples[i].texts)) < len(scores.samples[i].texts) - 1 for i in rows]
    content = [m & content_tokens(scores.samples[i]) for i, m in zip(rows, inside, strict=True)]

    def auroc(masks: list[np.ndarray]) -> float:
        pairs = list(zip(rows, masks, strict=True))
        return token_auroc(
            [importance[i][m] for i, m in pairs], [scores.samples[i].gold[m] for i, m in pairs]
        )

    return {"all": round(auroc(inside), 4), "content": round(auroc(content), 4)}


def main(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models; by default all that are available.")
    ] = None,
) -> None:
    """Judge every variant on every model."""
    result: dict[str, Any] = {"models": {}, "git_revision": git_revision()}
    measurements = Measurements()
    for name in models or available_models():
        scores = measurements.scores(measurements.load(name), WORLDS[world_of(name)].samples())
        result["models"][name] = {
            "reading": scores.chosen_reading,
            "variants": {variant: judged(make(scores), scores) for variant, make in VARIANTS.items()},
        }
    write_result(PATH, result)
    Console().print(tables.default_choice_table(result, "all"), soft_wrap=True)
    tables.write()


if __name__ == "__main__":
    typer.run(main)
