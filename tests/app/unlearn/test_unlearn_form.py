"""The page Unlearn: lists as grids, controls, presets, what a link brings back, the queue, the live card."""

from __future__ import annotations

import shlex
import shutil
from threading import Event

import pytest
import typer
from streamlit.testing.v1 import AppTest

from app import services, tasks
from app.controls import Source
from app.unlearn import run_view
from app.unlearn.run_card import RECOMMENDED
from app.unlearn.run_plan import Plan
from app.unlearn.run_view import weights_text
from app.unlearn.unlearn_form import OWN
from tests.app.app_pages import labeled_box, shown
from tests.app.unlearn.form import buttons, press, runs, wait_for_all, wait_for_checks
from tests.runs.new_runs import new_spec
from tests.stored_run import HOSTILE, write_run
from tests.waiting import wait_until
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.cli import app
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.devices import default_device
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.grid import make_grid, with_controls
from tokenunlearn.runs.launch import RunProcess
from tokenunlearn.runs.locks import acquire, device_lock, release
from tokenunlearn.runs.state import RunState
from tokenunlearn.training.presets import RUN_PRESETS
from tokenunlearn.training.settings import UnlearnSettings

DEMO = Source(ModelSource("demo"), "authors:forget10", {})


@pytest.fixture(scope="module")
def demo_scores() -> ScoreSet:
    return ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet")


@pytest.mark.slow
def test_lists_of_values_are_a_grid_that_is_counted_queued_and_carried_out(open_page, scored):
    at = open_page("unlearn", seed="0, 1", watch_every="1", label="pair", **scored)
    assert "The grid has 2 runs" in shown(at)
    press(at, "Start 2 runs")
    wait_for_all()
    assert [run.state.status for run in runs()] == ["completed"] * 2
    assert {run.spec.label: run.spec.config["seed"] for run in runs()} == {
        "pair: seed 0": 0,
        "pair: seed 1": 1,
    }
    ends = sorted((run.state.started, run.state.ended) for run in runs())
    assert ends[0][1] <= ends[1][0]  # one after another
    assert all([r["step"] for r in run.watched] == [0, 1, 2] for run in runs())


def test_a_forget_set_brings_the_retained_set_that_goes_with_it_until_another_is_chosen(open_page):
    at = open_page("unlearn", model="demo", samples="authors:forget10")
    assert at.selectbox(key="retain").value == "authors:retain90"
    at.selectbox(key="samples").set_value("authors:forget05").run()
    assert at.session_state["retain"] == "authors:retain95"
    at.selectbox(key="samples").set_value("authors:forget10").run()
    assert at.selectbox(key="retain").value == "authors:retain90"
    at.selectbox(key="retain").set_value("authors:retain95").run()
    at.number_input(key="watch_every").set_value(5).run()
    assert at.selectbox(key="retain").value == "authors:retain95"


@pytest.mark.slow
def test_another_model_brings_its_own_sets(open_page):
    at = open_page("unlearn", model="demo", samples="authors:forget05", retain="authors:retain90")
    at.selectbox(key="model").set_value("demo-alchemy").run()
    assert at.selectbox(key="samples").value == "alchemy:forget"
    assert at.selectbox(key="retain").value == "alchemy:retain"
    at.selectbox(key="model").set_value("demo-qwen3").run()
    assert at.session_state["samples"] == "authors:forget10"
    assert at.session_state["retain"] == "authors:retain90"


def test_the_holdout_is_the_benchmarks_unless_another_or_none_is_chosen(open_page):
    at = open_page("unlearn", model="demo", samples="authors:forget10")
    box = at.selectbox(key="holdout")
    assert box.value is None and box.placeholder == "auto"
    assert box.options == ["auto", "none", "authors:holdout"]
    assert "--holdout" not in at.code[-1].value
    box.set_value("none").run()
    assert "--holdout none" in at.code[-1].value
    at.multiselect(key="objective").set_value(["npo"]).run()
    assert at.selectbox(key="holdout").placeholder == "none"


def test_rescoring_and_the_first_trained_layer_reach_the_run(open_page):
    at = open_page("unlearn", model="demo", samples="authors:forget10")
    at.text_input(key="rescore").set_value("10").run()
    at.text_input(key="first_layer").set_value("2").run()
    assert "--rescore 10" in at.code[-1].value and "--first-layer 2" in at.code[-1].value


def test_a_whole_number_of_a_weighting_reaches_the_run(open_page):
    at = open_page("unlearn", weighting="su", **{"weighting_su.context": "1", "weighting_su.k": "1"})
    assert "weighting_context=1 " in at.code[-1].value


