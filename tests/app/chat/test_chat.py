"""The chat: models answer in turn piece by piece; links start nothing; what is said stays text."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from app import model_work, sample_sets, services, tasks
from app.chat import answer_view, chat_view, streamed_answers
from app.chat.streamed_answers import StreamedAnswer
from app.compare import comparison, run_index
from app.markdown import plain
from app.run_reader import as_stored
from tests.app.app_pages import shown
from tests.stored_run import HOSTILE, write_run
from tokenunlearn.errors import Cancelled
from tokenunlearn.evaluation.attack_prompts import Prompt
from tokenunlearn.models.generation import MAX_NEW_TOKENS, generate
from tokenunlearn.models.generation_stream import StreamedText
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource

PROMPT = Prompt("Who lives in house 1?")
YES = StreamedAnswer([StreamedText("Yes.", 0.1)], ended=True)
RUN = "20260101-100000-npo-hard-0001"


@pytest.fixture(autouse=True)
def no_answers(home):
    streamed_answers.answers.clear()
    yield
    streamed_answers.answers.clear()


@pytest.fixture
def asked(monkeypatch):
    """What models are asked, in place of asking them."""
    calls = []
    monkeypatch.setattr(streamed_answers, "ask", lambda models, prompt: calls.append((models, prompt)))
    return calls


@pytest.mark.slow
def test_streamed_answers_are_the_greedy_ones(model):
    source = ModelSource(model)
    streamed_answers.ask([source], PROMPT).future.result(timeout=120)
    answer = streamed_answers.answers()[as_stored(source), PROMPT]
    assert answer.ended
    assert [answer.text] == generate(load_model(model), [PROMPT.question], max_new_tokens=MAX_NEW_TOKENS)


def test_models_speak_in_turn_and_a_cancelled_one_keeps_what_it_has_said(model, monkeypatch):
    sources = [ModelSource(model), ModelSource(model, template_kwargs={"date": "today"})]
    said = []

    def words(lm, question, prefix):
        for number in range(9):
            said.append(lm)
            yield StreamedText(f" {number}", 1.0)

    monkeypatch.setattr("tokenunlearn.models.generation_stream.stream", words)
    monkeypatch.setattr(tasks.worker(), "model", lambda source: "ab"[sources.index(source)])
    task = tasks.Task("", "")
    monkeypatch.setattr(tasks, "start", lambda key, label, work, action: work(task))
    progress = task.progress

    def cancel_later(done, total):
        task.cancelled = len(said) == 5
        progress(done, total)

    task.progress = cancel_later
    with pytest.raises(Cancelled):
        streamed_answers.ask(sources, PROMPT)
    assert said == ["a", "b", "a", "b", "a"]
    assert [streamed_answers.answers()[as_stored(s), PROMPT].text for s in sources] == ["0 1 2", "0 1"]
    assert not any(streamed_answers.is_answered(s, PROMPT) for s in sources)


def test_only_models_that_have_not_answered_are_loaded(monkeypatch):
    done, new = ModelSource("demo"), ModelSource("demo-retrained")
    streamed_answers.answers()[as_stored(done), PROMPT] = YES
    loaded = []
    monkeypatch.setattr(tasks.worker(), "model", loaded.append)
    monkeypatch.setattr("tokenunlearn.models.generation_stream.stream", lambda *_, **__: iter(()))
    streamed_answers.ask([done, new], PROMPT).future.result(timeout=60)
    assert loaded == [new]
    assert streamed_answers.is_answered(new, PROMPT)


def test_what_a_run_said_before_it_went_on_is_no_answer_of_its_new_weights(home):
    run = write_run(home, RUN, "run")
    (run.folder / "adapter").mkdir(exist_ok=True)
    streamed_answers.answers()[as_stored(run.result), PROMPT] = YES
    assert streamed_answers.is_answered(run.result, PROMPT)
    os.utime(run.folder / "adapter", (1, 1))
    assert not streamed_answers.is_answered(run.result, PROMPT)


def test_the_oldest_answers_are_dropped(monkeypatch):
    monkeypatch.setattr(streamed_answers, "ANSWERS_HELD", 2)
    monkeypatch.setattr(tasks.worker(), "model", lambda source: None)
    monkeypatch.setattr("tokenunlearn.models.generation_stream.stream", lambda *_, **__: iter(()))
    for number in range(4):
        streamed_answers.ask([ModelSource("demo")], Prompt(str(number))).future.result(timeout=60)
    assert [prompt.question for _, prompt in streamed_answers.answers()] == ["2", "3"]


@pytest.mark.slow
def test_a_link_fills_in_the_question_and_asks_nobody(home, open_page, asked):
    write_run(home, RUN, "run")
    at = open_page("compare", view="Ask", runs=[RUN], ask="Who are you?")
    assert at.text_input(key="ask").value == "Who are you?"
    assert asked == []
    at.button[[b.label for b in at.button].index("Ask")].click().run()
    ((models, prompt),) = asked
    assert prompt == Prompt("Who are you?")
    assert [m.name for m in models] == ["demo", "demo", "demo-retrained"]


def test_a_question_is_bounded(home, open_page, asked):
    write_run(home, RUN, "run")
    at = open_page("compare", view="Ask", runs=[RUN])
    at.text_input(key="ask").set_value("x" * 600)
    at.button[[b.label for b in at.button].index("Ask")].click().run()
    ((_, prompt),) = asked
    assert prompt.question == "x" * model_work.QUESTION_CHARS


def test_attacks_follow_the_first_question(home, open_page, asked):
    write_run(home, RUN, "run")
    at = open_page("compare", view="Ask", runs=[RUN])
    at.button(key="suggested-0").click().run()
    question = asked[-1][1].question
    labels = [b.label for b in at.button]
    assert {"In other words", "As a quiz question", "Begin like the answer"} <= {*labels}
    at.button[labels.index("In other words")].click().run()
    sample = next(s for s in sample_sets.load_samples("authors:forget10") if s.question == question)
    assert asked[-1][1] == Prompt(sample.paraphrased_question)
    assert "Plainly" in [b.label for b in at.button]
    assert at.text_input(key="ask").value == question


def test_answers_are_text_with_their_surprise(home, open_page, asked):
    run = write_run(home, RUN, "run")
    at = open_page("compare", view="Ask", runs=[RUN])
    at.button(key="suggested-0").click().run()
    prompt = asked[0][1]
    said = StreamedAnswer([StreamedText(HOSTILE, 2.0)], ended=True)
    streamed_answers.answers()[as_stored(run.result), prompt] = said
    at.run()
    html = shown(at)
    assert "&lt;script&gt;" in html and "<script>document" not in html
    assert "surprise 2.000 nats, probability 14 %" in html
    assert "does not state the fact" in html
    assert html.count("3 nats or more") == 1


def test_a_run_without_weights_says_so_and_shows_its_stored_answer(home, open_page, asked):
    run = write_run(home, RUN, "run")
    (run.folder / "adapter").rmdir()
    at = open_page("compare", view="Ask", runs=[RUN])
    at.button(key="suggested-0").click().run()
    assert len(asked[0][0]) == 2
    assert "Stored answer. This run has no weights" in shown(at)
    at.button[[b.label for b in at.button].index("As a quiz question")].click().run()
    assert "This run has no weights, so it cannot be asked." in shown(at)


@pytest.mark.slow
def test_of_many_models_four_are_asked(home, open_page, asked):
    ids = [f"2026010{i}-100000-npo-hard-000{i}" for i in range(1, 5)]
    for run_id in ids:
        write_run(home, run_id, run_id)
    at = open_page("compare", view="Ask", runs=ids)
    assert len(at.multiselect(key="chat_models").value) == chat_view.MODELS
    at.button(key="suggested-0").click().run()
    models = asked[0][0]
    assert len(models) == 4
    assert (models[0], models[-1].name) == (ModelSource("demo"), "demo-retrained")


def test_the_tint_grows_with_surprise_up_to_its_end():
    html = answer_view.answer_html([StreamedText("a", nats) for nats in (0.0, 1.5, 3.0, 9.0)])
    tints = [part.partition(")")[0] for part in html.split(f"rgba({answer_view.TINT}, ")[-4:]]
    assert tints == ["0.00", "0.30", "0.60", "0.60"]


def test_what_was_not_said_yet_is_not_called_empty():
    assert "(empty)" in answer_view.answer_html([])
    assert "(empty)" not in answer_view.answer_html([], ended=False)


def test_untrusted_labels_are_plain_in_markdown():
    assert plain(":red[x] $y$ <b> é") == r"\:red\[x\] \$y\$ \<b\> é"


def test_the_shipped_run_can_be_asked_as_it_is(home):
    (run,) = services.shipped_store().runs()
    columns = comparison.contenders(run_index.entries([run]))
    assert [replace(c, run=None).name for c in columns] == ["start", "A", "retrained"]
    assert chat_view.suggested_questions(run)
    assert len(chat_view.known_samples(run)) > 700
