"""The rows of the benchmark of signals: every token score by group and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from benchmarks.function_words import FUNCTION_WORDS
from benchmarks.signals_measurements import (
    WORLDS,
    Arrays,
    Measurements,
    World,
    base_of,
    retrained_of,
)
from benchmarks.signals_tables import (
    DEFAULT,
    FORMER_DEFAULT,
    GROUPS,
    HELD_OUT,
    MODEL,
    OTHER_PRESETS,
    OTHERS,
    OWN,
    PAPER,
    RANDOM,
    RETRAIN_GAP,
    RIVALS,
    TEXT,
)
from benchmarks.token_labels import cluster
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selector import LEAST_ROWS, Selector, fit_selector
from tokenunlearn.attribution.signals import PORTABLE
from tokenunlearn.attribution.signals.base import BASE_ENTROPY, GAP
from tokenunlearn.attribution.signals.prefix import PREFIX
from tokenunlearn.attribution.signals.text import (
    LENGTH,
    POSITION,
    document_frequency,
    rarity,
    words_of_tokens,
)
from tokenunlearn.datasets.samples import SampleSet
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.presets import available_presets

FOLDS, SEED = 5, 0


@dataclass(frozen=True)
class Row:
    """A token score.

    Attributes:
        group: What kind of score it is.
        signal: Its name.
        values: (T_i,) for each sample; NaN where it is not defined.
        fitted_on: Worlds whose retained rows it was fitted on.
    """

    group: str
    signal: str
    values: Arrays
    fitted_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A model with what is scored, and what its rows are made from.

    Attributes:
        model: The model.
        world: Its world.
        measurements: Measures what is not stored.
        selectors: Fitted selectors by the worlds they were fitted on.
        limit: Most samples of each set; None for all.
    """

    model: LoadedModel
    world: World
    measurements: Measurements
    selectors: Mapping[tuple[str, ...], Selector]
    limit: int | None = None

    @cached_property
    def samples(self) -> SampleSet:
        """What is scored."""
        return self.world.samples(self.limit)

    @cached_property
    def retained(self) -> SampleSet:
        """What is to be retained."""
        return self.world.retained(self.limit)

    @cached_property
    def scores(self) -> ScoreSet:
        """Scores under the default preset."""
        return self.measurements.scores(self.model, self.samples)

    def rows(self) -> list[Row]:
        """Every row, group after group."""
        earlier = {
            preset: self.measurements.scores(self.model, self.samples, preset)
            for preset in ("leave-one-out", "paper")
        }
        rows = [
            *own_rows(self.scores, self.selectors),
            Row(OTHER_PRESETS, FORMER_DEFAULT, earlier["leave-one-out"].importance),
            Row(OTHER_PRESETS, PAPER, earlier["paper"].importance),
            *model_rows(self.scores),
            Row(MODEL, "masking, leave-one-out, copy guard", earlier["leave-one-out"].knowledge),
            self._prefix_row(),
            *self._learned_rows(),
            *weighting_rows(self.scores),
            *self._other_model_rows(),
            *text_rows(self.scores, [s.answer for s in self.retained]),
        ]
        return sorted(rows, key=lambda row: GROUPS.index(row.group))

    def _prefix_row(self) -> Row:
        """What the question and a short prefix tell of each word."""
        from tokenunlearn.attribution.prefix import prefix_knowledge

        make = partial(prefix_knowledge, self.model, self.model.encode_all(self.samples))
        values = self.measurements.arrays(self.model, [self.samples], "prefix knowledge", make)
        pairs = zip(self.scores.samples, values, strict=True)
        samples = tuple(replace(x, prefix_knowledge=v) for x, v in pairs)
        return Row(MODEL, PREFIX.name, PREFIX.of(replace(self.scores, samples=samples)))

    def _learned_rows(self) -> list[Row]:
        """Gradients and ATWU's scorer."""
        from tokenunlearn.attribution.atwu import atwu_scores
        from tokenunlearn.attribution.gradient import gradient_attribution

        model, encodings = self.model, self.model.encode_all(self.samples)
        retained = model.encode_all(self.retained)
        rows = []
        for method, name in (("norm", "gradient norm"), ("input", "gradient x input")):
            for target in ("nll", "logit"):
                make = partial(gradient_attribution, model, encodings, method=method, target=target)
                kind = f"gradient {method} {target}"
                values = self.measurements.arrays(model, [self.samples], kind, make)
                rows.append(Row(MODEL, f"{name} of the {'NLL' if target == 'nll' else target}", values))
        for position, place in (("predictor", "state that predicts it"), ("token", "its own state")):
            make = partial(atwu_scores, model, encodings, retained, position=position)
            sets = [self.samples, self.retained]
            values = self.measurements.arrays(model, sets, f"atwu {position}", make)
            rows.append(Row(RIVALS, f"ATWU scorer, {place}", values))
        return rows

    def _other_model_rows(self) -> list[Row]:
        """Rows that need a model that never saw the set: the base model and the retrained one."""
        rows = []
        base, retrained = base_of(self.model.name), retrained_of(self.model.name)
        if base:
            scores = self._compared(base)
            rows += [
                Row(RIVALS, "SU, against the base model", selective_weights(scores)),
                Row(OTHERS, "base gap", GAP.of(scores)),
                Row(OTHERS, BASE_ENTROPY.name, BASE_ENTROPY.of(scores)),
            ]
        if retrained:
            scores = self._compared(retrained)
            unseen = self.world.forget_ids
            inside = [x.sample_id in unseen for x in self.scores.samples]
            gap = [x.base_nll - x.nll for x in scores.samples]
            rows += [
                Row(RIVALS, "SU, against the retrained model", where(selective_weights(scores), inside)),
                Row(OTHERS, RETRAIN_GAP, where(gap, inside)),
            ]
        return rows

    def _compared(self, name: str) -> ScoreSet:
        """The scores with those of the same tokens by another model as their base model."""
        scores = self.measurements.scores(self.measurements.load(name), self.samples)
        pairs = [*zip(self.scores.samples, scores.samples, strict=True)]
        if any(x.token_ids != y.token_ids for x, y in pairs):
            raise ValueError(f'"{name}" cuts the answers into other tokens than "{self.model.name}".')
        samples = tuple(replace(x, base_nll=y.nll, base_entropy=y.entropy) for x, y in pairs)
        return replace(self.scores, samples=samples)


