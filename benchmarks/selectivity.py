"""Are the weights felt? How much more the gold tokens are forgotten than the others, under each rule.

    python -m benchmarks.selectivity [--models smollm2-tofu,smollm2-prose] [--steps 16] [--rules default,gold]
        [--seed 0] [--bf16] [--set learning_rate=0.001]

Unlearns the forget set of each model's world with NPO and KL on the retained set under every rule, and
measures gold tokens and the others by teacher forcing every few steps, so that rules can be compared at equal
steps and at an equal mean change over all tokens. Writes ``benchmarks/results/selectivity.json`` after each
run and renews ``docs/results.md``. A run that the file holds with the same settings is not repeated.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, selectivity_table, tables, write_result
from benchmarks.selectivity_figures import GROUPS, RULES, comparable, comparison, named
from benchmarks.token_labels import NO_MARGIN, cluster
from tokenunlearn.attribution import score_set as score_sets
from tokenunlearn.attribution.controls import inverted_weights, random_weights
from tokenunlearn.attribution.selection import TokenWeights, make_weights
from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import response_nll
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.presets import PRESETS, available_presets
from tokenunlearn.training.settings import UnlearnSettings

PATH = RESULTS / "selectivity.json"
CONTROLS = {"random": random_weights, "inverted": inverted_weights}
# World -> what is forgotten and what is retained.
SETS = {
    "tofu": ("tofu:forget10_first5", "tofu:retain90_first15"),
    "prose": ("prose:forget", "prose:retain"),
    "authors": ("authors:forget10", "authors:retain90"),
}


def main(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "smollm2-tofu,smollm2-prose",
    rules: Annotated[str, typer.Option(help="Rules, separated by commas.")] = ",".join(RULES),
    seeds: Annotated[str, typer.Option("--seed", "--seeds", help="Seeds, separated by commas.")] = "0",
    steps: Annotated[int, typer.Option(help="Steps of unlearning.")] = 16,
    every: Annotated[int, typer.Option(help="Steps between two measurements.")] = 4,
    limit: Annotated[int, typer.Option(help="Most forget samples that are measured.")] = 100,
    bf16: Annotated[bool | None, typer.Option(help="Multiply in bfloat16; by default on a GPU.")] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", help="A further setting, NAME=VALUE with a JSON value.")
    ] = None,
) -> None:
    """Run what is missing, write the results and the table."""
    settings = {"steps": steps, "bf16": bf16, **_parsed(options or [])}
    for name in models.split(","):
        if name not in PRESETS or PRESETS[name].suite not in SETS:
            raise TokenUnlearnError(f'"{name}" is not a preset that knows one of {", ".join(SETS)}.')
        forget, retain = (tu.load_samples(part) for part in SETS[PRESETS[name].suite])
        case = Case(tu.load_model(name), forget, retain, limit, every)
        run_case(case, rules.split(","), [int(seed) for seed in seeds.split(",")], settings)
    result = stored()
    tables.write()
    for name, table in result["tables"].items():
        Console().print(name, selectivity_table.selectivity_table(table), sep="\n", soft_wrap=True)


def _parsed(options: Sequence[str]) -> dict[str, Any]:
    pairs = (option.partition("=") for option in options)
    try:
        return {name: json.loads(value) for name, _, value in pairs}
    except json.JSONDecodeError:
        raise TokenUnlearnError("--set takes NAME=VALUE with a JSON value, learning_rate=0.001.") from None


def gold_tokens(encoding: Encoding, sample: Sample) -> np.ndarray:
    """(T,) whether a response token holds a character of a gold span; the end of turn never does."""
    return np.array(encoding.holds(sample.span))


@dataclass(frozen=True)
class Probe:
    """Teacher-forced measurement of gold tokens and other tokens of a forget set, the end of turn left out.

    Attributes:
        encodings: The measured samples as the model reads them.
        gold: (T_i,) bool, the gold tokens of each.
        places: (samples,) index of each sample's cluster.
        clusters: Names of the clusters, C of them.
    """

    encodings: Sequence[Encoding]
    gold: Sequence[np.ndarray]
    places: Sequence[int]
    clusters: tuple[str, ...]

    @classmethod
    def of(cls, model: LoadedModel, samples: SampleSet, limit: int) -> Probe:
        """A probe of at most ``limit`` samples with gold spans, evenly spread."""
        known = SampleSet(samples.name, tuple(sample for sample in samples if sample.span)).spread(limit)
        if not len(known):
            raise TokenUnlearnError(f'The samples "{samples.name}" have no gold spans.')
        encodings = model.encode_all(known)
        gold = [gold_tokens(e, sample) for e, sample in zip(encodings, known, strict=True)]
        keys = [cluster(sample.id) for sample in known]
        clusters = tuple(dict.fromkeys(keys))
        return cls(encodings, gold, [clusters.index(key) for key in keys], clusters)

    def _by_cluster(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """(2, C) sums over the gold tokens and over the others of each cluster."""
        sums = np.zeros((len(GROUPS), len(self.clusters)))
        for place, gold, row in zip(self.places, self.gold, values, strict=True):
            sums[0, place] += row[gold].sum()
            sums[1, place] += row[:-1][~gold[:-1]].sum()
        return sums

    @cached_property
    def counts(self) -> np.ndarray:
        """(2, C) number of gold tokens and of other tokens of each cluster."""
        return self._by_cluster([np.ones(len(gold)) for gold in self.gold])

    def sums(self, model: LoadedModel, bf16: bool) -> np.ndarray:
        """(2, 2, C) sums of token NLL, in nats, and of probability over gold and other tokens."""
        training = model.model.training
        model.model.eval()
        try:
            with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
                nll = [row.double().numpy() for row in response_nll(model, self.encodings)]
        finally:
            model.model.train(training)
        return np.stack([self._by_cluster(nll), self._by_cluster([np.exp(-row) for row in nll])])


@dataclass(frozen=True)
class Case:
    """A model, what it forgets and retains, and how it is measured.

    Attributes:
        model: The start model.
        forget: The forget set, with gold spans.
        retain: The retained samples.
        limit: Most forget samples that are measured.
        every: Steps between two measurements; the last step is always measured.
    """

    model: LoadedModel
    forget: SampleSet
    retain: SampleSet
    limit: int
    every: int

    @cached_property
    def probe(self) -> Probe:
        """The probe of the start model."""
        return Probe.of(self.model, self.forget, self.limit)

    @cached_property
    def gold(self) -> list[np.ndarray]:
        """(T_i,) float, 1 on the gold tokens of every forget sample."""
        encodings = self.model.encode_all(self.forget)
        return [gold_tokens(e, s).astype(np.float64) for e, s in zip(encodings, self.forget, strict=True)]

    @cached_property
    def default(self) -> TokenWeights:
        """Weights of the default rule."""
        scores = tu.score(self.model, self.forget, cache=True)
        # As many tokens as hesitate, and none besides
        with mock.patch.multiple(score_sets, **NO_MARGIN):
            return scores.weights()

    def weights(self, rule: str, seed: int) -> TokenWeights:
        """Token weights under a rule; random and inverted move the default's about, by the seed."""
        ids = tuple(sample.id for sample in self.forget)
        if rule == "default":
            return self.default
        if rule == "uniform":
            return make_weights(ids, self.gold, tu.Uniform())
        if rule == "gold":
            return TokenWeights(ids, tuple(self.gold), {"selection": "gold"})
        if rule == "paper":
            default = self.default
            quantile = top_quantile(default.selected, default.tokens)
            scores = tu.score(self.model, self.forget, preset="paper", cache=True)
            return scores.weights(tu.HardSelection(quantile=quantile))
        generator = torch.Generator().manual_seed(seed)
        moved = [CONTROLS[rule](torch.tensor(w), generator).numpy() for w in self.default.weights]
        return TokenWeights(ids, tuple(moved), {"selection": rule, "seed": seed}, self.default.score_hash)