def test_another_model_keeps_sets_that_it_knows_too(open_page):
    at = open_page("unlearn", model="demo", samples="authors:forget10", retain="authors:retain95")
    at.selectbox(key="model").set_value("demo-qwen3").run()
    assert at.session_state["samples"] == "authors:forget10"
    assert at.session_state["retain"] == "authors:retain95"


def test_the_retained_set_of_an_address_stays(open_page):
    at = open_page("unlearn", model="demo", samples="authors:forget10", retain="authors:retain95")
    assert at.selectbox(key="retain").value == "authors:retain95"


def start(at: AppTest):
    return next(button for button in at.button if button.label == "Start")


@pytest.mark.slow
def test_an_error_disables_start_with_its_sentence_beside_it(open_page, scored):
    at = open_page("unlearn", **scored | {"retain": scored["samples"]})
    wait_for_checks(at)
    assert "✖ Error:</b> Every sample of the forget set is in the retained samples too" in shown(at)
    assert start(at).disabled
    at.text_input(key="lambda_").set_value("0").run()  # nothing is retained, so nothing is in the way
    wait_for_checks(at)
    assert "✖ Error" not in shown(at)
    assert not start(at).disabled


def test_warnings_are_shown_above_start_while_the_panel_is_folded(open_page, scored):
    at = open_page("unlearn", **scored)
    wait_for_checks(at)
    assert "⚠ Warning:</b> The model does not know 4 of 4 measured answers" in shown(at)
    assert "chat template" not in shown(at)
    assert not start(at).disabled


def test_what_the_model_reads_is_shown_with_its_findings_once_opened(open_page, scored):
    at = open_page("unlearn", model_input="true", **scored)
    wait_for_checks(at)
    everything = shown(at)
    assert '<span class="question" title="question">W' in everything
    assert "tokens equal those of the chat template" in everything
    assert everything.count("The model does not know 4 of 4") == 1


def test_models_and_samples_are_looked_at_once(open_page, scored):
    at = open_page("unlearn", **scored)
    wait_for_checks(at)
    (key,) = tasks.known()
    at.text_input(key="steps").set_value("3").run()
    at.toggle(key="controls").set_value(True).run()
    assert [*tasks.known()] == [key]


@pytest.mark.slow
def test_one_click_adds_the_controls(open_page, scored):
    at = open_page("unlearn", **scored)
    assert "Start" in buttons(at)
    at.toggle(key="controls").set_value(True).run()
    press(at, "Start 4 runs")
    wait_for_all()
    found = {run.spec.config["control"]: run for run in runs()}
    assert set(found) == {"none", "uniform", "random", "inverted"}
    assert {run.state.status for run in runs()} == {"completed"}
    plain = [{**run.spec.config, "control": ""} for run in runs()]
    assert all(config == plain[0] for config in plain)
    assert len({run.spec.score_hash for run in runs()}) == 1
    texts = {name: weights_text(run.spec) for name, run in found.items()}
    assert texts["none"] == "hard, 0.3"
    assert texts["uniform"] == "uniform"
    assert texts["random"] == "random of hard, 0.3"


@pytest.mark.slow
def test_a_run_in_a_process_of_its_own_is_shown_and_cancelled_as_any_other(open_page, scored):
    at = open_page("unlearn", **scored | {"steps": "90000"})
    at.toggle(key="detached").set_value(True).run()
    assert any(line.endswith(" --detach") for line in at.code[-1].value.splitlines())
    press(at, "Start")
    wait_until(lambda: any(run.metrics for run in runs()))
    (run,) = runs()
    assert RunProcess.of(run).alive() and not run.own
    at.run()
    press(at, "Stop")
    wait_until(lambda: run.state.status == "stopped")
    assert run.adapter


def test_a_run_that_ends_while_the_page_is_drawn_is_shown_once(open_page, scored, monkeypatch):
    run = services.store().create(new_spec(scored["samples"], model=scored["model"]))
    run.set_state(status="running", phase="training", done=1, total=3)
    show_active = run_view.show_active

    def end_after(active):
        show_active(active)
        run.set_state(status="completed")

    monkeypatch.setattr(run_view, "show_active", end_after)
    at = open_page("unlearn", **scored)
    assert not at.exception
    assert sum(run.id in text.value for text in at.text) == 1


@pytest.mark.parametrize(("fading", "said"), [(0.5, True), (1.0, False)])
def test_a_run_that_was_behind_its_level_says_what_that_changed(open_page, scored, fading, said):
    run = services.store().create(new_spec(scored["samples"], model=scored["model"]))
    run.append_metrics({"step": 1.0, "forget_nll": 0.5, "level": 4.0, "fading": fading})
    run.set_state(status="completed", done=1, total=1)
    assert ("β went down to 50 % of it" in shown(open_page("unlearn", **scored))) is said


