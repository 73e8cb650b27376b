"""Score sets: what was measured on every token of a forget set; making weights from it needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenunlearn.attribution import score_file
from tokenunlearn.attribution.importance import ImportanceSettings, importance, knowledge_score, over_words
from tokenunlearn.attribution.reading import (
    LEAST_SHARE,
    MARGIN,
    TAIL_SHARE,
    Reading,
    choose_reading,
    hesitation_split,
    word_totals,
)
from tokenunlearn.attribution.sample_scores import OPTIONAL, SampleScores
from tokenunlearn.attribution.selection import (
    RULES,
    HardSelection,
    Rule,
    TokenWeights,
    make_weights,
    threshold_at,
)
from tokenunlearn.attribution.selector import Selector
from tokenunlearn.errors import ScoreSetError
from tokenunlearn.notebook import NotebookView, Theme, score_set_html
from tokenunlearn.settings import renamed

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """Scores of every token of a forget set, with the model, settings and overrides they belong to.

    Two sets are equal when their hashes are.

    Attributes:
        samples: One :class:`SampleScores` per sample, in order.
        source: Name that loads the samples again.
        model: Name of the model.
        revision: Its content fingerprint.
        masking: Settings that needed forward passes, and name and revision of the base model, if any.
        settings: Settings that did not; replace them freely.
        overrides: sample id -> response position -> forced in (True) or out (False).
        selector: A learned selector that gives the importance in place of the mix of the two signals.
    """

    samples: tuple[SampleScores, ...]
    source: str
    model: str
    revision: str
    masking: Mapping[str, Any]
    settings: ImportanceSettings = field(default_factory=ImportanceSettings)
    overrides: Mapping[str, Mapping[int, bool]] = field(default_factory=dict)
    selector: Selector | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScoreSet) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def _repr_html_(self) -> str:
        return score_set_html(self)

    def show(self, rule: Rule | None = None, *, sample: int = 0, theme: Theme = "auto") -> NotebookView:
        """The token view, live in a notebook: text, sliders, overrides, and what hovering over a token shows.

        It needs no server and sends nothing; a line below the text is the Python code of the weights in view.
        ``show().save("tokens.html")`` writes it as a page to pass on. It carries at most 200 samples.

        Args:
            rule: Hard selection, soft weighting or uniform weights to begin with; by default as
                :meth:`weights`.
            sample: Number of the sample to begin with, from 0.
            theme: "light", "dark", or "auto" for that of the system.

        Raises:
            ScoreSetError: If there is no such sample, or the view has no controls for the rule.
        """
        from tokenunlearn.attribution.token_view.page import token_view

        return token_view(self, rule, sample, theme)

    @cached_property
    def options(self) -> frozenset[str]:
        """Options of :func:`score` whose measurements these scores hold: "prefix", "base_model"."""
        return frozenset(
            option
            for option, arrays in OPTIONAL.items()
            if all(getattr(x, name) is not None for x in self.samples for name in arrays)
        )

    @cached_property
    def knowledge(self) -> list[np.ndarray]:
        """Knowledge score k_t of every token, in nats."""
        s = self.settings
        return [knowledge_score(x.losses, x.copied, s.aggregation, s.copy_guard) for x in self.samples]

    @cached_property
    def word_entropies(self) -> np.ndarray:
        """(W,) entropy at temperature 1 of the set's words that do not repeat the question, in nats."""
        x = self.samples
        return word_totals([s.entropy for s in x], [s.words for s in x], [s.counts for s in x])

    @cached_property
    def chosen_reading(self) -> Reading:
        """How these scores would read the entropy by themselves: "sharp" or "tail"."""
        return choose_reading(self.word_entropies)

    @property
    def reading(self) -> Reading:
        """How the entropy is read: as the settings say, or for "auto" as the scores do."""
        return self.chosen_reading if self.settings.reading == "auto" else self.settings.reading

    @property
    def entropy(self) -> list[np.ndarray]:
        """Entropy score h_t of every token as it is read, in nats."""
        tail = self.reading == "tail"
        return [x.tail_entropy if tail else x.entropy for x in self.samples]

    @cached_property
    def importance(self) -> list[np.ndarray]:
        """Importance s_t of every token, 0..1."""
        if self.selector is not None:
            return self.selector.importance(self)
        units = [x.units[self.reading] for x in self.samples]
        return importance(self.knowledge, self.entropy, self.settings, units, self.factors)

    @cached_property
    def factors(self) -> list[np.ndarray]:
        """What the text alone says of every token, 0..1."""
        return [x.factor(self.reading, self.settings.copy_guard) for x in self.samples]

    @cached_property
    def suggested_threshold(self) -> float:
        """Threshold of the default hard selection, 0..1, chosen from the scores.

        Where words' entropies fall into two groups, up to a quarter more tokens are selected than the upper
        group has, or 15 % of all tokens where that is more, because a missed secret is given away whole and
        a word too many only costs a part of the sentence; else the 30 % of all tokens with the highest
        importance, or fewer where fewer have any. The threshold is the least importance among them, rounded
        down to six digits, and never 0; it is 1 where no token has an importance above 0.
        """
        tokens = np.concatenate([*self.importance, np.empty(0)])
        ordered = np.sort(np.nan_to_num(tokens))
        important = ordered[ordered > 0]
        if not important.size:
            return 1.0
        if self.chosen_reading == "tail":
            share = TAIL_SHARE
        else:
            split = hesitation_split(self.word_entropies)
            hesitant = [x.counts & (over_words(x.entropy, x.words) >= split) for x in self.samples]
            share = float(np.concatenate(hesitant).mean())
        count = min(len(important), max(1, round(share * len(ordered))))
        threshold = important[-count]
        if self.chosen_reading == "sharp":  # equal tokens are selected together, or not at all
            most = round(max(MARGIN * count, LEAST_SHARE * len(ordered)))
            highest_left_out = ordered[: max(0, len(ordered) - most)].max(initial=0.0)
            threshold = ordered[ordered > highest_left_out].min(initial=threshold)
        return threshold_at(float(threshold))

    def weights(self, rule: Rule | None = None) -> TokenWeights:
        """Token weights under a rule; overrides win over it.

        By default, and for a hard selection without a criterion, hard at :attr:`suggested_threshold`.

        Raises:
            NothingSelectedError: If no token is selected.
        """
        ids = [x.sample_id for x in self.samples]
        if rule is None or (isinstance(rule, HardSelection) and not rule.chosen):
            rule = HardSelection(threshold=self.suggested_threshold)
        return make_weights(ids, self.importance, rule, self.overrides, self.hash)

    def weights_like(self, weights: TokenWeights) -> TokenWeights:
        """Weights by the rule of another set's weights; a hard selection takes as large a share of tokens.

        A threshold of its own would select more where answers surprise the model, as held-out ones do. Where
        the rule is not in ``RULES``, as for weights made by hand, a share is taken as well.

        Raises:
            NothingSelectedError: If no token is selected.
        """
        parameters = dict(weights.rule)
        rule = RULES.get(parameters.pop("selection", ""), HardSelection)
        if rule is HardSelection:
            return self.weights(HardSelection(quantile=1 - weights.selected / max(weights.tokens, 1)))
        return self.weights(rule(**parameters))

    def with_settings(self, **changes: Any) -> ScoreSet:
        """The same measurements under other importance settings, e.g. ``with_settings(alpha=0.8)``."""
        return replace(self, settings=replace(self.settings, **changes))

    def with_override(self, sample_id: str, position: int, inside: bool | None) -> ScoreSet:
        """The set with one token forced in (True), forced out (False), or back to the rule (None).

        Raises:
            ScoreSetError: If there is no such sample or response position.
        """
        sample = next((x for x in self.samples if x.sample_id == sample_id), None)
        if sample is None or not 0 <= position < len(sample.texts):
            raise ScoreSetError(f"Sample {sample_id} has no response token {position} in this score set.")
        overrides = {key: dict(value) for key, value in self.overrides.items()}
        forced = overrides.setdefault(sample_id, {})
        forced.pop(position, None)
        if inside is not None:
            forced[position] = inside
        if not forced:
            del overrides[sample_id]
        return replace(self, overrides=overrides)

    @cached_property
    def hash(self) -> str:
        """sha256 over samples, measurements, model, settings and overrides; 64 hex digits."""
        return score_file.digest(self._header(), self.samples)

    def _header(self) -> dict[str, Any]:
        overrides = {
            key: {str(position): inside for position, inside in sorted(value.items())}
            for key, value in sorted(self.overrides.items())
        }
        return {
            "format": score_file.FORMAT,
            "source": self.source,
            "model": self.model,
            "revision": self.revision,
            "masking": dict(self.masking),
            "settings": asdict(self.settings),
            "overrides": overrides,
            "selector": self.selector.to_json() if self.selector else None,
        }

    def save(self, path: str | Path) -> Path:
        """Write the set to one parquet file, a row a sample, with importance for readers elsewhere."""
        columns = {"knowledge": self.knowledge, "importance": self.importance}
        return score_file.write(path, self._header() | {"hash": self.hash}, self.samples, columns)

    @classmethod
    def load(cls, path: str | Path) -> ScoreSet:
        """Read a set written by :meth:`save` and check its hash.

        Raises:
            ScoreSetError: If the file is missing, not a score set, of another format, or was changed.

        A file of format 1, which has no tail entropy, is read as it was meant: its entropy plain, each word
        by its highest token.
        """
        header, samples = score_file.read(path)
        try:
            selector = header.get("selector")
            scores = cls(
                samples=samples,
                source=header["source"],
                model=header["model"],
                revision=header["revision"],
                masking=header["masking"],
                settings=ImportanceSettings(**renamed(header["settings"])),
                selector=Selector.from_json(selector, f'The selector in "{path}"') if selector else None,
            )
            lengths = {x.sample_id: len(x.texts) for x in samples}
            overrides = {i: {int(t): y for t, y in x.items()} for i, x in header["overrides"].items()}
            if not all(0 <= t < lengths[i] for i, forced in overrides.items() for t in forced):
                raise ValueError
            return replace(scores, overrides=overrides)
        except (KeyError, TypeError, ValueError):
            raise score_file.damaged(path) from None

    def check_model(self, revision: str) -> None:
        """Refuse to be used with other weights than the scores were measured on.

        Raises:
            ScoreSetError: If the revision differs.
        """
        if revision != self.revision:
            raise ScoreSetError(
                f'These scores were computed with "{self.model}" (weights {self.revision or "unknown"}), '
                f"but the model to unlearn has weights {revision or 'unknown'}; score the samples with it "
                "first."
            )

    def check_samples(self, encodings: Sequence[Encoding]) -> None:
        """Refuse to be used for other samples, or under another prompt, than were scored.

        Args:
            encodings: The forget set as the model to unlearn reads it.

        Raises:
            ScoreSetError: If ids, response tokens or prompts differ.
        """
        if [x.sample_id for x in self.samples] != [e.sample_id for e in encodings]:
            raise ScoreSetError("These scores are of other samples than the forget set; score it first.")
        changed = [
            x.sample_id
            for x, e in zip(self.samples, encodings, strict=True)
            if (x.prompt_texts, x.token_ids) != (e.texts[: e.prompt_length], e.response_ids)
        ]
        if changed:
            raise ScoreSetError(
                f"The samples or their prompts have changed since they were scored ({len(changed):,} of "
                f"{len(self):,} differ, the first is {changed[0]}); score them again."
            )