def fitted_selectors(measurements: Measurements, limit: int | None = None) -> dict[tuple[str, ...], Selector]:
    """Selectors fitted on retained rows by the worlds they were fitted on: each world, then all together."""
    here = available_presets()
    sets: dict[str, list[ScoreSet]] = {name: [] for name in WORLDS}
    for name, world in WORLDS.items():
        for model in (m for m in world.fitted if m in here):
            sets[name].append(measurements.scores(measurements.load(model), world.retained(limit)))
    worlds = [name for name, scores in sets.items() if scores]
    choices = [(name,) for name in worlds] + ([tuple(worlds)] if len(worlds) > 1 else [])
    return {
        choice: fit_selector(" and ".join(choice), [s for name in choice for s in sets[name]], PORTABLE)
        for choice in choices
    }


def own_rows(scores: ScoreSet, selectors: Mapping[tuple[str, ...], Selector]) -> list[Row]:
    """The default importance and learned selectors."""
    rows = [Row(OWN, DEFAULT, scores.importance)]
    for worlds, selector in selectors.items():
        name = f"selector, fitted on {' and '.join(worlds)}"
        rows.append(Row(OWN, name, selector.importance(scores), worlds))
    values = held_out_importance(scores)
    return [*rows, Row(OWN, HELD_OUT, values)] if values else rows


def held_out_importance(scores: ScoreSet, folds: int = FOLDS) -> Arrays | None:
    """Importance by selectors that never saw the gold spans of the author or subject they are judged on.

    The scores of held-out samples still count in the ranks, which need no gold spans. None where the set has
    too few authors or samples.
    """
    keys = [cluster(x.sample_id) for x in scores.samples]
    names = list(dict.fromkeys(keys))
    values = [np.zeros(len(x.texts)) for x in scores.samples]
    for fold in range(min(folds, len(names))):
        outside = names[fold::folds]
        samples = tuple(
            replace(x, span=()) if key in outside else x for x, key in zip(scores.samples, keys, strict=True)
        )
        if sum(bool(x.span) for x in samples) < LEAST_ROWS:
            return None
        fold_values = fit_selector("held out", [replace(scores, samples=samples)]).importance(scores)
        values = [
            new if key in outside else old for new, old, key in zip(fold_values, values, keys, strict=True)
        ]
    return values


