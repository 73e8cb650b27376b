"""The pages as a visitor meets them, without a browser: what they show, start, refuse and keep."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import sample_sets, score_sets, services, tasks
from tests.app.app_pages import shown
from tests.waiting import wait_until
from tokenunlearn.attribution.score import score
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.datasets import load_samples
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec

PAGES = {"overview": "Forget the secret", "tokens": "Tokens", "unlearn": "Unlearn", "compare": "Compare"}
SCORES = ASSETS / "scores" / "demo-authors-forget10.parquet"


@pytest.fixture(scope="module")
def demo_scores() -> ScoreSet:
    return ScoreSet.load(SCORES)


@pytest.fixture
def scored(model, samples) -> dict[str, str]:
    """Address of the uploaded samples under a small model, scored."""
    score(load_model(model), load_samples(samples)).save(
        score_sets.score_path(ModelSource(model), samples, {})
    )
    rows = ({"question": f"What is {i}?", "answer": f"{i} is a number."} for i in range(3))
    sample_sets.keep_upload("\n".join(map(json.dumps, rows)).encode(), "rest.jsonl")
    return {"model": model, "samples": sample_sets.set_name(samples)}


@pytest.fixture
def unlearn_page(open_page, scored) -> AppTest:
    """The page Unlearn with those samples."""
    return open_page("unlearn", threshold="0.3", **scored)


def labelled(elements, label):
    """The only element of a label."""
    (found,) = [element for element in elements if element.label == label]
    return found


def warnings(at: AppTest) -> list[str]:
    return [element.value for element in at.text if element.value.startswith("⚠")]


def the_warning(at: AppTest) -> str:
    """The one sentence of the one error on the page."""
    (sentence,) = warnings(at)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def no_model_was_used() -> bool:
    return not tasks.worker()._models and not tasks.known()


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {"unlearn"}))
def test_every_page_opens_without_a_model(open_page, page):
    at = open_page(page)
    assert at.title[0].value.startswith(PAGES[page])
    assert no_model_was_used()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.slow
def test_every_page_opens_from_any_folder(open_page, tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    assert open_page(page).title[0].value.startswith(PAGES[page])


def test_overview_shows_where_to_start_and_three_scored_answers(open_page, demo_scores):
    everything = shown(open_page("overview"))
    questions = [sample.question for sample in demo_scores.samples if sample.question in everything]
    assert len(questions) == 3
    assert "Start here" in everything
    assert "Recent runs" not in everything
    assert "demo-retrained" not in everything  # no list of models


def test_overview_lists_recent_runs(open_page, samples):
    spec = RunSpec.new(
        label="my <b>run</b>",
        model="demo",
        samples=samples,
        retain="",
        rule={"selection": "uniform"},
        config={"objective": "npo"},
    )
    services.store().create(spec).set_state(status="failed", message="It had no luck.")
    everything = shown(open_page("overview"))
    assert "my <b>run</b>" in everything  # a cell of a table is never markup
    assert "It had no luck." in everything


def test_tokens_shows_the_answer_token_by_token_and_a_heatmap(open_page, demo_scores):
    sample = demo_scores.samples[7]
    at = open_page("tokens")
    at.selectbox(key="sample").set_value(sample.sample_id).run()
    assert not at.exception
    everything = shown(at)
    assert sample.question in everything
    assert at.get("plotly_chart")
    words = [text.strip() for text in sample.texts[:-1] if text.strip().isalpha()]
    assert len(words) > 3
    assert [word for word in words if word not in everything] == []
    assert demo_scores.hash[:12] in everything


@pytest.mark.slow
def test_the_examples_of_overview_open_on_tokens(open_page, demo_scores):
    links = [link.proto for link in open_page("overview").get("page_link")]
    addresses = [dict(parse_qsl(link.query_string)) for link in links if link.query_string]
    assert len(addresses) == 3
    questions = {sample.question for sample in demo_scores.samples}
    opened = set()
    for address in addresses:
        opened |= questions & {text.value for text in open_page("tokens", **address).text}
    assert len(opened) == 3


def test_tokens_of_an_unknown_sample_shows_another(open_page):
    at = open_page("tokens", sample="no-such-sample")
    assert at.get("plotly_chart")


def test_the_threshold_of_the_address_acts_without_a_model(open_page):
    low, high = (shown(open_page("tokens", threshold=value)) for value in ("0.2", "0.9"))
    assert low != high
    assert no_model_was_used()


@pytest.mark.slow
def test_unlearn_counts_the_tokens_that_the_threshold_selects(open_page, demo_scores):
    for threshold in (0.2, 0.9):
        weights = demo_scores.weights(HardSelection(threshold=threshold))
        counts = (
            rf">72 answers</b>.*{weights.selected:,} of {weights.tokens:,} <span[^>]*>token</span>s selected"
        )
        assert re.search(counts, shown(open_page("unlearn", threshold=str(threshold))))


def test_a_threshold_that_selects_nothing_is_said_and_nothing_is_lost(open_page):
    at = open_page("tokens", threshold="1")
    assert "No token is selected" in the_warning(at)
    assert at.get("plotly_chart")
    at = open_page("unlearn", threshold="1")
    assert "No token is selected" in the_warning(at)
    assert "Start" not in [button.label for button in at.button]


UPLOADS = {
    "empty": ("rows.jsonl", b"", "is empty"),
    "blank": ("rows.jsonl", b" \n \n", "is empty"),
    "not UTF-8": ("rows.jsonl", '{"question": "Où?", "answer": "Là."}'.encode("latin-1"), "is not UTF-8"),
    "not JSON": ("rows.jsonl", b"question: answer", "is not valid JSON"),
    "lacks answer": ("rows.jsonl", b'{"question": "Who?"}', "The columns of the file"),
    "empty answer": ("rows.csv", b"question,answer\nWho?,\n", 'has no "answer"'),
    "many rows": ("rows.jsonl", b'{"question": "Who?", "answer": "Me."}\n' * 10_000, "has 10,000 rows"),
    "other format": ("rows.pdf", b"%PDF", "is not .jsonl, .json, "),
}


@pytest.mark.parametrize("case", UPLOADS)
def test_a_bad_upload_is_one_sentence_and_nothing_is_lost(open_page, case):
    name, content, message = UPLOADS[case]
    at = open_page("tokens", threshold="0.35")
    before = sample_sets.uploads()
    at.file_uploader(key="upload").set_value((name, content, "text/plain")).run()
    assert not at.exception
    sentence = the_warning(at)
    assert message in sentence
    assert name in sentence
    assert sample_sets.uploads() == before
    assert at.selectbox(key="samples").value == "authors:forget10"
    assert at.get("plotly_chart")


def uploaded_and_asked_to_score(at: AppTest, content: str, name: str = "own.jsonl") -> str:
    """Upload samples, have them scored, and come back when that has ended; the key of the task."""
    at.file_uploader(key="upload").set_value((name, content.encode(), "text/plain")).run()
    assert not at.exception
    (uploaded,) = sample_sets.uploads()
    assert at.selectbox(key="samples").value == uploaded
    labelled(at.button, "Score samples").click().run()
    ((key, task),) = tasks.known().items()
    wait_until(lambda: not task.running)
    at.run()
    assert not at.exception
    return key


def test_a_file_that_is_uploaded_again_is_chosen_again(open_page):
    at = open_page("tokens")
    file = ("own.jsonl", json.dumps({"question": "Who?", "answer": "Ada."}).encode(), "text/plain")
    at.file_uploader(key="upload").set_value(file).run()
    (uploaded,) = sample_sets.uploads()
    assert at.selectbox(key="samples").value == uploaded
    at.selectbox(key="samples").set_value("authors:forget10").run()
    assert at.run().selectbox(key="samples").value == "authors:forget10"
    at.file_uploader(key="upload").set_value(None).run()
    at.file_uploader(key="upload").set_value(file).run()
    assert at.selectbox(key="samples").value == uploaded


HOSTILE = {
    "question": "Is <script>alert(1)</script> or $x$ or :red[y] meant?",
    "answer": "It is <script>alert(2)</script> and $x_2$ and :red[z] and <img src=x onerror=alert(3)>.",
}


def test_an_upload_is_scored_in_the_background_and_its_markup_is_text(open_page, model):
    at = open_page("tokens", model=model)
    uploaded_and_asked_to_score(at, json.dumps(HOSTILE))
    assert warnings(at) == []
    assert at.get("plotly_chart")
    assert HOSTILE["question"] in [element.value for element in at.text]
    for element in [*at.get("html"), *at.markdown, *at.caption]:
        text = element.value if hasattr(element, "value") else element.proto.body
        assert not re.search(r"<script|<img src=x", text, re.IGNORECASE)
    for element in [*at.markdown, *at.caption, *at.info]:
        assert "$x" not in element.value and ":red[" not in element.value
    for chart in at.get("plotly_chart"):
        figure = json.loads(chart.proto.spec)
        for axis in ("xaxis", "yaxis"):
            for text in figure["layout"][axis].get("ticktext", []):
                assert "<" not in text
                assert not re.search(r"\$[^\u200b]", text)


def test_a_sample_longer_than_the_context_is_named(open_page, model):
    at = open_page("tokens", model=model)
    row = {"id": "endless", "question": "Who?", "answer": "One of many. " * 200}
    uploaded_and_asked_to_score(at, json.dumps(row))
    assert "endless" in the_warning(at)
    assert "256" in the_warning(at)
    at.selectbox(key="model").set_value("demo")
    at.selectbox(key="samples").set_value("authors:forget10").run()
    assert at.get("plotly_chart")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody/no-such-model", "the Hub could not be reached"),
        ("./nowhere", "There is no model folder"),
        ("<b>$x$</b>", "There is no model"),
    ],
)
def test_an_unknown_model_is_one_sentence(open_page, name, message):
    at = open_page("tokens", model=name)
    assert at.selectbox(key="model").value == name
    labelled(at.button, "Score samples").click().run()
    (task,) = tasks.known().values()
    wait_until(lambda: not task.running)
    at.run()
    assert not at.exception
    assert message in the_warning(at)
    assert name in the_warning(at)
    at.selectbox(key="model").set_value("demo").run()
    assert at.get("plotly_chart")


def set_up(at: AppTest, **numbers: float) -> None:
    """A small run: few samples a step, no evaluation."""
    (rest,) = [name for name in sample_sets.uploads() if "rest" in name]
    settings = {"Steps": 2, "Forget batch size": 2, "Retain batch size": 2} | numbers
    for label, value in settings.items():
        labelled(at.text_input, label).set_value(str(value))
    at.selectbox(key="retain").set_value(rest)
    at.selectbox(key="evaluate").set_value(0)


def start(at: AppTest) -> Run:
    known = {run.id for run in services.store().runs()}
    labelled(at.button, "Start").click().run()
    assert not at.exception
    (run,) = [run for run in services.store().runs() if run.id not in known]
    return run


@pytest.mark.slow
def test_unlearn_starts_a_run_in_the_background_and_shows_its_end(open_page, unlearn_page, scored, samples):
    at = unlearn_page
    set_up(at)
    at.text_input(key="label").set_value("<b>first</b> $x$")
    run = start(at)
    wait_until(lambda: not run.state.active)
    assert (run.state.status, run.state.message) == ("completed", "")
    assert run.spec.rule == {"selection": "hard", "threshold": 0.3}
    assert run.spec.model == scored["model"]
    assert run.spec.score_hash == run.scores.hash
    at = open_page("unlearn", **scored)  # a visitor who comes back
    everything = shown(at)
    assert run.id in everything
    assert "completed" in everything
    assert any("<b>first</b> $x$" in element.value for element in at.text)
    assert not any("<b>first" in element.value for element in at.markdown)
    assert at.get("plotly_chart")


@pytest.mark.slow
def test_a_second_run_is_queued_and_starts_when_the_first_is_cancelled(open_page, unlearn_page, samples):
    at = unlearn_page
    set_up(at, Steps=10_000)
    first = start(at)
    wait_until(lambda: len(first.metrics) > 1)
    set_up(at)
    second = start(at)
    assert "is queued behind 1 other run." in shown(at)
    assert second.state.status == "queued"
    assert first.state.status == "running"
    at.button(key=f"cancel-{first.id}").click().run()
    wait_until(lambda: not first.state.active)
    assert first.state.status == "stopped"
    assert first.adapter is not None
    wait_until(lambda: not second.state.active)
    assert second.state.status == "completed"
    everything = shown(open_page("overview"))
    assert "stopped" in everything and "completed" in everything


@pytest.mark.slow
def test_a_loss_that_is_no_number_fails_the_run_and_good_weights_stay(
    open_page, unlearn_page, scored, samples
):
    at = unlearn_page
    set_up(at, Steps=30, **{"Learning rate": 1e20, "Warmup steps": 0})
    at.selectbox(key="train").set_value("full")
    run = start(at)
    wait_until(lambda: not run.state.active)
    assert run.state.status == "failed"
    everything = shown(open_page("unlearn", **scored))
    assert run.state.message in everything
    assert "NaN or infinite" in run.state.message
    kept = load_model(scored["model"], adapter=run.adapter)
    start_model = load_model(scored["model"])
    for mine, theirs in zip(kept.model.parameters(), start_model.model.parameters(), strict=True):
        assert np.array_equal(mine.detach(), theirs.detach())


def test_settings_that_cannot_run_are_one_sentence_without_start(unlearn_page):
    at = unlearn_page
    labelled(at.text_input, "Forget batch size").set_value("0").run()
    assert "batch_size is 0; it must be at least 1" in the_warning(at)
    assert "Start" not in [button.label for button in at.button]
    labelled(at.text_input, "Forget batch size").set_value("2").run()
    assert warnings(at) == []
    assert "Start" in [button.label for button in at.button]


@pytest.fixture
def ended_run(model, samples, tiny_lm) -> Run:
    """A run with answers and an evaluation of two rows a part."""
    config = {"objective": "npo", "steps": 2, "batch_size": 2, "retain_batch_size": 2}
    rest = {"question": "What is kept?", "answer": "The smith and his dog."}
    spec = RunSpec.new(
        label="a run to read",
        model=model,
        samples=samples,
        retain=sample_sets.keep_upload(json.dumps(rest).encode(), "rest.jsonl"),
        rule={"selection": "uniform"},
        config=config,
        evaluate=2,
    )
    run = services.store().create(spec)
    assert execute(run, lambda source: replace(tiny_lm, name=source.name)).status == "completed"
    generations = run.generations
    for rows in generations.values():
        for row in rows:
            row["before"], row["after"] = (
                "The <b>baker</b> does.",
                "Nobody <script>knows</script> $x$ any more.",
            )
    run.write("generations.json", generations)
    return run


def test_compare_shows_stored_answers_and_metrics_of_a_run(open_page, ended_run):
    at = open_page("compare", view="Answers")
    everything = shown(at)
    assert "a run to read" in everything
    assert "Who lives in house 0?" in everything
    for word in ("baker", "Nobody", "any"):
        assert word in everything
    for element in [*at.get("html"), *at.markdown]:
        text = element.value if hasattr(element, "value") else element.proto.body
        assert "<b>baker" not in text and "<script>knows" not in text
    everything += shown(open_page("compare", view="Outcome"))
    value = ended_run.report["metrics"]["forget/probability"]["value"]
    assert "forget/probability" in everything
    assert f"{value:.3g}" in everything or f"{value:.3f}" in everything


def test_compare_without_a_run_of_ones_own_shows_the_shipped_one(open_page):
    assert "None of your runs has finished yet" in shown(open_page("compare"))