def top_quantile(selected: int, tokens: int) -> float:
    """The quantile at which so many tokens, the highest, lie above: halfway between two neighbors."""
    return min(1.0, max(0.0, (tokens - selected - 0.5) / max(1, tokens - 1)))


def run_case(case: Case, rules: Sequence[str], seeds: Sequence[int], settings: Mapping[str, Any]) -> None:
    """Run every rule with every seed, less what the file holds with equal settings, and store each result."""
    settings = {"objective": "npo", "regularizer": "kl", **settings}
    name, retrained_name = case.model.name, PRESETS[case.model.name].retrained
    if unknown := [rule for rule in rules if rule not in RULES]:
        raise TokenUnlearnError(f'There is no rule "{unknown[0]}"; use one of {", ".join(RULES)}.')
    start: np.ndarray | None = None
    plan = list(product(seeds, rules))
    for seed, rule in track(plan, f"Unlearning {name}", console=Console(stderr=True)):
        config = UnlearnSettings.from_settings({**settings, "seed": seed}).resolved(case.model)
        weights = case.weights(rule, seed)
        identity = _identity(case, weights, config)
        if any(run["settings"] == identity for run in stored()["runs"] if _key(run) == (name, rule, seed)):
            continue
        if start is None:
            start = case.probe.sums(case.model, bool(config.bf16))
        entry = {"model": name, "rule": rule, "seed": seed, "settings": identity}
        store(entry | measured_run(case, weights, config, start), "runs", _key)
    config = UnlearnSettings.from_settings({"frame": 0.0} | settings).resolved(case.model)
    if retrained_name in available_presets():
        retrained = tu.load_model(retrained_name)
        identity = {"revision": retrained.revision, **_measurement(case), "bf16": config.bf16}
        if not any(row["model"] == name and row["settings"] == identity for row in stored()["retrained"]):
            probe = Probe.of(retrained, case.forget, case.limit)
            row = {"model": name, "retrained": retrained_name, "settings": identity}
            row |= _described(probe) | {"measured": named(probe.sums(retrained, bool(config.bf16)))}
            store(row, "retrained", lambda row: (row["model"],))


