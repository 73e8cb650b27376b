"""Gradient signal-to-noise under every kind of token weights, measured at the start model.

    python -m benchmarks.snr [--models demo,smollm2-tofu]

See :mod:`tokenunlearn.training.gradient_signal` for what signal and noise are. Results of models that are not
measured stay. Writes ``benchmarks/results/snr.json`` and ``docs/results.md``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, stored_result, tables, write_result
from benchmarks.selectivity import SETS
from benchmarks.token_labels import cluster
from tokenunlearn.attribution.controls import random_weights
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import Rule
from tokenunlearn.commands.console import bars
from tokenunlearn.errors import NothingSelectedError
from tokenunlearn.models.forward import Progress
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.training.gradient_signal import (
    Text,
    TokenGradients,
    signal_share,
    snr,
    snr_gain,
    snr_ratio,
    splits,
    token_gradients,
    token_splits,
    trained_weights,
)
from tokenunlearn.training.settings import UnlearnSettings

PATH = RESULTS / "snr.json"
# Samples that are measured, evenly spread; a backward pass, one a token, takes SmolLM2 half a second.
LIMITS = {"demo": None, "smollm2-tofu": 30}
THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
DRAWS = 10  # of the random control
# Models that are also measured against the facts of other subjects, which takes as long again.
OTHER_SUBJECTS = ("demo",)
Weights = Sequence[np.ndarray]


def measured(gradients: Sequence[TokenGradients], variants: Sequence[Weights]) -> dict[str, Any]:
    """SNR and its ratio to uniform weights, of one kind of weights or the mean of several."""
    groups = [cluster(g.sample_id) for g in gradients]
    rows = np.mean([splits(gradients, weights) for weights in variants], axis=0)
    uniform = splits(gradients, [np.ones(len(g.gold)) for g in gradients])
    return {
        "snr": snr(rows, groups),
        "to_uniform": snr_ratio(rows, uniform, groups),
        "by_sample": snr_gain(rows, uniform, groups),
        "selected": int(sum((w > 0).sum() for w in variants[0])),
        "samples": sum(bool((w > 0).any()) for w in variants[0]),
    }


@dataclass(frozen=True)
class Scored:
    """The scores of a forget set, of which some samples were measured."""

    scores: ScoreSet
    ids: frozenset[str]

    def weights(self, rule: Rule | None = None) -> Weights:
        """Weights of the measured samples."""
        every = self.scores.weights(rule)
        return [w for i, w in zip(every.sample_ids, every.weights, strict=True) if i in self.ids]

    def rules(self, gradients: Sequence[TokenGradients]) -> dict[str, Any]:
        """Figures of the default weights and the controls."""
        default = self.weights()
        generator = torch.Generator().manual_seed(0)
        return {
            "uniform": measured(gradients, [[np.ones(len(w)) for w in default]]),
            "default": measured(gradients, [default]),
            "random": measured(
                gradients,
                [[random_weights(torch.tensor(w), generator).numpy() for w in default] for _ in range(DRAWS)],
            ),
            "gold": measured(gradients, [[g.gold.astype(float) for g in gradients]]),
        }

    def curves(self, gradients: Sequence[TokenGradients]) -> dict[str, list[dict[str, Any]]]:
        """Figures of hard selection over thresholds and of soft weighting over temperatures."""
        rules = {
            "hard": [(at, tu.HardSelection(threshold=at)) for at in THRESHOLDS],
            "soft": [(at, tu.SoftWeighting(temperature=at)) for at in TEMPERATURES],
        }
        curves: dict[str, list[dict[str, Any]]] = {name: [] for name in rules}
        for name, points in rules.items():
            for at, rule in points:
                with suppress(NothingSelectedError):  # from here on no token is important enough
                    curves[name].append({"at": at, **measured(gradients, [self.weights(rule)])})
        return curves


def shares(gradients: Sequence[TokenGradients]) -> dict[str, Any]:
    """Share of the squared gradient length inside the subspace, of gold and of other tokens."""
    groups = [cluster(g.sample_id) for g in gradients]
    return {
        side: signal_share(token_splits(gradients, gold=side == "gold"), groups) for side in ("gold", "other")
    }


def other_subjects(model: tu.LoadedModel, texts: Sequence[Text], progress: Progress) -> list[TokenGradients]:
    """Gradients against a subspace of other facts: of the gold tokens of the other half of the subjects."""
    subjects = list(dict.fromkeys(cluster(t.encoding.sample_id) for t in texts))
    half = [subjects.index(cluster(t.encoding.sample_id)) % 2 for t in texts]
    gradients = {}
    for side in (0, 1):
        own, others = (
            [t for t, h in zip(texts, half, strict=True) if (h == side) == same] for same in (1, 0)
        )
        gradients |= {g.sample_id: g for g in token_gradients(model, own, others, progress=progress)}
    return [gradients[t.encoding.sample_id] for t in texts]


def case(name: str) -> dict[str, Any]:
    """Everything about one model."""
    started = time.monotonic()
    model, forget = tu.load_model(name), tu.load_samples(SETS[PRESETS[name].suite][0])
    samples = forget.spread(LIMITS.get(name))
    scored = Scored(tu.score(model, forget, cache=True), frozenset(s.id for s in samples))
    texts = [Text.of(model, s) for s in samples]
    facts = [fact for s in samples if (fact := Text.paraphrase(model, s))]
    with bars() as phase:
        gradients = token_gradients(model, texts, facts, progress=partial(phase, name))
        result = {"shares": shares(gradients), "rules": scored.rules(gradients)}
        curves = scored.curves(gradients)
        if name in OTHER_SUBJECTS:
            gradients = other_subjects(model, texts, partial(phase, f"{name}, other subjects"))
            result["other_subjects"] = {"shares": shares(gradients), "rules": scored.rules(gradients)}
    with trained_weights(model, UnlearnSettings()) as (_, trained):
        parameters = sum(p.numel() for p in trained)
    return {
        "forget": samples.name,
        "samples": len(samples),
        "subjects": len({cluster(s.id) for s in samples}),
        "tokens": {
            "gold": int(sum(t.gold.sum() for t in texts)),
            "all": sum(len(t.gold) for t in texts),
        },
        "trained": UnlearnSettings().resolved(model).train,
        "parameters": parameters,
        "directions": len(facts),
        "threshold": scored.scores.suggested_threshold,
        **result,
        "curves": curves,
        "seconds": round(time.monotonic() - started, 1),
    }


def main(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = ",".join(LIMITS),
) -> None:
    """Measure, write the result after each model."""
    stored = stored_result(PATH) or {"models": {}}
    for name in models.split(","):
        stored["models"][name] = case(name)
        stored |= code_versions()
        write_result(PATH, stored)
        Console().print(stored["models"][name]["rules"], stored["models"][name]["shares"])
    tables.write()


if __name__ == "__main__":
    typer.run(main)
