"""The attacks of one evaluation, on the unlearned and the retrained model alike, as one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tokenunlearn.datasets import load_samples
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.attacks.paraphrase import paraphrase
from tokenunlearn.evaluation.attacks.prefix import prefix
from tokenunlearn.evaluation.attacks.probe import probe
from tokenunlearn.evaluation.attacks.quantization import nf4_available, quantization
from tokenunlearn.evaluation.attacks.relearning import AREA, relearning
from tokenunlearn.evaluation.attacks.sampling import sampling
from tokenunlearn.evaluation.attacks.target import Rows, Target, best
from tokenunlearn.evaluation.measurement import PhaseProgress
from tokenunlearn.evaluation.report import Report, git_revision, versions
from tokenunlearn.evaluation.result import MetricResult, mean_result
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.quantization import is_quantized
from tokenunlearn.settings import with_old_names

# A new attack is one file with a function from a target to rows by name, and one line here.
ATTACKS: dict[str, Callable[[Target], dict[str, Rows]]] = {
    "paraphrase": paraphrase,
    "prefix": prefix,
    "sampling": sampling,
    "quantization": quantization,
    "probe": probe,
    "relearning": relearning,
}


@with_old_names(reference="retrained")
def attack(
    model: LoadedModel,
    samples: SampleSet | str,
    retrained: LoadedModel | str | None = None,
    *,
    attacks: Sequence[str] = tuple(ATTACKS),
    limit: int | None = None,
    seed: int = 0,
    progress: PhaseProgress | None = None,
) -> Report:
    """Try to bring back what a model should have forgotten, and compare with the retrained model.

    Each result has the retrained model's value under the same attack beside it. "plain" is without
    attack, "worst" the best of all attacks on each sample: what someone gets who tries them all.

    Args:
        model: The unlearned model; it is not changed.
        samples: What it should have forgotten, or their name.
        retrained: The retrained model or its name; without one there is nothing beside the results.
        attacks: Names out of ``ATTACKS``.
        limit: At most this many samples, evenly spread; None for all.
        seed: Seed of sampling, folds and relearning.
        progress: Called with phase, done and total.

    Raises:
        TokenUnlearnError: If an attack is unknown, none is named, or there are fewer than 2 samples.
        ModelNotFoundError: If the retrained model cannot be loaded.
    """
    unknown = [name for name in attacks if name not in ATTACKS]
    if unknown or not attacks:
        named = f'There is no attack "{unknown[0]}"' if unknown else "No attack was given"
        raise TokenUnlearnError(f"{named}; use any of {', '.join(ATTACKS)}.")
    if isinstance(samples, str):
        samples = load_samples(samples)
    samples = samples.spread(limit)
    if len(samples) < 2:
        raise TokenUnlearnError(f"An attack needs at least 2 samples, not {len(samples)}.")
    started = time.monotonic()
    notes: list[str] = []
    target = Target(model, samples, progress or (lambda phase, done, total: None), seed=seed)
    own = _attacked(target, attacks, notes)
    retrained_rows: dict[str, Rows] = {}
    name = retrained or ""
    if retrained is not None:
        lm = (
            load_model(retrained, device=str(model.device), template_kwargs=model.template_kwargs)
            if isinstance(retrained, str)
            else retrained
        )
        retrained_rows, name = _attacked(replace(target, lm=lm, name="retrained: "), attacks, []), lm.name
    metrics: dict[str, MetricResult] = {}
    for metric, rows in own.items():
        results = [_result(metric, rows, retrained_rows.get(metric), samples)]
        if metric.endswith(AREA) and metric in retrained_rows:
            results.append(_between(metric, rows, retrained_rows[metric], samples))
        metrics |= {result.name: result for result in results if result is not None}
    if "quantization" in attacks and not is_quantized(model.model) and not nf4_available(model):
        notes.append("nf4: skipped, because it needs a GPU and bitsandbytes.")
    notes += _with_chance(metrics)
    notes += _strongest(metrics, target.metric)
    return Report(
        model=model.name,
        revision=model.revision,
        suite="attacks",
        settings={
            "samples": samples.name,
            "attacks": list(attacks),
            "limit": limit,
            "seed": seed,
            "retrained": name,
        },
        metrics=metrics,
        notes=notes,
        versions=versions(),
        git_revision=git_revision(),
        device=str(model.device),
        seconds=time.monotonic() - started,
    )


def _attacked(target: Target, attacks: Sequence[str], notes: list[str]) -> dict[str, Rows]:
    """Rows by name of one model: plain, every attack, and the worst of them."""
    rows_by_name = {f"plain/{target.metric}": target.recovered("plain")}
    for name in attacks:
        if name == "quantization" and is_quantized(target.lm.model):
            notes.append("quantization: skipped, because the weights are quantized already.")
            continue
        rows = ATTACKS[name](target)
        if all(row is None for values in rows.values() for row in values):
            notes.append(f"{name}: skipped, because too few samples have the fields it needs.")
        rows_by_name |= rows
    stated = [rows for name, rows in rows_by_name.items() if name.endswith(f"/{target.metric}")]
    return rows_by_name | ({f"worst/{target.metric}": best(stated)} if len(stated) > 1 else {})


def _result(name: str, rows: Rows, retrained: Rows | None, samples: SampleSet) -> MetricResult | None:
    result = mean_result(name, rows, [s.id for s in samples], "lower")
    other = [row for row in retrained or () if row is not None]
    if result and retrained and other:
        return replace(result, retrained=sum(other) / len(other), retrained_rows=tuple(retrained))
    return result


def _with_chance(metrics: dict[str, MetricResult]) -> list[str]:
    """Turns "ATTACK/chance" into the chance of that attack's other results, and says so."""
    notes = []
    for name in [name for name in metrics if name.endswith("/chance")]:
        chance, attacked = metrics.pop(name).value, name.removesuffix("chance")
        for other in [other for other in metrics if other.startswith(attacked)]:
            metrics[other] = replace(metrics[other], chance=chance)
        notes.append(f"Guessing scores {chance:.3f} in {attacked.removesuffix('/')}.")
    return notes


def _between(name: str, own: Rows, retrained: Rows, samples: SampleSet) -> MetricResult | None:
    """Signed area between two recovery curves, row by row, over the number of steps."""
    gaps = [None if a is None or b is None else a - b for a, b in zip(own, retrained, strict=True)]
    result = mean_result(f"{name}_between", gaps, [s.id for s in samples], "lower")
    return result and replace(result, retrained=0.0)


def _strongest(metrics: dict[str, MetricResult], metric: str) -> list[str]:
    """One sentence on the single attack that brings most back beyond the retrained model."""
    none = (f"plain/{metric}", f"worst/{metric}")
    single = [r for name, r in metrics.items() if name.endswith(f"/{metric}") and name not in none]
    if not single:
        return []
    top = max(single, key=lambda r: r.value - (r.retrained or 0.0))
    beside = "" if top.retrained is None else f", {top.retrained:.3f} on the retrained model"
    return [f"Strongest: {top.name.split('/')[0]} with {top.value:.3f}{beside}."]
