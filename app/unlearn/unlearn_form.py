"""The form of the page Unlearn: lists of values for every setting; its keys are URL parameters.

A field left blank is filled with what the objective recommends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import cycle
from typing import Any, TypeVar

import streamlit as st

from app import choice_box, links, sample_sets
from app.controls import Source
from app.glossary import meaning
from app.unlearn.run_plan import Plan
from tokenunlearn.attribution.controls import CONTROLS
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import Rule
from tokenunlearn.evaluation.watch import WatchSettings, default_questions
from tokenunlearn.objectives import DEFAULT_OBJECTIVE, OBJECTIVES, REGULARIZERS, WEIGHTINGS
from tokenunlearn.runs.grid import make_grid, parse_numbers, with_controls
from tokenunlearn.settings import kind_of
from tokenunlearn.training.presets import RUN_PRESETS, RunPreset
from tokenunlearn.training.settings import LEARNING_RATES, NONE, SCHEDULERS, UnlearnSettings

HELP = {f.name: f.metadata.get("help", "") for f in fields(UnlearnSettings)}
EVALUATE = {0: "no", 24: "24 samples per split", 72: "72 samples per split", 100_000: "all samples"}
# Objectives and weightings by what stands before the names of their parameters.
OWNERS: Mapping[str, Any] = OBJECTIVES | {f"weighting_{name}": kind for name, kind in WEIGHTINGS.items()}
LISTS = ("objective", "regularizer", "weighting", "control", "lr_scheduler_type")
NUMBERS = {
    "gamma": "γ (forget)",
    "lambda_": "λ (retain)",
    "steps": "Steps",
    "learning_rate": "Learning rate",
    "seed": "Seed",
    "frame": "Frame",
    "level": "Level (nats)",
    "patience": "Patience (steps)",
    "retain_bound": "Retain bound (nats)",
    "rescore": "Rescore every (steps)",
    "batch_size": "Forget batch size",
    "retain_batch_size": "Retain batch size",
    "warmup_steps": "Warmup steps",
    "max_grad_norm": "Max gradient norm",
    "lora_r": "LoRA rank",
    "lora_alpha": "LoRA alpha",
    "layer": "Layer",
    "first_layer": "First trained layer",
}
# Words of the glossary that a setting's help explains.
WORDS = {
    "objective": ("objective", "AltNPO", "NPO"),
    "regularizer": ("regularizer", "KL"),
    "weighting": ("weight",),
    "lambda_": ("lambda",),
    "steps": ("steps",),
    "frame": ("KL",),
    "level": ("level", "nats", "NLL"),
}
SEVERAL = " Enter several values, separated by commas, to run a grid."
BOUND: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
OWN = "custom"
# Where the session keeps the name of the preset that the fields equal.
PRESET = "preset"
T = TypeVar("T")


def choose(source: Source, scores: ScoreSet, rule: Rule) -> Plan:
    """The plan that the form describes.

    Raises:
        TokenUnlearnError: While a value is not allowed.
    """
    top = st.container()
    values = _settings(source)
    _show_preset(top, values)
    retain, evaluate, label = _around(source)
    watch = _watch(scores, retain)
    configs = make_grid(_numbers(values))
    if _controls(configs):
        configs = with_controls(configs)
    for name in dict.fromkeys(c.weighting for c in configs if c.weights_move):
        st.caption(f"The weighting {name} replaces the selected token weights.")
    detached = st.toggle(
        "Run in a separate process",
        key="detached",
        help="The runs go on when the app is stopped or restarted, and the app answers faster meanwhile.",
        **BOUND,
    )
    return Plan(source, scores, rule, configs, retain, label, evaluate, watch, detached)


def _settings(source: Source) -> dict[str, Any]:
    """Fields of objective, regularizer, weighting and optimization, as they were typed."""
    values: dict[str, Any] = {}
    first, second, third = st.columns(3)
    with first:
        values["objective"] = _several("Objective", "objective", OBJECTIVES, DEFAULT_OBJECTIVE)
        objectives = values["objective"] or [DEFAULT_OBJECTIVE]
        for name in objectives:
            values |= _parameters(OBJECTIVES[name], f"{name}.", objectives)
        defaults = [UnlearnSettings(objective=name) for name in objectives]
        values["gamma"] = _number("gamma", defaults)
    with second:
        shown = _common(defaults, "regularizer")
        values["regularizer"] = _several("Regularizer", "regularizer", REGULARIZERS, shown)
        values["lambda_"] = _number("lambda_", defaults)
        values["weighting"] = _several("Weighting", "weighting", WEIGHTINGS, "selection")
        for name in values["weighting"]:
            values |= _parameters(WEIGHTINGS[name], f"weighting_{name}.", values["weighting"])
        values["control"] = _several("Control", "control", (NONE, *CONTROLS), NONE)
        weightings = values["weighting"] or ["selection"]
        defaults = [UnlearnSettings(objective=o, weighting=w) for o in objectives for w in weightings]
    with third:
        for name in ("steps", "learning_rate", "seed"):
            values[name] = _number(name, defaults)
    with st.expander("More settings"):
        cell = cycle(st.columns(3))
        rest = [
            name for name in NUMBERS if name not in ("gamma", "lambda_", "steps", "learning_rate", "seed")
        ]
        for name in rest:
            with next(cell):
                values[name] = _number(name, defaults)
        with next(cell):
            shown = _common(defaults, "lr_scheduler_type")
            values["lr_scheduler_type"] = _several(
                "Learning rate schedule", "lr_scheduler_type", SCHEDULERS, shown
            )
        with next(cell):
            values["train"] = _one("Trainable weights", "train", ["auto", "lora", "full"], help=HELP["train"])
        with next(cell):
            values["base_model"] = st.text_input(
                "Base model", key="base_model", placeholder="default", help=HELP["base_model"], **BOUND
            )
        with next(cell):
            values["holdout"] = _one(
                "Holdout",
                "holdout",
                sample_sets.holdout_sets(source.samples),
                sample_sets.set_name,
                index=None,
                placeholder=_common(defaults, "holdout"),
                help=meaning("holdout", "level", after=HELP["holdout"]),
            )
        values["published_scale"] = st.toggle(
            "Published scale", key="published_scale", help=HELP["published_scale"], **BOUND
        )
        values["base_level"] = st.toggle(
            "Level of the base model", key="base_level", help=HELP["base_level"], **BOUND
        )
    return values


def _several(label: str, name: str, options: Iterable[str], default: str) -> list[str]:
    """Some of the options, in the order chosen; none means the default, which the empty field shows."""
    options = list(options)
    links.check(name, options)
    chosen: list[str] = st.multiselect(
        label,
        options,
        key=name,
        placeholder=default,
        help=meaning(*WORDS.get(name, ()), after=f"{HELP[name]} Choose several to run a grid."),
        **BOUND,
    )
    return chosen


def _one(
    label: str, name: str, options: Sequence[T], shown: Callable[[T], str] = str, **more: Any
) -> T | None:
    """One of the options."""
    links.check(name, options, shown)
    chosen: T | None = st.selectbox(label, options, key=name, format_func=shown, **more, **BOUND)
    return chosen


def _number(name: str, defaults: Sequence[UnlearnSettings]) -> str:
    """A list of numbers as typed; the empty field shows what holds then."""
    text = st.text_input(
        NUMBERS[name],
        key=name,
        placeholder=_common(defaults, name),
        help=meaning(*WORDS.get(name, ()), after=HELP[name] + SEVERAL),
        max_chars=200,
        **BOUND,
    )
    return text


def _common(defaults: Sequence[UnlearnSettings], name: str) -> str:
    """What the chosen objectives recommend, where they agree."""
    if name == "learning_rate":
        rates = [OBJECTIVES[c.objective].recommended.get("learning_rate", LEARNING_RATES) for c in defaults]
        if len({tuple(sorted(rate.items())) for rate in rates}) > 1:
            return "recommended per objective"
        return " or ".join(f"{value:g} ({kind})" for kind, value in rates[0].items())
    (first, *others) = dict.fromkeys(getattr(config, name) for config in defaults)
    if others:
        return "recommended per objective"
    if first is None:
        return "default"
    return f"{first:g}" if isinstance(first, int | float) else str(first)


def _parameters(kind: type[Any], prefix: str, among: Sequence[str]) -> dict[str, str]:
    """One field for each parameter of an objective or a weighting."""
    owner = prefix.removeprefix("weighting_").rstrip(".")
    return {
        prefix + parameter.name: st.text_input(
            parameter.name if len(among) == 1 else f"{owner}: {parameter.name}",
            key=prefix + parameter.name,
            placeholder=f"{parameter.default:g}",
            help=parameter.metadata["help"] + SEVERAL,
            max_chars=200,
            **BOUND,
        )
        for parameter in fields(kind)
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The form's values as lists; what is blank is left out."""
    lists: dict[str, list[Any]] = {}
    for name, value in values.items():
        if name in LISTS:
            lists[name] = value
        elif name in NUMBERS or "." in name:
            owner, _, own = name.rpartition(".")
            whole = kind_of(OWNERS.get(owner, UnlearnSettings), own)[0] is int
            lists[name] = parse_numbers(value, NUMBERS.get(name, own), whole=whole)
        else:
            lists[name] = [value] if value else []
    return lists


