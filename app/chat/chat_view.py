"""The chat as a page shows it: a question, the answers side by side as they are said, attacks to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

import streamlit as st

from app import background, model_work, run_reader, sample_sets, tasks
from app.chat import answer_view, streamed_answers
from app.compare.comparison import Contender
from app.errors import show_error
from app.markdown import plain
from app.run_reader import as_stored
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.attack_prompts import Prompt, attack_prompts
from tokenunlearn.evaluation.metrics.gold_span import gold_span_accuracy
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.worker import MODELS_HELD

ASKED, WANTED = "chat_asked", "chat_wanted"  # exchanges of this session, the newest first; one to start
EXCHANGES = 5
MODELS = MODELS_HELD
BEAT = 0.25  # seconds between two looks at what is being said


@dataclass(frozen=True)
class Exchange:
    """One prompt to all models.

    Attributes:
        question: What is asked plainly; attacks are made of it.
        prompt: What the models read.
        attack: What was done to the question, "" for nothing.
    """

    question: str
    prompt: Prompt
    attack: str = ""


def name_html(column: Contender, name: str) -> str:
    """A contender's mark in its color and what it is called, as safe HTML."""
    mark = f'<span aria-hidden="true" style="color: {column.color}">{column.mark}</span>'
    return f"<strong>{mark} {escape(name)}</strong>"


def known_samples(run: Run) -> dict[str, Sample]:
    """Question -> sample of what a run was to forget and to retain, as far as they can be loaded."""
    samples: dict[str, Sample] = {}
    for name in filter(None, (run.spec.retain, run.spec.samples)):
        try:
            samples |= {s.question: s for s in sample_sets.load_samples(name) if not s.document}
        except TokenUnlearnError:
            continue
    return samples