def model_rows(scores: ScoreSet) -> list[Row]:
    """What the model says of a token, by its prediction and by masking."""
    sharp, tail = (scores.with_settings(reading=reading) for reading in ("sharp", "tail"))
    unguarded = scores.with_settings(copy_guard=False)
    signals = {
        "entropy, T = 1": [x.entropy for x in scores.samples],
        "entropy, T = 4": [x.tail_entropy for x in scores.samples],
        "1 - p": [1 - np.exp(-x.nll) for x in scores.samples],
        "sharp reading: entropy of words, T = 1, copy guard": sharp.importance,
        "tail reading: entropy of words, T = 4, copy guard": tail.importance,
        "masking, question, copy guard": scores.knowledge,
        "masking, question, no guard": unguarded.knowledge,
    }
    return [Row(MODEL, name, values) for name, values in signals.items()]


def weighting_rows(scores: ScoreSet) -> list[Row]:
    """Published weightings, computed from the start model, where the reference is the model itself."""
    import torch

    from tokenunlearn.objectives.weightings import satimp_weights, tnpo_weights, wga_weights, wtnpo_weights

    formulas = {
        "WGA: p": lambda nll, mask: wga_weights(nll, mask, 1.0),
        "SatImp: p^5 (1 - p)": lambda nll, mask: satimp_weights(nll, mask, 5.0, 1.0),
        "TNPO: 1 at the start": lambda nll, mask: tnpo_weights(nll, nll, mask, 4.0),
        "WTNPO: p^1.5 at the start": lambda nll, mask: wtnpo_weights(nll, nll, mask, 4.0, 1.5),
    }
    rows = []
    for name, formula in formulas.items():
        nlls = [torch.tensor(x.nll, dtype=torch.float64)[None] for x in scores.samples]
        values = [formula(nll, torch.ones_like(nll, dtype=torch.bool))[0].numpy() for nll in nlls]
        rows.append(Row(RIVALS, name, values))
    for temperature in (1, 4):
        entropies = [x.entropy if temperature == 1 else x.tail_entropy for x in scores.samples]
        values = [len(h) * h / h.sum() if h.sum() > 0 else np.zeros(len(h)) for h in entropies]
        rows.append(Row(RIVALS, f"ETW: entropy, T = {temperature}, over the response's mean", values))
    return rows


def selective_weights(scores: ScoreSet) -> Arrays:
    """SU's weights, 0 or 1, against the base model."""
    import torch

    from tokenunlearn.objectives.weightings import su_weights

    pairs = [(torch.tensor(x.nll)[None], torch.tensor(x.base_nll)[None]) for x in scores.samples]
    return [su_weights(a, b, torch.ones_like(a, dtype=torch.bool), 0.0, 2)[0].numpy() for a, b in pairs]


def where(values: Arrays, inside: Sequence[bool]) -> Arrays:
    """Values of the samples inside, NaN for the others."""
    return [v if i else np.full(len(v), np.nan) for v, i in zip(values, inside, strict=True)]


def text_rows(scores: ScoreSet, retained: Sequence[str]) -> list[Row]:
    """Rules that read the text alone, among them what the readings multiply the entropy by.

    The strictest control is the tail reading with a word's rarity in place of its entropy: what the default
    would be without a model.
    """
    frequency = document_frequency(list(retained))

    def rare(x: SampleScores) -> np.ndarray:
        words = words_of_tokens(x)
        content = np.array([w not in FUNCTION_WORDS for w in words])
        return rarity(words, frequency, len(retained)) * content * x.counts

    rarities = [rare(x) for x in scores.samples]
    # A word's score is the sum over its tokens, so each token has its share of the rarity.
    shares = [r / np.bincount(x.words)[x.words] for r, x in zip(rarities, scores.samples, strict=True)]
    swapped = [replace(x, tail_entropy=s) for x, s in zip(scores.samples, shares, strict=True)]
    first = [x.counts * np.where(x.names, 2.0, 1.0) for x in scores.samples]
    generator = np.random.default_rng(SEED)
    rules = {
        "rarity in retained answers, not in the question": rarities,
        "tail reading with this rarity for the entropy": replace(scores, samples=tuple(swapped))
        .with_settings(reading="tail")
        .importance,
        "capitals and digits": [(x.names & x.in_words).astype(float) for x in scores.samples],
        "not in the question": [x.counts.astype(float) for x in scores.samples],
        "not in the question, capitals and digits first": first,
        "the sharp reading's factor of the text": [x.factor("sharp", True) for x in scores.samples],
        "the tail reading's factor of the text": [x.factor("tail", True) for x in scores.samples],
        "word length": LENGTH.of(scores),
        "place in the answer": POSITION.of(scores),
        RANDOM: [generator.random(len(x.texts)) for x in scores.samples],
    }
    return [Row(TEXT, name, values) for name, values in rules.items()]