def _show_preset(top: Any, values: Mapping[str, Any]) -> None:
    """The box of presets above the form; it names the preset that the fields equal."""
    equal = (name for name, preset in RUN_PRESETS.items() if _filled(preset, values) == dict(values))
    shown = next(equal, OWN)
    with top:
        choice_box.choose(
            PRESET,
            "Preset",
            [OWN, *RUN_PRESETS],
            shown,
            _fill,
            help="Fills in the form; you can still change every field. Blank fields take the values "
            "recommended for the objective.",
        )
        st.caption(RUN_PRESETS[shown].summary if shown in RUN_PRESETS else "Custom settings.")


def _filled(preset: RunPreset, values: Mapping[str, Any]) -> dict[str, Any]:
    """The form's fields under a preset: its settings, and blanks."""
    blanks: dict[str, Any] = {name: [] if name in LISTS else "" for name in values}
    blanks |= {"train": "auto", "holdout": None, "published_scale": False, "base_level": False}
    own = {f.name for f in fields(UnlearnSettings)}
    for name, value in preset.settings.items():
        key = name if name in own else f"{preset.settings['objective']}.{name}"
        blanks[key] = [value] if name in LISTS else value if isinstance(value, bool) else f"{value:g}"
    plain = blanks["objective"] == [DEFAULT_OBJECTIVE] and not values["objective"]
    return blanks | ({"objective": []} if plain else {})