def measured_run(
    case: Case, weights: TokenWeights, config: UnlearnSettings, start: np.ndarray
) -> dict[str, Any]:
    """Unlearn with the weights, measuring on the way: the curve from ``start`` on, facts about the run."""
    curve: list[dict[str, Any]] = [{"step": 0, **named(start)}]

    def measure(model: LoadedModel, step: int) -> None:
        if step and (step % case.every == 0 or step == config.steps):
            curve.append({"step": step, **named(case.probe.sums(model, bool(config.bf16)))})

    started = time.monotonic()
    run = tu.unlearn(case.model, case.forget, weights, retain=case.retain, config=config, on_weights=measure)
    on_gold = sum(float(w @ gold) for w, gold in zip(weights.weights, case.gold, strict=True))
    return {
        "weights": dict(weights.rule),
        "selected": weights.selected,
        "tokens": weights.tokens,
        "weight_on_gold": round(on_gold / sum(float(w.sum()) for w in weights.weights), 4),
        "stopped": run.stopped,
        "seconds": round(time.monotonic() - started, 1),
        **_described(case.probe),
        "curve": curve,
        **code_versions(),
        "device": str(case.model.device),
    }


def _described(probe: Probe) -> dict[str, Any]:
    counts = {group: list(map(int, row)) for group, row in zip(GROUPS, probe.counts, strict=True)}
    return {"samples": len(probe.encodings), "clusters": list(probe.clusters), "counts": counts}


def _measurement(case: Case) -> dict[str, Any]:
    """What a measurement depends on besides the model: the samples and their gold tokens."""
    return {"forget": case.forget.name, "limit": case.limit, "gold": _digest(case.gold)}


def _identity(case: Case, weights: TokenWeights, config: UnlearnSettings) -> dict[str, Any]:
    """What makes two runs of a rule the same: weights by content, model, samples and configuration."""
    values = asdict(config)
    for name in ("gradient_accumulation", "long"):  # without effect on the loss of samples that fit
        del values[name]
    identity = {
        "revision": case.model.revision,
        "retain": case.retain.name,
        **_measurement(case),
        "every": case.every,
        "weights": _digest(weights.weights),
        "config": values,
    }
    return dict(json.loads(json.dumps(identity)))


def _digest(rows: Sequence[np.ndarray]) -> str:
    """First 16 hex digits of a sha256 over the rows, as float64."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(np.asarray(row, dtype="<f8").tobytes() + b"|")
    return digest.hexdigest()[:16]


def stored() -> dict[str, Any]:
    """The result file, or an empty result."""
    if not PATH.exists():
        return {"tables": {}, "retrained": [], "runs": []}
    return dict(json.loads(PATH.read_text(encoding="utf-8")))


def _key(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return run["model"], run["rule"], run["seed"]


def store(entry: dict[str, Any], part: str, key: Callable[[Mapping[str, Any]], tuple[Any, ...]]) -> None:
    """Write an entry in place of the one with the same key, as the last one, and the table of its model."""
    result = stored()
    result[part] = [row for row in result[part] if key(row) != key(entry)] + [entry]
    name = entry["model"]
    runs = comparable([run for run in result["runs"] if run["model"] == name])
    if runs:
        retrained = next((row for row in result["retrained"] if row["model"] == name), None)
        result["tables"][name] = comparison(runs, retrained)
    write_result(PATH, result)


if __name__ == "__main__":
    typer.run(main)