def suggested_questions(run: Run) -> list[str]:
    """Questions to begin with: two of the forget set, a retained one and an everyday fact, where stored."""
    stored = run_reader.run_generations(run)
    forget = [row["question"] for row in stored.get("forget", ())]
    others = [row["question"] for row in stored.get("retain", ())]
    report = run_reader.run_report(run)
    facts = [row["question"] for row in report["generations"].get("world_facts", ())] if report else []
    chosen = [*forget[:: max(len(forget) // 2, 1)][:2], *others[:1], *facts[:1]]
    return [question for question in dict.fromkeys(chosen) if question]


def show_runs(columns: Sequence[Contender]) -> None:
    """The chat of a comparison: attacks and questions to begin with come from its first run."""
    run = next(column.run for column in columns if column.run)
    show(columns, known_samples(run), suggested_questions(run))


def show(
    columns: Sequence[Contender],
    samples: Mapping[str, Sample],
    suggested: Sequence[str],
    *,
    exchanges: int = EXCHANGES,
) -> None:
    """The chat with two to four models.

    Args:
        columns: The models; those without weights say so.
        samples: Question -> sample, for attacks and for whether an answer states the fact.
        suggested: Questions to begin with.
        exchanges: How many questions stay on the page, the newest first.
    """
    columns = _chosen(columns)
    models = [column.source for column in columns if column.loadable]
    with st.form("chat", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Your question",
            key="ask",
            bind="query-params",
            max_chars=model_work.QUESTION_CHARS,
            placeholder="Ask all models the same question",
        )
        st.form_submit_button("Ask", type="primary", on_click=_take_typed, disabled=not models)
    wanted: Prompt | None = st.session_state.pop(WANTED, None)
    if wanted and not all(streamed_answers.is_answered(model, wanted) for model in models):
        try:
            streamed_answers.ask(models, wanted)
        except TokenUnlearnError as error:
            show_error(error)
    asked: list[Exchange] = st.session_state.get(ASKED, [])[:exchanges]
    if not models:
        return
    if not asked:
        _offer("Try one of these", {plain(q): Exchange(q, Prompt(q)) for q in suggested}, "suggested")
        return
    for number, exchange in enumerate(asked):
        _show_exchange(columns, exchange, samples)
        if number == 0:
            _offer_attacks(exchange, samples)
            st.html(answer_view.legend_html())


def _chosen(columns: Sequence[Contender]) -> list[Contender]:
    """At most four of the models."""
    if len(columns) <= MODELS:
        return list(columns)
    by_title = {column.title: column for column in columns}
    first = [*columns[: MODELS - 1], columns[-1]]
    titles = st.multiselect(
        "Models", list(by_title), [c.title for c in first], max_selections=MODELS, key="chat_models"
    )
    return [by_title[title] for title in titles]


def _want(exchange: Exchange) -> None:
    """Ask a prompt: a click or Enter, never a link."""
    asked = [other for other in st.session_state.get(ASKED, []) if other != exchange]
    st.session_state[ASKED] = [exchange, *asked[: EXCHANGES - 1]]
    st.session_state[WANTED] = exchange.prompt
    st.session_state["ask"] = exchange.question


def _take_typed() -> None:
    question = st.session_state["ask"].strip()[: model_work.QUESTION_CHARS]
    if question:
        _want(Exchange(question, Prompt(question)))


def _begin_again() -> None:
    st.session_state[ASKED], st.session_state["ask"] = [], ""


def _offer(caption: str, exchanges: Mapping[str, Exchange], key: str) -> None:
    """A button for each exchange, by its label in Markdown."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"chat-{key}"):
        st.caption(caption, width="content")
        for number, (label, exchange) in enumerate(exchanges.items()):
            st.button(label, key=f"{key}-{number}", on_click=_want, args=(exchange,))
        if key == "attacks":
            st.button("New question", icon=":material/refresh:", type="tertiary", on_click=_begin_again)


def _offer_attacks(exchange: Exchange, samples: Mapping[str, Sample]) -> None:
    prompts = attack_prompts(exchange.question, samples.get(exchange.question))
    attacks = {label: Exchange(exchange.question, prompt, label) for label, prompt in prompts.items()}
    if exchange.attack:
        attacks = {"Plainly": Exchange(exchange.question, Prompt(exchange.question)), **attacks}
        attacks.pop(exchange.attack, None)
    _offer("Now attack it", attacks, "attacks")


def _show_exchange(columns: Sequence[Contender], exchange: Exchange, samples: Mapping[str, Sample]) -> None:
    attack = f'<span style="opacity: .75">{escape(exchange.attack)}:</span> ' if exchange.attack else ""
    st.html(f'<div class="chat-question" dir="auto">{attack}<b>{escape(exchange.prompt.question)}</b></div>')
    sample = samples.get(exchange.question)
    key = streamed_answers.task_key([c.source for c in columns if c.loadable], exchange.prompt)
    background.wait_for(key, partial(_show_answers, columns, exchange.prompt, sample, key), BEAT)


def _show_answers(columns: Sequence[Contender], prompt: Prompt, sample: Sample | None, key: str) -> None:
    """What every model has said so far, side by side; the task of the key asks them."""
    task = tasks.known().get(key)
    running = task is not None and task.running
    for cell, column in zip(st.columns(len(columns), border=True), columns, strict=True):
        answer = streamed_answers.answers().get((as_stored(column.source), prompt))
        with cell:
            st.html(name_html(column, column.title))
            if answer:
                share = gold_span_accuracy(answer.text, sample.facts) if sample and answer.ended else None
                st.html(
                    answer_view.answer_html(
                        answer.pieces,
                        prefix=prompt.prefix,
                        verdict=answer_view.fact_words(share),
                        ended=answer.ended or not running,
                    )
                )
            elif column.loadable and running:
                st.html(answer_view.answer_html((), ended=False))
            elif column.loadable:
                st.caption("Not asked yet.")
            else:
                _show_stored(column, prompt)


def _show_stored(column: Contender, prompt: Prompt) -> None:
    """The stored answer of a run without weights, or that it cannot be asked."""
    key = as_stored(column.source), prompt.question
    stored = None if prompt.prefix else model_work.answers().get(key)
    if stored is not None:
        st.text(stored)
        st.caption("Stored answer. This run has no weights, so it cannot be asked.")
    else:
        st.caption("This run has no weights, so it cannot be asked. Start it again to get them.")
