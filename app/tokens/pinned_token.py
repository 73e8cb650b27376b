"""The life of one token: what up to two models predict in its place before, during and after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import streamlit as st

from app import background, controls, links, run_reader, sample_sets, services, tasks
from app.controls import Source
from app.errors import show_error
from app.markdown import plain
from app.token_view import visible
from app.tokens.prediction_view import Moment, moments_html
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.datasets.samples import Span, overlaps
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.evaluation.token_life import Prediction
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run import Run

TAB = "Pinned token"
FIELDS = {"Run or model": "Run or model", "Beside it": "Compare with"}  # in the address -> on the page
MOMENTS = 6  # cards of one run at most


class Answer(NamedTuple):
    """A model's predictions for one answer, and the character range of each token."""

    offsets: tuple[Span, ...]
    predictions: list[Prediction]


def pin(sample: SampleScores, position: int) -> None:
    """Pin a response token and open its tab, from a callback."""
    st.session_state[_key(sample)] = position
    st.session_state["charts"] = TAB


def pinned(sample: SampleScores) -> int | None:
    """Position of the pinned token of a sample, if one is pinned."""
    return st.session_state.get(_key(sample))


def _key(sample: SampleScores) -> str:
    return f"pinned-{sample.sample_id}"


def show(source: Source, scores: ScoreSet, index: int) -> None:
    """The choice of token and models, and what each of them predicts.

    Args:
        source: Model and forget set.
        scores: The score set with its settings.
        index: Number of the sample in view.
    """
    sample, key = scores.samples[index], _key(scores.samples[index])
    if pinned(sample) is None:
        st.session_state[key] = int(np.nan_to_num(scores.importance[index]).argmax())
    runs = runs_of(source)
    options = ["", *runs, *services.model_names()]
    preset = PRESETS.get(source.model.name)
    defaults = next(iter(runs), source.model.name), (preset and preset.retrained) or ""
    token, *boxes = st.columns(3)
    position = token.selectbox(
        "Token",
        range(len(sample.texts)),
        key=key,
        format_func=lambda t: f"{t + 1}: {visible(sample.labels[t])}",
        help="P on a token of the text, or Alt and a click, pins it.",
    )

    def shown(name: str) -> str:
        return runs[name].label if name in runs else name or "none"

    for field in FIELDS:
        links.check(f"life-{field}", options, shown)
    chosen = [
        box.selectbox(
            label,
            options,
            index=options.index(default) if default in options else 0,
            key=f"life-{field}",
            bind="query-params",
            persist_state="session",
            format_func=shown,
        )
        for box, (field, label), default in zip(boxes, FIELDS.items(), defaults, strict=True)
    ]
    st.caption(
        f'The most probable tokens in place of "{plain(visible(sample.labels[position]))}", given the '
        "question and the answer up to there. Amber: the true token."
    )
    names = list(dict.fromkeys(filter(None, chosen)))
    if not names or not controls.is_requested(source):
        return
    for column, name in zip(st.columns(len(names)), names, strict=True):
        with column:
            st.subheader(plain(runs[name].label if name in runs else name))
            try:
                moments = _life(source, sample, position, name, runs.get(name))
            except TokenUnlearnError as error:
                show_error(error)
                continue
            st.html(moments_html(sample.labels[position], moments))


def runs_of(source: Source) -> Mapping[str, Run]:
    """The runs that unlearned this forget set from this model, the newest first, by id."""
    runs = {}
    for run in (*services.store().runs()[: services.RECENT], *services.shipped_store().runs()):
        with suppress(RunError):
            spec = run_reader.run_spec(run)
            if (spec.model, spec.samples) == (source.model.name, source.samples):
                runs[run.id] = run
    return runs


def _life(source: Source, sample: SampleScores, position: int, name: str, run: Run | None) -> list[Moment]:
    """What a run's models or one model predicts; the page shows how far a model is that is being asked."""
    if run is None:
        return _asked({name: ModelSource(name)}, source, sample, position)
    moments = recorded(run, sample.sample_id, position)
    if moments:
        return moments
    st.caption(
        "This run stores predictions between its steps only for the forget samples that it watches; before "
        "and after are computed now."
    )
    ends = {"before": run.start} | ({"after": run.result} if run.adapter else {})
    return _asked(ends, source, sample, position)


def recorded(run: Run, sample_id: str, position: int) -> list[Moment]:
    """What a run predicted before, between and after its steps, as far as it has come; evenly spread."""
    records = [
        Moment(
            f"step {record['step']}" if record["step"] else "before", record["samples"][sample_id][position]
        )
        for record in run.predictions
        if position < len(record["samples"].get(sample_id, ()))
    ]
    spread = np.unique(np.linspace(0, max(0, len(records) - 1), MOMENTS).round().astype(int))
    moments = [records[i] for i in spread if records]
    if moments and run.adapter:
        moments[-1] = moments[-1]._replace(title=f"after ({moments[-1].title})")
    return moments


def place_of(offsets: Sequence[Span], token: Span) -> int | None:
    """Where a tokenizer has the token of a character range: the same range, else the first that overlaps."""
    same = [i for i, offset in enumerate(offsets) if offset == token]
    return next(iter(same or [i for i, offset in enumerate(offsets) if overlaps(offset, [token])]), None)


def _asked(
    models: Mapping[str, ModelSource], source: Source, sample: SampleScores, position: int
) -> list[Moment]:
    """What models predict now, by title; those are left out that the worker has not come to."""
    moments = []
    for title, model in models.items():
        sample_sets.check_offered(model)
        key = f"predictions {model} {source.samples} {sample.sample_id}"
        label = f"Reading with {model.name}"
        work = _reading(model, source.samples, sample.sample_id)
        answer: Answer | None = background.result(tasks.started(key, label, work, "ask"))
        place = answer and place_of(answer.offsets, sample.offsets[position])
        if answer and place is not None:
            moments.append(Moment(title, answer.predictions[place]))
    return moments


def _reading(model: ModelSource, samples: str, sample_id: str):
    """Work that makes a model's predictions for an answer."""

    def work(task: tasks.Task) -> Answer:
        from tokenunlearn.evaluation.token_life import predictions

        lm = tasks.worker().model(model)
        chunks = lm.chunk(sample_sets.load_samples(samples))
        encoding = lm.encode(next(sample for sample in chunks if sample.id == sample_id))
        return Answer(encoding.answer_offsets, predictions(lm, [encoding])[0])

    return work
