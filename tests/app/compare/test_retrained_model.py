"""Own samples on the page Compare: what is offered, trained and shown where no retrained model is known."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import model_work, run_reader, sample_sets, services, tasks
from app.compare import comparison, export, retrained_model, run_index
from app.compare.evaluations import reports_of
from tests.stored_run import HOSTILE, report, write_run
from tests.waiting import wait_until
from tokenunlearn.errors import Cancelled
from tokenunlearn.models.recipe import Recipe
from tokenunlearn.runs.retraining import retrained_for, twin_folder
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.training.finetune_settings import RetrainSettings

RUN_ID = "20260101-100000-npo-hard-0001"
NOTE = "forget: the perturbed answers of 2 of 2 samples are an approximation."


def own_report(retrained: str = "") -> dict:
    values = report([0.0, 0.5], 0.5, "says")
    for result in values["metrics"].values():
        result["retrained"] = 0.125 if retrained else None
    settings = values["settings"] | {"forget": "file:mine.jsonl", "retrained": retrained}
    return values | {"suite": "own", "settings": settings, "notes": [NOTE, HOSTILE]}


@pytest.fixture
def own_run(home):
    """A run on own samples with a report of its own, without a retrained model."""
    run = write_run(home, RUN_ID, "mine", samples="file:mine.jsonl")
    run.write("report.json", own_report())
    return run


def columns_of(run):
    return comparison.contenders(run_index.entries([run]))


def twin_of(run) -> str:
    """The folder of its retrained model, as if it had been trained."""
    folder = twin_folder(run.folder.parent, "demo", "file:mine.jsonl", "authors:retain90")
    folder.mkdir(parents=True)
    Recipe({}, "base").save(folder)
    return str(folder)


def buttons(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


@pytest.mark.slow
def test_a_retrained_model_is_offered_for_own_samples_only(open_page, own_run, home):
    at = open_page("compare", view="Outcome", runs=RUN_ID)
    assert {
        "Train retrained model and evaluate A",
        "Evaluate the start model of A (2 samples per split)",
    } <= {*buttons(at)}
    assert at.text_input(key=f"base-{RUN_ID}").value == "demo-retrained"
    twin_of(own_run)
    at = open_page("compare", view="Outcome", runs=RUN_ID)
    assert "Train retrained model and evaluate A" not in buttons(at)
    assert "Evaluate A (2 samples per split)" in buttons(at)
    other = write_run(home, RUN_ID.replace("0001", "0002"), "embedded")
    at = open_page("compare", view="Outcome", runs=other.id)
    assert not [label for label in buttons(at) if label.startswith(("Train", "Evaluate A (", "Evaluate the"))]


def test_the_form_starts_the_training_with_what_was_entered(open_page, own_run, monkeypatch):
    asked = []
    monkeypatch.setattr(model_work, "train_retrained", lambda *words: asked.append(words))
    at = open_page("compare", view="Outcome", runs=RUN_ID)
    at.text_input(key=f"base-{RUN_ID}").set_value(" smollm2 ")
    at.number_input(key=f"epochs-{RUN_ID}").set_value(3)
    at.button(key=f"button-{model_work.twin_key(own_run)}").click().run()
    ((run, base, config, limit),) = asked
    assert (run.id, base, config, limit) == (RUN_ID, "smollm2", RetrainSettings(epochs=3), 2)


def test_a_bad_setting_is_one_sentence_and_starts_nothing(open_page, own_run, monkeypatch):
    monkeypatch.setattr(model_work, "train_retrained", lambda *_: pytest.fail("started"))
    at = open_page("compare", view="Outcome", runs=RUN_ID)
    at.number_input(key=f"epochs-{RUN_ID}").set_value(0)
    at.button(key=f"button-{model_work.twin_key(own_run)}").click().run()
    assert any("epochs is 0; it must be above 0" in text.value for text in at.text)


def test_the_recipe_of_the_start_model_is_taken_over(open_page, home, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(model_work, "train_retrained", lambda *words: asked.append(words))
    Recipe({"epochs": 7, "train": "lora"}, "smollm2").save(tmp_path)
    run = write_run(home, RUN_ID, "mine", samples="file:mine.jsonl")
    run.write("spec.json", run.spec.to_json() | {"model": str(tmp_path)})
    at = open_page("compare", view="Outcome", runs=RUN_ID)
    at.button(key=f"button-{model_work.twin_key(run)}").click().run()
    ((_, base, config, _),) = asked
    assert (base, config) == ("smollm2", RetrainSettings(epochs=7, train="lora"))


def test_figures_of_other_samples_are_not_shown_beside_own_ones(own_run):
    assert reports_of(columns_of(own_run)).keys() == {"A"}
    own_run.write("start_report.json", own_report() | {"model": "demo"})
    twin = twin_of(own_run)
    own_run.write("report.json", own_report(twin))
    st.cache_resource.clear()
    columns = columns_of(own_run)
    assert [(c.name, c.source.name) for c in columns] == [
        ("start", "demo"),
        ("A", "demo"),
        ("retrained", twin),
    ]
    reports = reports_of(columns)
    assert reports["start"]["suite"] == "own"
    (row,) = (
        r for r in comparison.metric_rows(reports) if r["model"] == "retrained" and "gold" in r["metric"]
    )
    assert (row["value"], row["low"], row["n"]) == (0.125, None, 2)


def test_figures_of_other_samples_are_not_shown_before_own_ones_are_evaluated(own_run, home):
    (own_run.folder / "report.json").unlink()
    assert reports_of(columns_of(own_run)) == {}
    embedded = write_run(home, RUN_ID.replace("0001", "0002"), "embedded")
    (embedded.folder / "report.json").unlink()
    assert reports_of(columns_of(embedded)).keys() == {"start", "retrained"}


def test_a_metric_without_a_retrained_value_is_not_invented():
    figures = retrained_model.retrained_figures(own_report())
    assert figures["metrics"] == {}


def test_runs_with_different_retrained_models_have_one_column_each(own_run, home):
    twin = twin_of(own_run)
    embedded = write_run(home, RUN_ID.replace("0001", "0002"), "embedded")
    columns = comparison.contenders(run_index.entries([embedded, own_run]))
    assert [(c.name, c.source.name) for c in columns[3:]] == [
        ("retrained 1", "demo-retrained"),
        ("retrained 2", twin),
    ]


def test_what_is_approximated_is_said_on_the_page_and_in_the_export(open_page, own_run):
    at = open_page("compare", view="Outcome", runs=RUN_ID)
    texts = [text.value for text in at.text]
    assert f"A: {NOTE}" in texts and f"A: {HOSTILE}" in texts
    columns = columns_of(own_run)
    reports = reports_of(columns)
    rows = comparison.metric_rows(reports)
    html = export.comparison_html(export.Comparison(columns, {"A": own_run.spec}, {}, rows, reports))
    assert f"<li>A: {NOTE}</li>" in html and "<script>document.title" not in html


@pytest.fixture
def trained_run(home, model, samples):
    """A run of a random model on own samples, carried out."""
    retain = sample_sets.keep_upload(
        b'{"question": "Who?", "answer": "Nobody lives there."}\n' * 1, "keep.jsonl"
    )
    config = {"objective": "npo", "steps": 1, "batch_size": 2, "retain_batch_size": 1}
    values = {"model": model, "samples": samples, "retain": retain, "rule": {"selection": "uniform"}}
    run = services.store().create(RunSpec.new(**values, config=config))
    assert execute(run).status == "completed"
    return run


@pytest.mark.slow
def test_the_retrained_model_is_trained_and_the_run_evaluated_beside_it(trained_run, model):
    config = RetrainSettings(steps=2, batch_size=1)
    task = model_work.train_retrained(trained_run, model, config, None)
    task.future.result(timeout=120)
    assert retrained_for(trained_run) == model_work.twin_key(trained_run)
    assert not model_work.lacks_retrained(trained_run)
    stored = run_reader.run_report(trained_run)
    assert stored["suite"] == "own" and stored["settings"]["retrained"] == model_work.twin_key(trained_run)
    assert stored["metrics"]["forget_quality"]["n"] == 4
    start = tasks.start("start", "Evaluating", model_work.evaluate_start(trained_run, 2))
    start.future.result(timeout=60)
    assert run_reader.start_report(trained_run)["metrics"]["forget/probability"]["n"] == 2


def test_a_cancelled_training_stores_nothing_and_serves_others_meanwhile(trained_run, model):
    config = RetrainSettings(steps=100_000, batch_size=1)
    task = model_work.train_retrained(trained_run, model, config, None)
    wait_until(lambda: task.done > 2)
    assert tasks.worker().ask(lambda: 7).result(timeout=30) == 7 and task.running
    task.cancel()
    with pytest.raises(Cancelled):
        task.future.result(timeout=60)
    assert retrained_for(trained_run) is None and model_work.lacks_retrained(trained_run)


@pytest.mark.parametrize(
    ("samples", "own"),
    [("file:my.jsonl", True), ("hf:a/b", True), ("authors:forget10", False), ("tofu:forget05", False)],
)
def test_which_samples_are_own(samples, own):
    assert sample_sets.is_own(samples) is own
