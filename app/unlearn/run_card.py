"""The card of the page Unlearn: what a run forgets and retains, what it takes and needs, and Start."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import access, background, controls, input_panel, model_work, sample_sets, score_sets, services
from app.glossary import GLOSSARY, meaning
from app.numbers import counted
from app.unlearn.run_plan import Plan
from app.unlearn.unlearn_form import EVALUATE, OWN, PRESET
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.datasets import holdout_of
from tokenunlearn.files import size_text
from tokenunlearn.objectives import DEFAULT_OBJECTIVE
from tokenunlearn.runs.check import Inspection
from tokenunlearn.runs.cost import RunCost, duration_text
from tokenunlearn.training.memory import FORMULA
from tokenunlearn.training.settings import NONE

KEY = "run-card"
RECOMMENDED = f"{DEFAULT_OBJECTIVE}, recommended"
AGAIN = "start_again"  # ids of the runs that a person was asked about
STYLE = """<style>
.rc { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem 1.5rem; }
.rc div { overflow-wrap: anywhere; }
.rc small { display: block; font-size: .82rem; opacity: .85; line-height: 1.4; }
.rc b { font-size: 1.15rem; font-weight: 600; }
.rc [title] { text-decoration: underline dotted; text-underline-offset: .2rem; cursor: help; }
</style>"""


def show(plan: Plan, weights: TokenWeights, reading: DeltaGenerator) -> None:
    """What the runs forget, retain, take and need, what stands in their way, and Start.

    Args:
        plan: The runs that the form describes.
        weights: The token weights in view.
        reading: Where the panel of what the model reads belongs.
    """
    source = plan.source
    words = ("token", "AltNPO", "NPO", "KL", "lambda", "steps", "retained samples")
    st.subheader(_title(plan), anchor=False, help=meaning(*words))
    tiles = st.empty()
    requested = controls.is_requested(source)
    inspection = None
    if requested:
        kept = score_sets.score_path(source.scored, source.samples, source.masking)
        asked = model_work.inspect(source.model, source.samples, plan.runs.retain, scores=kept)
        inspection = background.result(asked)
    tiles.html(tiles_html(plan, weights, inspection and inspection.cost))
    used = weights if any(config.uses_selection for config in plan.configs) else None
    known = replace(inspection or Inspection(forget=source.samples), cost=None)  # a tile shows that
    findings = known.of_runs(plan.configs, used)
    ids = [sample.sample_id for sample in plan.scores.samples]
    numbered = [input_panel.numbered(finding, ids) for finding in findings]
    first = plan.scores.samples[0]
    with reading:
        read = findings if inspection else None
        forget = sample_sets.load_samples(source.samples)
        opened = requested and input_panel.show(source, forget, first.sample_id, first.span, lambda: read)
    if not opened:
        input_panel.show_findings([f for f in numbered if f.level == "warning"])
    errors = [finding for finding in numbered if finding.level == "error"]
    input_panel.show_findings(errors)
    if access.may("start"):
        _offer_start(plan, blocked=bool(errors))


def _title(plan: Plan) -> str:
    if len(plan.configs) > 1:
        return f"{len(plan.configs)} runs, one after another"
    preset = st.session_state[PRESET]
    return {RECOMMENDED: "Recommended run", OWN: "Custom run"}.get(preset, f"Preset {preset}")


def tiles_html(plan: Plan, weights: TokenWeights, cost: RunCost | None) -> str:
    """What will be forgotten and retained, and what that takes; names are untrusted, so escaped."""
    retained = sample_sets.set_name(plan.runs.retain)
    chosen = f"{weights.selected:,} of {weights.tokens:,} {_word('token')}s selected"
    if any(config.weights_move for config in plan.configs):
        chosen = f"{_word('weight')}s made in each step"
    objectives, regularizers, strengths, steps = (
        " or ".join(dict.fromkeys(f"{getattr(config, name):{kind}}" for config in plan.configs))
        for name, kind in (("objective", ""), ("regularizer", ""), ("lambda_", "g"), ("steps", ","))
    )
    held = f"by {_word('regularizer', regularizers)}, {_word('lambda', 'λ')} {strengths}"
    train = f"of training: {steps} {_word('steps')} of {_word('objective', objectives)}"
    measured = f"then evaluation: {EVALUATE[plan.evaluate]}" if plan.evaluate else "no evaluation"
    unknown = "not measured yet"
    tiles = (
        (
            "Forgets",
            counted(len(weights.weights), "answer"),
            f"{escape(sample_sets.set_name(plan.source.samples))}: {chosen}{_ends(plan)}",
        ),
        ("Retains", escape(retained) or "nothing", held if retained else ""),
        (
            "Takes",
            f"about {duration_text(cost.time(plan.configs))}" if cost else unknown,
            f"{train}; {measured}",
        ),
        (
            "Needs",
            size_text(cost.memory(plan.configs).total) if cost else unknown,
            f'of <span title="{escape(FORMULA)}">memory</span>',
        ),
    )
    body = "".join(
        f"<div><small>{name}</small><b>{value}</b><small>{more}</small></div>" for name, value, more in tiles
    )
    return f'{STYLE}<div class="rc">{body}</div>'


def _ends(plan: Plan) -> str:
    """How far the runs forget, where it is not the steps alone that decide: ", to the level of ..."."""
    ends = []
    for config in plan.configs:
        holdout = holdout_of(plan.source.samples) if config.holdout == "auto" else config.holdout
        if config.level is not None:
            ends.append(f"{config.level:g} {_word('nats')}")
        elif holdout not in ("", NONE):
            ends.append(f"the {_word('level')} of {escape(sample_sets.set_name(holdout))}")
    return f", to {' or '.join(dict.fromkeys(ends))}" if ends else ""


def _word(term: str, shown: str = "") -> str:
    """A word with its meaning on hover, and that of the method that it shows."""
    meanings = [GLOSSARY[term], GLOSSARY.get(shown, GLOSSARY.get(shown.upper(), ""))]
    return f'<span title="{escape(" ".join(meanings).strip())}">{escape(shown or term)}</span>'


def _offer_start(plan: Plan, *, blocked: bool) -> None:
    """Start; where the same run is there already, only after asking."""
    count, twins = len(plan.configs), plan.twins
    asked = [run.id for run in twins]
    pressed = st.button(
        "Start" if count == 1 else f"Start {count} runs",
        key="start",  # one button, whatever it says
        type="secondary" if twins else "primary",
        icon=":material/play_arrow:",
        disabled=blocked,
    )
    if pressed and not twins:
        _start(plan)
    if pressed:
        st.session_state[AGAIN] = asked
    if not twins or st.session_state.get(AGAIN) != asked:
        return
    status = services.run_state(twins[0]).status
    others = f" and {len(twins) - 1} more" if len(twins) > 1 else ""
    st.text(f"⚠ The same run already exists, {status}: {twins[0].label} ({twins[0].id}){others}.")
    with st.container(horizontal=True):
        if st.button("Start it again", icon=":material/replay:"):
            _start(plan)
        st.button("Do not start", on_click=st.session_state.pop, args=(AGAIN, None))


def _start(plan: Plan) -> None:
    """Make the runs, and say how many others they wait for."""
    with st.spinner("Creating runs"):
        before = plan.start()
    st.session_state.pop(AGAIN, None)
    count = len(plan.configs)
    subject = f"{count} runs are" if count > 1 else f"{plan.runs.labels[0] or 'The run'} is"
    if before:
        st.session_state["notice"] = f"{subject} queued behind {before} other run{'s' if before > 1 else ''}."
    st.rerun()
