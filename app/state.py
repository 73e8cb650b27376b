"""What a person has chosen about tokens: one committed state for every page, mirrored in the URL.

The browser, the URL and the session all speak the same flat text form, so there is one parser and one check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import reduce
from typing import Any, Literal, get_args

import streamlit as st

from app import links, selectors
from app.numbers import setting
from tokenunlearn.attribution.importance import (
    Direction,
    Fusion,
    Granularity,
    Normalizer,
    Scope,
)
from tokenunlearn.attribution.reading import Reading
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import (
    DEFAULT_TEMPERATURE,
    HardSelection,
    Overrides,
    Rule,
    SoftWeighting,
    Uniform,
)
from tokenunlearn.attribution.token_view.payload import encode_overrides, setting_text
from tokenunlearn.settings import RENAMED, renamed

Kind = Literal["hard", "soft", "uniform"]
Criterion = Literal["threshold", "top_share", "quantile"]
Tint = Literal["importance", "knowledge", "entropy", "probability", "weight"]
Pick = Literal["token", "word", "sentence"]

TEMPERATURES = (0.01, 10.0)
SESSION, OVERRIDES = "token_settings", "token_overrides"


@dataclass(frozen=True)
class TokenSettings:
    """How tokens are scored, weighted and shown.

    Attributes:
        alpha: Mix of the two signals, 0..1; this and the next seven are the importance settings.
        fusion: How they are mixed.
        normalizer: How each is normalized.
        scope: Over the set or each sample.
        copy_guard: Whether the copy guard is on.
        direction: Which entropy scores high.
        granularity: Whether a token takes the sum or the highest of its word's scores, or its own.
        reading: How the entropy is read.
        selector: Name of the learned selector that gives the importance in place of all above; "" for the
            score set's own importance.
        weights: Hard, soft or uniform weights.
        criterion: Which number hard selection goes by.
        threshold: Least importance of a selected token, 0..1.
        top_share: Share of each response that is selected, 0..1.
        quantile: Quantile of the set's importance that is the threshold, 0..1.
        temperature: Of the soft weights, 0.01..10.
        tint: Which score tints the text.
        pick: What a click takes.
        blanks: Whether blanks and line ends are made visible.
        overrides: Sample id -> response position -> forced in or out.
    """

    alpha: float = 0.0
    fusion: Fusion = "product"
    normalizer: Normalizer = "rank"
    scope: Scope = "set"
    copy_guard: bool = True
    direction: Direction = "uncertain"
    granularity: Granularity = "word"
    reading: Reading = "auto"
    selector: str = ""
    weights: Kind = "hard"
    criterion: Criterion = "threshold"
    threshold: float = 0.8
    top_share: float = 0.25
    quantile: float = 0.75
    temperature: float = DEFAULT_TEMPERATURE
    tint: Tint = "importance"
    pick: Pick = "token"
    blanks: bool = False
    overrides: Mapping[str, Overrides] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        """The rule that turns importance into weights."""
        if self.weights == "soft":
            return SoftWeighting(self.temperature)
        if self.weights == "uniform":
            return Uniform()
        return HardSelection(**{self.criterion: getattr(self, self.criterion)})

    def apply(self, scores: ScoreSet) -> ScoreSet:
        """The score set under these importance settings and overrides; its hash covers both."""
        mix = {f.name: getattr(self, f.name) for f in fields(scores.settings) if f.name in PARAMETERS}
        forced = [(key, t, inside) for key, value in self.overrides.items() for t, inside in value.items()]
        mixed = scores.with_settings(**mix)
        bare = replace(mixed, selector=selectors.find(self.selector) or scores.selector, overrides={})
        return reduce(lambda overridden, one: overridden.with_override(*one), forced, bare)


CHOICES: dict[str, Any] = {
    "fusion": Fusion,
    "normalizer": Normalizer,
    "scope": Scope,
    "direction": Direction,
    "granularity": Granularity,
    "reading": Reading,
    "weights": Kind,
    "criterion": Criterion,
    "tint": Tint,
    "pick": Pick,
}
SWITCHES = ("copy_guard", "blanks")
RANGES = {name: (0.0, 1.0) for name in ("alpha", "threshold", "top_share", "quantile")}
RANGES["temperature"] = TEMPERATURES
PARAMETERS = tuple(f.name for f in fields(TokenSettings))


def defaults(scores: ScoreSet, selector: str = "") -> TokenSettings:
    """The settings a score set comes with; the threshold is the one that suits the selector named."""
    mix = asdict(scores.settings)
    mix.pop("aggregation")
    threshold = selectors.learned(scores, selector).suggested_threshold
    return TokenSettings(**mix, threshold=threshold, overrides=scores.overrides)


def to_text(settings: TokenSettings, scores: ScoreSet) -> dict[str, str]:
    """Every setting as text, for the URL and the browser; overrides by sample number and position."""
    text = {name: setting_text(getattr(settings, name)) for name in PARAMETERS}
    return text | {"overrides": encode_overrides(settings.overrides, scores)}


def from_text(
    text: Mapping[str, str], base: TokenSettings, scores: ScoreSet
) -> tuple[TokenSettings, list[str]]:
    """Settings from their text form, and a sentence for each value that was not usable and left out.

    Args:
        text: Some or all settings; other names are ignored.
        base: What holds where ``text`` says nothing.
        scores: The score set that overrides belong to.
    """
    text = renamed(text)
    changes: dict[str, Any] = {}
    faults = []
    for name in PARAMETERS:
        if name not in text:
            continue
        try:
            changes[name] = _parse(name, text[name], scores)
        except ValueError as fault:
            held = setting(getattr(base, name)) if name in RANGES else to_text(base, scores)[name]
            faults.append(links.ignored(name, text[name], str(fault), held))
    return replace(base, **changes), faults


def _parse(name: str, value: str, scores: ScoreSet) -> Any:
    if name == "overrides":
        return decode_overrides(value, scores)
    if name == "selector":
        if value and selectors.find(value) is None:
            raise ValueError("it must be a selector on this machine")
        return value
    if name in SWITCHES:
        if value not in ("true", "false"):
            raise ValueError("it must be true or false")
        return value == "true"
    if name in CHOICES:
        if value not in get_args(CHOICES[name]):
            raise ValueError(f"it must be one of {', '.join(get_args(CHOICES[name]))}")
        return value
    low, high = RANGES[name]
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise ValueError(f"it must be a number from {low:g} to {high:g}")
    return number


def decode_overrides(text: str, scores: ScoreSet) -> dict[str, dict[int, bool]]:
    """Overrides from their short form.

    Raises:
        ValueError: If the text has another form or names tokens that the score set does not have.
    """
    overrides: dict[str, dict[int, bool]] = {}
    for part in text.split("_") if text else []:
        number, *runs = part.split(".")
        if not re.fullmatch(r"[0-9]{1,7}", number) or int(number) >= len(scores):
            raise ValueError("it must use the sample numbers of this score set")
        sample = scores.samples[int(number)]
        forced = overrides.setdefault(sample.sample_id, {})
        for run in runs:
            match = re.fullmatch(r"([io])([0-9]{1,7})(?:-([0-9]{1,7}))?", run)
            first, last = (int(match[2]), int(match[3] or match[2])) if match else (0, -1)
            if not match or not first <= last < len(sample.texts):
                raise ValueError("it must look like 0.i3-5.o7 and use existing token positions")
            forced.update(dict.fromkeys(range(first, last + 1), match[1] == "i"))
    return {key: value for key, value in overrides.items() if value}


def current(source: str, scores: ScoreSet) -> TokenSettings:
    """The committed settings; on a session's first visit from the URL, else the score set's own.

    Overrides belong to one source, everything else stays when another source is chosen.

    Args:
        source: What tells one score set's measurements from another's: the place it is kept at.
        scores: The score set as found there.
    """
    if SESSION not in st.session_state:
        link = st.query_params.to_dict()
        linked, faults = from_text(link, defaults(scores, link.get("selector", "")), scores)
        links.say(*faults)
        remember(source, scores, linked)
    changes: dict[str, str] = st.session_state[SESSION]
    settings, _ = from_text(changes, defaults(scores, changes.get("selector", "")), scores)
    forced: dict[str, Mapping[str, Overrides]] = st.session_state.setdefault(OVERRIDES, {})
    return replace(settings, overrides=forced.get(source, scores.overrides))


def remember(source: str, scores: ScoreSet, settings: TokenSettings) -> None:
    """Keep in the session what differs from the score set's own settings, and this source's overrides."""
    text, own = to_text(settings, scores), to_text(defaults(scores, settings.selector), scores)
    text.pop("overrides")
    st.session_state[SESSION] = {name: value for name, value in text.items() if value != own[name]}
    st.session_state.setdefault(OVERRIDES, {})[source] = settings.overrides


def take_selector(source: str, scores: ScoreSet, selector: str) -> None:
    """Let a learned selector give the importance, or none for ""; the threshold becomes what suits it."""
    threshold = defaults(scores, selector).threshold
    remember(source, scores, replace(current(source, scores), selector=selector, threshold=threshold))


def write_link(settings: TokenSettings, scores: ScoreSet) -> None:
    """Bring the URL in line with the settings: what differs from the score set's own, and nothing else."""
    text, own = to_text(settings, scores), to_text(defaults(scores, settings.selector), scores)
    for name in (*RENAMED, *PARAMETERS):
        if name in RENAMED or text[name] == own[name]:
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != text[name]:
            st.query_params[name] = text[name]
