"""The page Compare as a whole, without a browser: what it shows for which address."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from html import escape

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from app import model_work, run_reader, services, tasks
from app.compare import run_index, run_table
from tests.app.app_pages import ended_task, shown, start_anew, visit
from tests.hub import Hub
from tests.launch import imported_by
from tests.stored_run import ROWS, write_run
from tests.waiting import wait_until
from tokenunlearn.folders import ASSETS
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.ledger import Request
from tokenunlearn.runs.store import RunStore

IDS = ["20260101-100000-npo-hard-0001", "20260102-100000-npo-hard-0002", "20260103-100000-npo-hard-0003"]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    start_anew()
    return tmp_path


@pytest.fixture
def three(runs):
    for steps, run_id in zip((10, 20, 30), IDS, strict=True):
        write_run(runs, run_id, f"run {steps}", steps=steps, shift=steps / 10)
    return runs


def opened(**parameters) -> AppTest:
    return visit("compare", **parameters)


def texts(at: AppTest) -> str:
    return "\n".join(element.value for element in [*at.text, *at.caption, *at.info])


def generate(at: AppTest) -> None:
    """Ask for the answers that are not stored."""
    (button,) = (button for button in at.button if button.label == "Generate answers")
    button.click().run()


SHIPPED = RunStore(ASSETS / "runs", read_only=True).runs()[0]


@pytest.mark.slow
def test_compare_begins_with_the_verdict_of_the_chosen_run(runs):
    shown = " ".join(element.proto.body for element in opened().get("html"))
    verdict = run_reader.run_verdict(SHIPPED)
    assert verdict is not None
    assert verdict.headline in shown
    assert shown.index(verdict.headline) < shown.index("Secret ↓") < shown.index("Retained samples ↑")
    assert all(escape(claim.sentence) in shown for claims in verdict.sections.values() for claim in claims)


def test_each_of_several_runs_has_its_verdict_and_one_that_is_not_evaluated_says_so(three):
    (three / IDS[0] / "report.json").unlink()
    at = opened(runs=IDS)
    heads, *_ = (element.proto.body for element in at.get("html"))
    assert heads.count('class="head"') == 2 and "B: run 20: " in heads and "C: run 30: " in heads
    assert "A: run 10 is not evaluated yet." in texts(at)
    assert "No run is evaluated yet" not in texts(at)


def test_the_evaluation_of_a_run_is_started_where_it_is_missing_as_large_as_the_others(three, monkeypatch):
    asked = []
    monkeypatch.setattr(model_work, "evaluate_run", lambda run, limit: asked.append((run.id, limit)) or len)
    monkeypatch.setattr(tasks, "start", lambda *_: asked.append("started"))
    (three / IDS[0] / "report.json").unlink()
    at = opened(runs=IDS[:2])
    at.button(key=f"button-evaluate-{IDS[0]}").click().run()
    assert (IDS[0], 2) in asked and "started" in asked
    assert "Evaluate A (24 samples per split)" in {button.label for button in opened(runs=IDS[0]).button}


def test_evaluations_of_equal_size_have_no_warning(runs):
    assert "different numbers of questions" not in texts(opened(view="Outcome"))
    assert not any(button.key.startswith("button-alike") for button in opened().button if button.key)


def test_evaluations_of_different_size_say_so_and_can_be_made_alike(three, monkeypatch):
    asked = []
    monkeypatch.setattr(model_work, "evaluate_run", lambda run, limit: asked.append((run.id, limit)) or len)
    monkeypatch.setattr(tasks, "start", lambda key, *_: asked.append(key))
    at = opened(view="Outcome", runs=IDS[:2])
    assert "start, retrained 72; A, B 2." in texts(at)
    assert "The picture uses the questions that all models have." in texts(at)
    assert "n differs between the models" in texts(at)
    assert at.button(key=f"button-alike-{IDS[1]}").label == "Evaluate B again (all samples)"
    at.button(key=f"button-alike-{IDS[1]}").click().run()
    assert (IDS[1], None) in asked and f"alike-{IDS[1]}" in asked


def test_runs_are_chosen_by_their_labels(three):
    box = opened(runs=IDS[:2]).multiselect(key="runs")
    assert box.options == ["run 30", "run 20", "run 10", SHIPPED.label]
    assert box.value == IDS[:2]


@pytest.mark.parametrize(
    "view", ["Verdict", "Answers", "Ask", "Leaks", "Outcome", "Questions", "Tokens", "Depth", "Runs"]
)
def test_on_first_start_the_shipped_run_is_there_as_stored_and_no_model_is_asked(runs, monkeypatch, view):
    monkeypatch.setattr(tasks, "start", lambda *_: pytest.fail("asks for a model"))
    at = opened(view=view)
    assert at.multiselect(key="runs").value == [SHIPPED.id]
    assert "None of your runs has finished yet" in texts(at)
    assert not any(button.label.startswith(("Compute", "Evaluate", "Measure")) for button in at.button)
    if view == "Answers":
        assert SHIPPED.generations["forget"][0]["question"] in texts(at)
        assert "Not stored" not in texts(at)
        assert "Ground-truth answer, its facts marked" in texts(at)
        assert any("Born in <mark>Calverra</mark>" in element.value for element in at.get("html"))
    elif view in ("Questions", "Tokens", "Leaks"):
        assert len(at.dataframe[-1].value) > 5


def test_the_shipped_run_is_not_renamed(runs):
    opened()
    (entry,) = run_index.entries([SHIPPED])
    st.session_state.update(
        {"edits": 0, run_table.TAKEN: {}, "table": {"edited_rows": {0: {"label": "mine", "compare": False}}}}
    )
    run_table._apply("table", [entry])
    assert SHIPPED.label == SHIPPED.spec.label


def test_an_edit_that_the_browser_sends_again_is_not_made_again(three):
    _, entry, _ = run_index.entries(services.store().runs()[:3])
    st.session_state.update(
        {"edits": 0, run_table.TAKEN: {}, "runs": [], "table": {"edited_rows": {0: {"label": "mine"}}}}
    )
    run_table._apply("table", [entry])
    assert entry.run.label == "mine"
    services.rename(entry.run, "renamed since")
    run_table._apply("table", [entry])
    assert entry.run.label == "renamed since"


def test_ticks_in_a_table_that_is_about_to_go_count_once_each(three):
    at = opened(view="Runs", runs=IDS[2])
    (table,) = (frame for frame in at.dataframe if "compare" in frame.value)

    def send(**ticks: bool) -> list[str]:
        rows = {row.lstrip("r"): {"compare": tick} for row, tick in ticks.items()}
        edits = json.dumps({"edited_rows": rows, "added_rows": [], "deleted_rows": []})
        states = at._tree.get_widget_states()
        states.widgets.append(WidgetState(id=table.proto.id, string_value=edits))
        at._run(states)
        return at.multiselect(key="runs").value

    assert send(r1=True) == [IDS[2], IDS[1]]
    assert send(r1=True, r2=True) == [IDS[2], IDS[1], IDS[0]]
    at.multiselect(key="runs").set_value([IDS[2]]).run()
    assert send(r1=True, r2=True) == [IDS[2]]


def test_a_label_for_a_run_that_has_been_deleted_says_so(three):
    at = opened(view="Runs")
    (table,) = (frame for frame in at.dataframe if "compare" in frame.value)
    shutil.rmtree(three / IDS[2])
    edits = {"edited_rows": {"0": {"label": "mine"}}, "added_rows": [], "deleted_rows": []}
    states = at._tree.get_widget_states()
    states.widgets.append(WidgetState(id=table.proto.id, string_value=json.dumps(edits)))
    at._run(states)
    assert not at.exception
    assert f'The run "{IDS[2]}" is damaged' in texts(at)


def test_the_newest_run_is_chosen_at_first(three):
    at = opened(view="Settings")
    assert at.multiselect(key="runs").value == [IDS[2]]
    assert "Select a second run" in texts(at)


def test_runs_that_were_chosen_are_compared_again_on_the_next_visit(three):
    at = opened(view="Settings")
    at.multiselect(key="runs").set_value([IDS[0], IDS[1]]).run()
    at.switch_page("pages/overview.py").run()
    at.query_params.clear()
    at.switch_page("pages/compare.py").run()
    assert at.multiselect(key="runs").value == [IDS[0], IDS[1]]


def test_an_address_opens_its_runs_in_order_and_only_what_differs(three):
    at = opened(view="Settings", runs=[IDS[1], IDS[0]])
    assert at.multiselect(key="runs").value == [IDS[1], IDS[0]]
    table = at.dataframe[-1].value
    assert table.to_dict("records") == [{"setting": "steps", "A": "20", "B": "10"}]
    at.toggle(key="all_settings").set_value(True).run()
    assert {"model", "seed", "steps"} <= set(at.dataframe[-1].value["setting"])


def test_unknown_runs_in_the_address_are_left_out(three):
    at = opened(view="Settings", runs=["nothing", IDS[0]])
    assert at.multiselect(key="runs").value == [IDS[0]]
    assert 'The setting runs "nothing" was ignored; there is no such run, so run 10 is used.' in texts(at)
    assert "was ignored" not in texts(at.run())


def test_a_link_to_a_run_without_a_result_says_why_another_one_is_shown(three):
    run = RunStore(three).get(IDS[1])
    (run.folder / "report.json").unlink()
    (run.folder / "adapter").rmdir()
    run.set_state(status="cancelled")
    at = opened(runs=IDS[1])
    assert at.multiselect(key="runs").value == [IDS[2]]
    assert "was ignored; the run is cancelled and has nothing to compare, so run 30 is used." in texts(at)


def test_a_link_to_a_sample_that_no_run_has_says_so(three):
    at = opened(view="Tokens", sample="9. Nobody asked this")
    assert 'The setting sample "9. Nobody asked this" was ignored' in texts(at)


def test_no_run_chosen_is_no_fault(three):
    at = opened(view="Settings")
    at.multiselect(key="runs").set_value([]).run()
    assert not at.exception
    assert "Choose a run" in texts(at)


def test_the_table_lists_every_run_with_the_chosen_ones_marked(three):
    table = opened(view="Runs", runs=[IDS[0]]).dataframe[0].value
    assert list(table["label"]) == ["run 30", "run 20", "run 10", SHIPPED.label]
    assert list(table["compare"]) == [False, False, True, False]
    assert list(table["status"]) == ["completed"] * 4
    assert list(table["questions"]) == [2, 2, 2, 72]


def test_a_run_without_figures_leaves_the_number_of_questions_whole(three):
    (three / IDS[2] / "report.json").unlink()
    table = opened(view="Runs").dataframe[0]
    assert list(table.value["questions"].isna()) == [True, False, False, False]
    assert json.loads(table.proto.columns)["questions"]["type_config"]["format"] == "%d"


def test_the_table_is_there_without_a_chosen_run(three):
    at = opened(view="Runs")
    at.multiselect(key="runs").set_value([]).run()
    assert list(at.dataframe[0].value["compare"]) == [False] * 4


def test_runs_are_grouped_by_any_setting_in_which_they_differ(three):
    at = opened(view="Runs", group="steps")
    assert {"nothing", "steps", "threshold"} <= set(at.selectbox(key="group").options)
    assert "seed" not in at.selectbox(key="group").options
    table = at.dataframe[-1].value
    assert list(table["steps"]) == ["10", "20", "30", str(SHIPPED.spec.config["steps"])]
    assert list(table["questions"]) == ["2", "2", "2", "72"]
    assert "different numbers of questions; compare only" in texts(at)


@pytest.mark.slow
def test_many_runs_are_paged(runs):
    for i in range(15):
        write_run(runs, f"20260101-1000{i:02d}-npo-hard-0001", f"run {i}")
    at = opened(view="Runs")
    assert len(at.dataframe[0].value) == 10
    assert list(opened(view="Runs", page="2").dataframe[0].value["label"]) == [
        *(f"run {i}" for i in (4, 3, 2, 1, 0)),
        SHIPPED.label,
    ]


def test_outcome_draws_charts_and_every_metric(three):
    at = opened(view="Outcome", runs=IDS[:2])
    assert len(at.get("plotly_chart")) == 2
    assert "forget/gold_span" in set(at.dataframe[-1].value["metric"])


def test_questions_count_what_is_still_told(three):
    at = opened(view="Questions", runs=IDS[:2])
    assert "Fact still recalled (of 2): start 2, A 0, B 0, retrained 0" in texts(at)
    assert len(at.dataframe[-1].value) == 2
    at.selectbox(key="metric").set_value("rouge_l").run()
    assert "rouge_l, A" in at.dataframe[-1].value


def test_tokens_show_change_beside_weight(three):
    at = opened(view="Tokens", runs=[IDS[2], IDS[0]], sample="2. Which prize did Ruben Kaplanyan win?")
    assert at.selectbox(key="sample").value == "authors-054-01"
    assert "Which prize did Ruben Kaplanyan win?" in texts(at)
    tokens = at.dataframe[-1].value
    assert tokens.loc[2, "A Δ log p"] == pytest.approx(-3)
    assert tokens.loc[2, "B Δ log p"] == pytest.approx(-1)
    assert tokens.loc[2, "A weight"] == 1


def test_a_damaged_token_file_is_one_sentence(three):
    (RunStore(three).get(IDS[0]).folder / "tokens.parquet").write_bytes(b"x")
    at = opened(view="Tokens", runs=IDS[:2])
    assert "tokens.parquet" in texts(at)
    assert len(at.get("plotly_chart")) == 1


def test_leaks_name_the_way_of_asking_and_the_token(three):
    report = RunStore(three).get(IDS[0]).report
    told = report["metrics"]["forget/gold_span"] | {"rows": [1.0, 0.0], "retrained_rows": [0.0, 0.0]}
    RunStore(three).get(IDS[0]).write("report.json", report | {"metrics": {"forget/gold_span": told}})
    at = opened(view="Leaks", runs=IDS[:2])
    (row,) = at.dataframe[-1].value.to_dict("records")
    assert (row["run"], row["leaks"], row["question"]) == ("A", "asked plainly", ROWS[0][1])
    shown = " ".join(element.proto.body for element in at.get("html"))
    assert (
        "A: run 10: 1 question leaks (asked plainly 1)" in shown and "B: run 20: no question leaks" in shown
    )
    assert "A: not attacked." in texts(at)
    (three / IDS[0] / "tokens.parquet").unlink()
    assert "A: not attacked; no token-level results." in texts(opened(view="Leaks", runs=IDS[0]))


def test_answers_ask_only_what_is_not_stored(three, monkeypatch):
    asked = []
    monkeypatch.setattr(
        model_work,
        "ask_models",
        lambda key, models, questions: asked.append((models, questions)) or ended_task(),
    )
    at = opened(view="Answers", runs=[IDS[0]])
    generate(at)
    ((models, questions),) = asked
    assert models == [ModelSource("demo").adapted(three / IDS[0] / "adapter")]  # others have stored answers
    assert len(questions) == 8
    html = "".join(element.value for element in at.get("html"))
    assert "&lt;script&gt;" in html and "<script>" not in html


def test_exports_and_commands_are_offered(three):
    at = opened(view="Settings", runs=IDS[:2])
    assert {b.label for b in at.get("download_button")} >= {
        "Download report (HTML)",
        "Download metrics (CSV)",
        "Download questions (JSON)",
    }
    assert sum("tokenunlearn unlearn" in code.value for code in at.code) == 2


def test_an_example_run_is_repeated_among_the_runs_of_ones_own(three):
    (line,) = (code.value for code in opened(view="Settings", runs=[SHIPPED.id]).code)
    assert line.endswith(f"--out {three}")


def test_the_requests_behind_a_run_are_a_table_with_their_measures(three):
    first, second = RunStore(three).get(IDS[0]), RunStore(three).get(IDS[1])
    second.write("spec.json", second.spec.to_json() | {"adapter": first.id})
    request = Request(first.id, "a", "", 3, "probability", 0.5, 0.2, 0.8, 3, 1.0)
    first.write("requests.json", [asdict(request)])
    at = opened(view="Requests", runs=[IDS[1]])
    table = at.dataframe[-1].value
    assert list(table["request"]) == [1, 2]
    assert list(table["after request 1"].fillna("")) == ["0.500 [0.200, 0.800] n=3", ""]
    second.write("spec.json", second.spec.to_json() | {"adapter": "20260101-000000-npo-hard-gone"})
    assert "which is gone" in texts(opened(view="Requests", runs=[IDS[1]]))


def test_the_model_of_a_run_is_exported_whole_beside_the_runs(three, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "tokenunlearn.runs.export.export_run",
        lambda run, folder, merge: asked.append((run.id, merge)) or folder.mkdir(parents=True),
    )
    monkeypatch.setattr(tasks, "start", lambda key, label, work: work(tasks.Task(key, label)))
    at = opened(view="Settings", runs=[IDS[0]])
    (button,) = [button for button in at.button if button.label == "Export model of A"]
    button.click().run()
    assert asked == [(IDS[0], True)]
    assert (three / "exports" / IDS[0]).is_dir()
    at.run()
    assert any(str(three / "exports" / IDS[0]) in code.value for code in at.code)
    assert [run.id for run in services.store().runs()] == IDS[::-1]


@pytest.fixture
def hub(monkeypatch):
    """A Hub in memory, a token, and exports that write a card only."""

    def export_run(run, folder, *, merge, address):
        folder.mkdir()
        (folder / "README.md").write_text(f"{run.id} {merge} {address}")

    memory = Hub()
    monkeypatch.setattr("huggingface_hub.HfApi", memory.client)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    monkeypatch.setattr("tokenunlearn.runs.export.export_run", export_run)
    return memory


def push(at: AppTest, repository: str, model: str = "A", *, public: bool = False) -> AppTest:
    """Push a model and wait for the end."""
    if model != "A":
        at.selectbox(key="push_model").set_value(model)
    at.text_input(key="push_repository").set_value(repository)
    at.toggle(key="push_public").set_value(public).run()
    at.button(key="push").click().run()
    assert not at.exception
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    return at.run() if tasks.known() else at


def test_a_model_is_pushed_to_a_private_repository_and_the_token_is_nowhere(three, hub):
    at = push(opened(runs=IDS[:2]), " ada/forgotten ", "B")
    assert "Model of B pushed: https://huggingface.co/ada/forgotten/commit/1" in texts(at)
    assert hub.uploads == {"ada/forgotten": {"README.md": f"{IDS[1]} True ada/forgotten".encode()}}
    assert (hub.token, hub.private) == ("hf_secret", True)
    assert "the one that this machine has" in texts(at)
    assert "hf_secret" not in shown(at)
    stored = (path for path in three.rglob("*") if path.is_file())
    assert not any(b"hf_secret" in path.read_bytes() for path in stored)


def test_a_public_repository_is_made_only_on_request(three, hub):
    push(opened(runs=IDS[0]), "ada/forgotten", public=True)
    assert hub.private is False


@pytest.mark.parametrize(
    ("repository", "token", "error", "sentence"),
    [
        ("forgotten", "hf_secret", None, '"forgotten" is not the id of a repository; use OWNER/NAME'),
        ("", "hf_secret", None, '"" is not the id of a repository; use OWNER/NAME'),
        ("ada/forgotten", None, None, "There is no Hub token; run hf auth login"),
        ("ada/forgotten", "hf_secret", ConnectionError("x"), "the Hub could not be reached."),
    ],
)
def test_a_push_that_fails_is_one_sentence(three, hub, monkeypatch, repository, token, error, sentence):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: token)
    hub.error = error
    at = push(opened(runs=IDS[0]), repository)
    (line,) = [text.value for text in at.text if text.value.startswith("⚠")]
    assert sentence in line and "\n" not in line
    assert hub.uploads == {} and "pushed:" not in texts(at)


def test_a_demo_has_no_field_for_pushing(three, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_DEMO", "1")
    at = opened(runs=IDS[0])
    assert "Push" not in shown(at) and not [
        field for field in at.text_input if field.key == "push_repository"
    ]


@pytest.mark.slow
def test_the_page_loads_no_torch(three):
    modules = imported_by("tests.workers.open_page", "compare", "view=Outcome")
    assert "app.compare.run_index" in modules and "torch" not in modules