@pytest.mark.slow
def test_one_waiting_run_or_all_can_be_cancelled(open_page, scored):
    at = open_page("unlearn", **scored | {"steps": "9000", "seed": "0, 1, 2"})
    press(at, "Start 3 runs")
    wait_until(lambda: any(run.metrics for run in runs()))
    at.run()
    assert "2 runs queued" in shown(at)
    first, second = tasks.worker().waiting()
    at.button(key=f"cancel-{first.id}").click().run()
    assert first.state.status == "cancelled"
    assert second.state.status == "queued"
    at.button(key="cancel-all").click().run()
    wait_for_all()
    assert sorted(run.state.status for run in runs()) == ["cancelled", "cancelled", "stopped"]
    assert first.metrics == second.metrics == []


@pytest.mark.slow
def test_a_discarded_run_is_gone(open_page, scored):
    at = open_page("unlearn", **scored | {"steps": "9000"})
    press(at, "Start")
    (run,) = runs()
    wait_until(lambda: run.metrics)
    at.run()
    at.button(key=f"discard-{run.id}").click().run()
    assert run.state.active and not run.cancel_requested
    press(at, "Delete run")
    wait_until(lambda: not runs())


@pytest.mark.slow
def test_a_run_that_waits_for_the_device_says_for_whom_and_can_be_cancelled(open_page, scored, home):
    home.mkdir(exist_ok=True)
    lock = device_lock(home, default_device())
    assert acquire(lock, note="20260101-100000-npo-hard-0001")
    try:
        at = open_page("unlearn", **scored)
        press(at, "Start")
        (run,) = runs()
        wait_until(lambda: run.state.phase == "waiting")
        at.run()
        assert "Waiting for the run 20260101-100000-npo-hard-0001, which uses" in shown(at)
        at.button(key=f"cancel-{run.id}").click().run()
        wait_until(lambda: not run.state.active)
        assert run.state.status == "cancelled"
    finally:
        release(lock)


@pytest.mark.slow
def test_an_end_that_no_disk_took_is_shown_until_it_is_dismissed(open_page, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "gone")
    shutil.rmtree(run.folder)
    tasks.worker()._note(run, RunState("failed", message="The folder is gone."))
    at = open_page("unlearn")
    assert f"{run.id}: The folder is gone." in shown(at)
    at.button(key=f"dismiss-{run.id}").click().run()
    assert run.id not in shown(at)


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted"])
@pytest.mark.slow
def test_an_ended_run_is_discarded_after_asking_once_more(open_page, home, status):
    older = write_run(home, "20260101-100000-npo-hard-0001", "older")
    run = write_run(home, "20260102-100000-npo-hard-0002", "newer")
    run.set_state(status=status)
    at = open_page("unlearn")
    at.button(key=f"discard-{run.id}").click().run()
    assert "This cannot be undone" in shown(at)
    press(at, "Keep run")
    assert "This cannot be undone" not in shown(at)
    at.button(key=f"discard-{run.id}").click().run()
    assert run.adapter
    press(at, "Delete run")
    assert [kept.id for kept in runs()] == [older.id]
    assert "older" in shown(at) and "newer" not in shown(at)
    assert "This cannot be undone" not in shown(at)


@pytest.mark.slow
def test_removing_a_run_that_is_gone_already_is_no_fault(open_page, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    at = open_page("unlearn")
    at.button(key=f"discard-{run.id}").click().run()
    services.store().delete(run.id)
    at.button(key=f"remove-{run.id}").click().run()
    assert not at.exception
    assert runs() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"steps": "10, ten"}, 'Steps has "ten"; use whole numbers separated by commas'),
        ({"learning_rate": "1e-3; 2"}, 'Learning rate has "1e-3; 2"; use numbers'),
        ({"seed": "0,1,2,3,4,5,6,7,8,9,10", "steps": "1,2,3,4,5,6,7,8,9,10"}, "The grid has 110 runs"),
        ({"altnpo.beta": "-1"}, "beta is -1.0; it must be above 0"),
        ({"weighting": "su", "weighting_su.context": "1.5"}, 'context has "1.5"; use whole numbers'),
    ],
)
def test_what_cannot_be_a_grid_is_one_sentence_without_start(open_page, fields, sentence):
    at = open_page("unlearn", **fields)
    (warning,) = [text.value for text in at.text if text.value.startswith("⚠")]
    assert sentence in warning
    assert not any(label.startswith("Start") for label in buttons(at))


@pytest.mark.slow
def test_a_link_brings_the_form_back(open_page):
    at = open_page("unlearn", objective="simnpo", steps="5,6", controls="true", weighting="wga", lambda_="3")
    assert at.multiselect(key="objective").value == ["simnpo"]
    assert at.text_input(key="lambda_").value == "3"
    assert "The grid has 2 runs" in shown(at)  # the rival's weighting has no controls
    assert at.toggle(key="controls").disabled


