"""Stored answers of every contender to the same questions; one's own are asked in the chat."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app import background, model_work, run_reader, sample_sets, tasks
from app.chat.chat_view import name_html
from app.compare import answer_diff
from app.compare.comparison import Contender
from app.errors import show_error
from app.run_reader import as_stored
from tokenunlearn.errors import AccessError, TokenUnlearnError
from tokenunlearn.evaluation.report import ReportValues

QUESTIONS_SHOWN = 8


def keep_stored(columns: Sequence[Contender], reports: Mapping[str, ReportValues]) -> None:
    """Take over the answers that runs and reports have kept, so that no model need be loaded for them."""
    answers = model_work.answers()
    for column in columns:
        start = as_stored(replace(column.source, adapters=column.source.adapters[:-1]))
        result = as_stored(column.source)
        for rows in run_reader.run_generations(column.run).values() if column.run else ():
            for row in rows:
                answers.setdefault((start, row["question"]), row["before"])
                answers.setdefault((result, row["question"]), row["after"])
        generations = reports[column.name].get("generations", {}) if column.name in reports else {}
        for generation in itertools.chain(*generations.values()):
            answers.setdefault((result, generation["question"]), generation["generation"])


def stored_rows(columns: Sequence[Contender]) -> dict[str, list[dict[str, Any]]]:
    """Split -> question, ground-truth answer and replies by contender, of what the runs have stored."""
    answers, weights = model_work.answers(), {c.name: as_stored(c.source) for c in columns}
    splits: dict[str, dict[str, dict[str, Any]]] = {}
    for column in columns:
        for split, rows in run_reader.run_generations(column.run).items() if column.run else ():
            for row in rows:
                replies = {
                    name: answers[key]
                    for name, w in weights.items()
                    if (key := (w, row["question"])) in answers
                }
                splits.setdefault(split, {})[row["question"]] = {
                    "question": row["question"],
                    "answer": row["answer"],
                    "replies": replies,
                }
    return {split: list(rows.values()) for split, rows in splits.items()}


def _wants_answers(missing: Sequence[Contender]) -> bool:
    """A button for answers that are not stored, which models have to be loaded for."""
    count = len(missing)
    return st.button(
        "Generate answers",
        icon=":material/play_arrow:",
        help=f"Loads {count} model{'s' if count > 1 else ''} for the answers that are not stored.",
    )


def show_answers(columns: Sequence[Contender]) -> None:
    """Greedy answers of every contender to the same questions, differences to the start model marked."""
    spec = next(column.run.spec for column in columns if column.run)
    splits = {"forget": spec.samples, **({"retain": spec.retain} if spec.retain else {})}
    split = st.radio("Questions from", list(splits), horizontal=True, key="part", bind="query-params")
    try:
        shown = sample_sets.load_samples(splits[split or "forget"]).spread(QUESTIONS_SHOWN)
    except TokenUnlearnError as error:
        show_error(error)
        return
    expected = {s.question: s for s in shown if not s.document}
    if not expected:
        st.caption("Documents have no questions. Ask your own in the view Ask.")
        return
    answers, weights = model_work.answers(), {c.name: as_stored(c.source) for c in columns}
    missing = [
        c for c in columns if c.loadable and any((weights[c.name], q) not in answers for q in expected)
    ]
    if missing:
        key = f"answers-{hash((*(weights[c.name] for c in missing), *expected))}"
        if key not in tasks.known() and _wants_answers(missing):
            try:
                model_work.ask_models(key, [c.source for c in missing], list(expected))
            except AccessError as error:
                show_error(error)
        if key in tasks.known():
            background.result(tasks.known()[key])
    for question, sample in expected.items():
        with st.container(border=True):
            st.text(question)
            st.caption("Ground-truth answer" + ", its facts marked" * bool(sample.span))
            st.html(answer_diff.leak_html(sample.answer, [sample.answer[a:b] for a, b in sample.span]))
            start = answers.get((weights[columns[0].name], question))
            for cell, column in zip(st.columns(len(columns)), columns, strict=True):
                answer = answers.get((weights[column.name], question))
                with cell:
                    st.html(name_html(column, column.name))
                    if answer is None:
                        st.caption("…" if column.loadable else "Not stored, and the run has no weights")
                    else:
                        st.html(answer_diff.diff_html(answer if start is None else start, answer))
    st.caption(
        "Greedy decoding. Compared with the start model, new words are highlighted and removed words are "
        "struck through; an answer with little in common is highlighted as a whole."
    )
