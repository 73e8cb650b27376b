"""Unlearn: launch a run with the token weights in view, and watch it."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import streamlit as st

from app import command_line, controls, run_view, services, state
from app.errors import show_error
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import Rule, describe_rule
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES, REGULARISERS, WEIGHTINGS
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.training.unlearn_config import UnlearnConfig

HELP = {f.name: f.metadata.get("help", "") for f in fields(UnlearnConfig)}
EVALUATE = {0: "no", 24: "24 samples a part", 72: "72 samples a part", 100_000: "every sample"}


def choose_config() -> UnlearnConfig | None:
    """Objective, regulariser and optimisation; None while a value is not allowed."""
    values: dict[str, Any] = {}
    first, second, third = st.columns(3)
    with first:
        values["objective"] = st.selectbox(
            "Objective", list(OBJECTIVES), key="objective", help=HELP["objective"]
        )
        defaults = UnlearnConfig(objective=values["objective"])
        values |= _parameters(OBJECTIVES[values["objective"]], values["objective"])
        values["gamma"] = st.number_input(
            "γ (forget)", value=float(defaults.gamma), min_value=0.0, help=HELP["gamma"]
        )
    with second:
        values["regulariser"] = st.selectbox(
            "Regulariser",
            list(REGULARISERS),
            index=list(REGULARISERS).index(defaults.regulariser),
            help=HELP["regulariser"],
        )
        values["lambda_"] = st.number_input(
            "λ (retain)", value=float(defaults.lambda_), min_value=0.0, help=HELP["lambda_"]
        )
        values["train"] = st.selectbox(
            "Trained weights", ["auto", "lora", "full"], key="train", help=HELP["train"]
        )
    with third:
        values["steps"] = st.number_input(
            "Steps", value=defaults.steps, min_value=1, max_value=10_000, help=HELP["steps"]
        )
        values["learning_rate"] = st.number_input(
            "Learning rate",
            value=None,
            min_value=0.0,
            format="%g",
            placeholder="by default",
            help=HELP["learning_rate"],
        )
        values["seed"] = st.number_input("Seed", value=defaults.seed, min_value=0, help=HELP["seed"])
        values["weighting"] = st.selectbox(
            "Weighting", list(WEIGHTINGS), key="weighting", help=HELP["weighting"]
        )
        values |= _parameters(WEIGHTINGS[values["weighting"]], values["weighting"], "weighting_")
    with st.expander("More settings"):
        columns = st.columns(3)
        for i, name in enumerate(("batch_size", "retain_batch_size", "warmup_steps", "lora_r", "lora_alpha")):
            values[name] = columns[i % 3].number_input(
                name, value=getattr(defaults, name), min_value=0, help=HELP[name]
            )
        values["max_grad_norm"] = columns[2].number_input(
            "max_grad_norm",
            value=defaults.max_grad_norm,
            min_value=0.0,
            format="%g",
            help=HELP["max_grad_norm"],
        )
        values["layer"] = columns[0].number_input(
            "layer", value=None, min_value=0, placeholder="by default", help=HELP["layer"]
        )
        values["base_model"] = (
            columns[1].text_input("base_model", placeholder="by default", help=HELP["base_model"]) or None
        )
        values["published_scale"] = columns[2].toggle("published_scale", help=HELP["published_scale"])
    try:
        config = UnlearnConfig.from_settings(values)
    except TokenUnlearnError as error:
        show_error(error)
        return None
    if not config.uses_selection:
        st.caption(f"The weighting {config.weighting} takes the place of the selected token weights.")
    return config


def _parameters(kind: type[Any], name: str, prefix: str = "") -> dict[str, float]:
    """One number field for each parameter of an objective or a weighting."""
    return {
        prefix + parameter.name: st.number_input(
            parameter.name,
            value=float(parameter.default),  # type: ignore[arg-type]
            format="%g",
            key=f"parameter-{prefix}{name}-{parameter.name}",
            help=parameter.metadata["help"],
        )
        for parameter in fields(kind)
    }


def commands(
    source: controls.Source, retain: str, rule: Rule, config: UnlearnConfig, scores: ScoreSet
) -> str:
    """The command lines that do the same: score, then unlearn with those scores."""
    kept = Path("scores.parquet")
    mix, default_mix = asdict(scores.settings), asdict(ImportanceSettings())
    changed = {k: v for k, v in mix.items() if v != default_mix[k]}
    unlearning = command_line.unlearn_line(
        model=source.model,
        samples=source.samples,
        retain=retain if config.needs_retain else "",
        rule=describe_rule(rule),
        config=asdict(config),
        scores=kept,
        out=services.store().root,
    )
    scoring = command_line.score_line(source.model, source.samples, source.masking | changed, kept)
    return f"{scoring}\n{unlearning}"


def start(
    source: controls.Source,
    retain: str,
    rule: Rule,
    config: UnlearnConfig,
    scores: ScoreSet,
    more: dict[str, Any],
) -> None:
    """Make the run and queue it with the very score set in view."""
    from tokenunlearn.evaluation.report import versions

    waiting = len(run_view.active_runs())
    spec = RunSpec.new(
        model=source.model,
        samples=source.samples,
        retain=retain if config.needs_retain else "",
        rule=describe_rule(rule),
        config=asdict(config),
        score_hash=scores.hash,
        versions=versions(),
        **more,
    )
    run = services.store().create(spec, scores)
    services.worker().submit(run)
    if waiting:
        st.session_state["notice"] = (
            f"{spec.label} is queued behind {waiting} other run{'s' if waiting > 1 else ''}."
        )


def launch(source: controls.Source, scores: ScoreSet, path: Path) -> None:
    """Everything between the token weights and Start."""
    settings = state.current(str(path), scores)
    mixed, rule = settings.apply(scores), settings.rule
    with st.sidebar:
        controls.show_settings(settings, scores)
    controls.show_faults()
    state.write_link(settings, scores)
    try:
        weights = mixed.weights(rule)
    except TokenUnlearnError as error:
        show_error(error)
        return
    st.caption(
        f"Token weights as on the page Tokens: {', '.join(f'{k} {v}' for k, v in weights.rule.items())}; "
        f"{weights.selected:,} of {weights.tokens:,} tokens have a weight; score set {mixed.hash[:12]}."
    )
    config = choose_config()
    retain_column, evaluate_column, label_column = st.columns(3)
    retain = retain_column.selectbox(
        "Retained samples",
        [*services.RETAIN_SETS, *services.uploads()],
        key="retain",
        format_func=services.set_name,
    )
    evaluate = evaluate_column.selectbox(
        "Evaluate afterwards",
        list(EVALUATE),
        index=1,
        format_func=EVALUATE.get,
        key="evaluate",
        help="On the authors: gold spans, probability, ROUGE-L, truth ratio, forget quality, utility.",
    )
    label = label_column.text_input("Label", key="label", placeholder="optional", max_chars=60)
    if config is None:
        return
    if st.button("Start", type="primary", icon=":material/play_arrow:"):
        start(source, str(retain), rule, config, mixed, {"label": label or "", "evaluate": evaluate or 0})
        st.rerun()
    with st.expander("The same from the command line"):
        st.code(commands(source, str(retain), rule, config, mixed), language="bash", wrap_lines=True)
        if mixed.overrides:
            st.caption("For the overrides, take scores.parquet from the page Tokens instead of scoring anew.")


with st.sidebar:
    chosen_source, found, path = controls.scored_source()
st.title("Unlearn")
run_view.show_active(run_view.active_runs())
if "notice" in st.session_state:
    st.info(st.session_state.pop("notice"))
if found is not None and path is not None:
    launch(chosen_source, found, path)
elif path is not None:
    controls.offer_scoring(chosen_source, path)
finished = [run for run in services.store().runs() if not run.state.active]
if finished:
    st.subheader("Last run")
    run_view.show_run(finished[0])
    st.page_link("pages/compare.py", label="Compare before and after", icon=":material/compare:")