@pytest.mark.slow
def test_a_preset_fills_the_form_and_a_change_makes_it_ones_own(open_page):
    at = open_page("unlearn", steps="7")
    assert labeled_box(at, "Preset").value == OWN
    labeled_box(at, "Preset").set_value(RECOMMENDED).run()
    assert at.text_input(key="steps").value == ""
    for name, preset in RUN_PRESETS.items():
        labeled_box(at, "Preset").set_value(name).run()
        assert not at.exception
        assert labeled_box(at, "Preset").value == name
        assert at.multiselect(key="objective").value in ([preset.settings["objective"]], [])
        assert "Start" in buttons(at)
    at.text_input(key="steps").set_value("3").run()
    assert labeled_box(at, "Preset").value == OWN


def test_a_preset_can_be_chosen_while_a_file_is_being_checked(open_page, scored):
    checked = Event()
    tasks.worker().ask(lambda: checked.wait(30))  # so that the check waits, with a button to cancel it
    at = open_page("unlearn", **scored)
    press(at, "Load model")
    assert "Cancel" in buttons(at)
    labeled_box(at, "Preset").set_value(RECOMMENDED).run()
    checked.set()
    assert not at.exception and labeled_box(at, "Preset").value == RECOMMENDED


@pytest.mark.slow
def test_a_browser_that_still_shows_the_last_preset_has_chosen_none(open_page):
    at = open_page("unlearn", objective="npo")
    last = labeled_box(at, "Preset").id
    at.text_input(key="steps").set_value("3").run()
    assert labeled_box(at, "Preset").id != last
    labeled_box(at, "Preset").set_value(RECOMMENDED).run()
    labeled_box(at, "Preset").set_value(OWN).run()
    assert labeled_box(at, "Preset").value == RECOMMENDED  # choosing it changes nothing


def test_what_is_typed_outlasts_a_box_of_presets_that_the_browser_still_has(open_page):
    at = open_page("unlearn")
    last = labeled_box(at, "Preset")._widget_state
    at.text_input(key="steps").set_value("3").run()
    states = at._tree.get_widget_states()
    states.widgets.append(last)  # the browser sent the next change before the box had gone from its page
    at._run(states)
    assert at.text_input(key="steps").value == "3"


def test_the_command_lines_say_exactly_what_is_started(home, demo_scores, tmp_path):
    values = {"objective": ["npo", "rmu"], "seed": [0, 1], "npo.beta": [0.3], "layer": [1], "lambda_": [2.5]}
    watch = WatchSettings(5, questions=("Who 'is' $HOME?", "Where?"))
    plan = Plan(
        *(DEMO, demo_scores, HardSelection(0.8), with_controls(make_grid(values)), "authors:retain90"),
        *("a; b", 24, watch),
    )
    first, *lines = plan.commands(tmp_path).split("\n")
    specs = plan.runs.specs()
    assert " score " in first
    assert len(lines) == len(specs) == len(plan.runs.rows()) == 16
    assert len({spec.id for spec in specs}) == 16
    command = typer.main.get_command(app).commands["unlearn"]
    for line, spec in zip(lines, specs, strict=True):
        found = command.make_context("unlearn", shlex.split(line)[4:]).params
        names = ("objective", "regularizer", "weighting", "control", "lambda_", "layer", "seed", "beta")
        assert make_grid({name: found[name] or [] for name in names}) == [UnlearnSettings(**spec.config)]
        assert not found["assignments"]
        assert (found["label"], found["evaluate_samples"]) == (spec.label, 24)
        assert found["threshold"] == spec.rule["threshold"]
        assert (found["watch_every"], tuple(found["watch_question"])) == (5, watch.questions)
        assert spec.watch == watch.described()


@pytest.mark.slow
def test_the_card_shows_what_was_watched_and_its_markup_is_text(open_page, home):
    run = write_run(home, "20260101-100000-npo-hard-0001", "a run")
    for step, answer in ((0, "In Calverra."), (10, "In Calverra."), (20, HOSTILE)):
        run.append_watched(
            {
                "step": step,
                "gold_span": {"forget": {"value": 1 - step / 20, "n": 8}},
                "answers": [{"question": f"Where? {HOSTILE}", "answer": answer}],
                "memory": {"where": "process", "bytes": 1_500_000_000},
                "seconds": 0.1,
            }
        )
    at = open_page("unlearn")
    (html,) = [e.proto.body for e in at.get("html") if 'class="wa"' in e.proto.body]
    assert "0–10" in html and "In Calverra." in html
    assert "<script" not in html and "&lt;script" in html
    everything = shown(at)
    assert "Process memory: 1.5 GB after step 20" in everything
    charts = [chart.proto.spec for chart in at.get("plotly_chart")]
    assert any("share of facts still recalled" in spec for spec in charts)