def _fill(chosen: str) -> None:
    """Put a preset into the form."""
    if chosen not in RUN_PRESETS:
        return
    names = [*LISTS, *NUMBERS, "train", "holdout", "published_scale", "base_level", "base_model"]
    names += [name for name in st.session_state if str(name).split(".")[0] in OBJECTIVES]
    for name, value in _filled(RUN_PRESETS[chosen], dict.fromkeys(names, "?")).items():
        st.session_state[name] = value


def _around(source: Source) -> tuple[str, int, str]:
    """Retained samples, evaluation, label."""
    retain_column, evaluate_column, label_column = st.columns(3)
    with retain_column:
        retain = _one(
            "Retained samples",
            "retain",
            sample_sets.retain_sets(source.model.name, source.samples),
            sample_sets.set_name,
            help=meaning("retained samples"),
        )
    with evaluate_column:
        evaluate = _one(
            "Evaluate after training",
            "evaluate",
            list(EVALUATE),
            EVALUATE.__getitem__,
            index=1,
            help="authors: gold spans, probability, ROUGE-L, truth ratio, forget quality and model utility. "
            "alchemy: multiple-choice accuracy."
            f"\n\n{meaning('gold span', 'verdict', 'utility', 'retrained')}",
        )
    label = label_column.text_input("Label", key="label", placeholder="optional", max_chars=60, **BOUND)
    return str(retain), int(evaluate or 0), label or ""


def _watch(scores: ScoreSet, retain: str) -> WatchSettings:
    """What is measured while the runs train."""
    with st.expander("Watch during training"):
        interval, first, second = st.columns([1, 2, 2])
        every = interval.number_input(
            "Interval in steps",
            value=10,
            min_value=0,
            max_value=10_000,
            key="watch_every",
            help="Measures teacher-forced gold-span accuracy on 8 forget and 8 retained samples, asks two "
            "questions and records memory use. 0 turns it off.",
            **BOUND,
        )
        defaults = default_questions(scores.samples, sample_sets.load_samples(retain))
        typed = [
            column.text_input(
                f"Question {number}",
                key=f"question_{number}",
                placeholder=default,
                max_chars=500,
                help="Asked before training, at every interval and at the end.",
                **BOUND,
            ).strip()
            for number, (column, default) in enumerate(zip((first, second), defaults, strict=False), start=1)
        ]
    questions = (
        tuple(text or default for text, default in zip(typed, defaults, strict=False)) if any(typed) else ()
    )
    return WatchSettings(int(every or 0), questions=questions)


def _controls(configs: Sequence[UnlearnSettings]) -> bool:
    """Whether control runs are added; there is nothing to control where no selection is used."""
    return st.toggle(
        "Add control runs: uniform, random and inverted weights",
        key="controls",
        disabled=not any(c.control == NONE and not c.weights_move for c in configs),
        help="Adds three runs for each run with selected weights, with all other settings equal. Random and "
        "inverted put the same weights on other tokens of each response, so the budget is equal; uniform "
        "trains for the same number of steps with weight 1 on every token.",
        **BOUND,
    )
