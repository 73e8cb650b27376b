"""The plain data behind the page Compare: contenders, settings, metrics, questions, Pareto front, tokens."""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict, replace

import pytest

from app.compare import comparison, run_index
from tests.stored_run import ROWS, changes, report, write_run
from tokenunlearn.runs.ledger import Request
from tokenunlearn.runs.store import RunStore


@pytest.fixture
def entries(tmp_path):
    write_run(tmp_path, "20260101-100000-npo-hard-0001", "one", objective="npo", steps=10)
    write_run(tmp_path, "20260102-100000-npo-hard-0002", "two", objective="npo", steps=20, beta=0.3)
    return run_index.entries(RunStore(tmp_path).runs())


def test_contenders_are_start_runs_and_retrained(entries):
    columns = comparison.contenders(entries)
    assert [c.name for c in columns] == ["start", "A", "B", "retrained"]
    assert [c.label for c in columns] == ["", "two", "one", ""]
    assert columns[3].source.name == "demo-retrained"
    assert [c.mark for c in columns] == ["□", "●", "▲", "◆"]
    assert len({c.color for c in columns}) == 4


def test_every_letter_has_a_mark_of_its_own():
    assert len(comparison.RUN_MARKS) == len(comparison.LETTERS)
    assert len(set(comparison.SYMBOLS.values())) == len(comparison.SYMBOLS)


def test_runs_of_one_label_are_told_apart_by_their_id(tmp_path, entries):
    assert list(comparison.run_names(entries).values()) == ["two", "one"]
    write_run(tmp_path, "20260103-100000-npo-hard-0003", "two")
    names = comparison.run_names(run_index.entries(RunStore(tmp_path).runs()))
    assert names["20260101-100000-npo-hard-0001"] == "one"
    assert len(set(names.values())) == 3 and names["20260103-100000-npo-hard-0003"].startswith("two (2026")


def test_earlier_runs_have_their_labels_in_start_models_and_settings(tmp_path):
    first = write_run(tmp_path, "20260101-100000-npo-hard-0001", "first request")
    second = write_run(tmp_path, "20260102-100000-npo-hard-0002", "second request")
    second.write("spec.json", second.spec.to_json() | {"adapter": first.id})
    columns = comparison.contenders(run_index.entries(RunStore(tmp_path).runs()))
    assert [c.name for c in columns[:2]] == ["start (demo + first request)", "start (demo)"]
    specs = {"A": comparison.labeled_spec(second), "B": comparison.labeled_spec(first)}
    assert comparison.settings_rows(specs) == [{"setting": "goes on from", "A": "first request", "B": "–"}]


def test_runs_on_the_same_sets_share_a_sentence(entries):
    spec = entries[0].spec
    other = replace(spec, samples="file:/runs/uploads/0123456789ab/my.jsonl", retain="")
    shared = "demo forgets authors:forget10 and retains authors:retain90."
    assert comparison.subjects({"A": spec}) == [shared]
    assert comparison.subjects({"A": spec, "B": other, "C": spec}) == [
        f"A, C: {shared}",
        "B: demo forgets my.jsonl.",
    ]


def test_metrics_of_different_n_are_counted():
    rows = [{"metric": "a", "n": 8}, {"metric": "a", "n": 72}, {"metric": "b", "n": 8}]
    assert comparison.uneven_metrics(rows) == 1
    assert comparison.uneven_metrics(rows[1:]) == 0


def test_only_settings_that_differ_are_rows(entries):
    specs = {"A": entries[0].spec, "B": entries[1].spec}
    assert comparison.settings_rows(specs) == [
        {"setting": "steps", "A": "20", "B": "10"},
        {"setting": "beta", "A": "0.3", "B": "–"},
    ]
    every = comparison.settings_rows(specs, only_different=False)
    names = [row["setting"] for row in every]
    assert {"model", "selection", "threshold", "lambda", "seed", "torch version"} <= set(names)
    assert len(names) == len(set(names))


def test_one_run_differs_in_nothing(entries):
    assert comparison.settings_rows({"A": entries[0].spec}) == []


def test_metric_rows_and_table():
    reports = {"start": report([1.0, 1.0], 0.6, ""), "A": report([0.0, 0.5], 0.5, "")}
    reports["A"]["metrics"]["forget/rouge_l"]["value"] = None
    rows = comparison.metric_rows(reports)
    assert {row["model"]: row["value"] for row in rows if row["metric"] == "forget/gold_span"} == {
        "start": 1.0,
        "A": 0.25,
    }
    table = {row["metric"]: row for row in comparison.metric_table(rows)}
    assert table["forget/gold_span"]["A"] == "0.250 [0.150, 0.350] n=2"
    assert table["forget/gold_span"]["better"] == "↓"
    assert table["forget/rouge_l"]["A"] == "–"


def test_question_rows_hold_what_every_report_covers():
    reports = {"start": report([1.0, 1.0], 0.6, "says"), "A": report([0.0, 0.5], 0.5, "tells")}
    for result in reports["A"]["metrics"].values():
        result["rows"], result["sample_ids"] = result["rows"][:1], result["sample_ids"][:1]
    (row,) = comparison.question_rows(reports, "forget", ["gold_span", "rouge_l"])
    sample_id, question, answer = ROWS[0]
    assert row == {
        "sample_id": sample_id,
        "question": question,
        "answer": answer,
        "answer, start": f"says {sample_id}",
        "answer, A": f"tells {sample_id}",
        "gold_span, start": 1.0,
        "gold_span, A": 0.0,
        "rouge_l, start": 0.5,
        "rouge_l, A": 0.5,
    }
    assert comparison.row_metrics(reports.values(), "forget") == ["gold_span", "rouge_l"]
    assert comparison.question_rows({}, "forget", ["gold_span"]) == []


@pytest.mark.parametrize("seed", range(20))
def test_pareto_front_equals_comparing_every_pair(seed):
    draw = random.Random(seed)
    points = [(draw.randint(0, 6) / 6, draw.randint(0, 6) / 6) for _ in range(draw.randint(0, 12))]

    def beaten(p):
        return any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)

    expected = sorted({p for p in points if not beaten(p)})
    front = comparison.pareto_front(points)
    assert front == expected
    assert all(a[1] < b[1] for a, b in itertools.pairwise(front))


def test_token_rows_put_runs_side_by_side():
    rows = comparison.token_rows({"A": changes(5.0)[0], "B": changes(1.0)[0]})
    assert [row["token"] for row in rows] == ["Born", " in", " Calverra", ".", "<|end|>"]
    assert [row["position"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[2]["A weight"] == 1.0
    assert rows[2]["A Δ log p"] == pytest.approx(-5)
    assert rows[2]["B Δ log p"] == pytest.approx(-1)
    assert (rows[2]["A rank before"], rows[2]["A rank after"]) == (1, 40)
    assert rows[0]["A p before"] == pytest.approx(rows[0]["A p after"])


def test_the_scores_of_a_membership_attack_open_row_by_row():
    one = report([1.0, 1.0], 0.6, "says")
    ids = [*one["metrics"]["forget/gold_span"]["sample_ids"], "holdout-1"]
    one["metrics"]["membership_min_k"] = {"rows": [-0.1, -0.2, -3.0], "sample_ids": ids}
    assert comparison.splits_of([one]) == ["forget", "membership"]
    assert comparison.row_metrics([one], "membership") == ["min_k"]
    rows = comparison.question_rows({"start": one}, "membership", ["min_k"])
    assert [row["min_k, start"] for row in rows] == [-0.1, -0.2, -3.0]
    assert rows[0]["question"] == ROWS[0][1] and "question" not in rows[2]  # holdout is not asked


def test_parts_come_from_the_metrics_so_that_reports_without_answers_have_them_too():
    choices = {"metrics": {"wmdp_bio/accuracy": {"rows": [1.0]}, "overall": {"rows": []}}, "generations": {}}
    assert comparison.splits_of([report([1.0, 1.0], 0.6, ""), choices]) == ["forget", "wmdp_bio"]
    assert comparison.splits_of([]) == []


def test_requests_are_rows_measured_after_each_later_run(tmp_path):
    first = write_run(tmp_path, "20260101-100000-npo-hard-0001", "first")
    second = write_run(tmp_path, "20260102-100000-npo-hard-0002", "second")
    request = Request(first.id, "a", "", 3, "probability", 0.25, 0.1, 0.5, 3, 1.0)
    first.write("requests.json", [asdict(request)])
    later = [
        Request(first.id, "a", "", 3, "probability", 0.5, 0.25, 0.75, 3, 0.25),
        Request(second.id, "b", message="It is gone."),
    ]
    second.write("requests.json", [asdict(request) for request in later])
    rows = comparison.request_rows([first, second])
    assert [row["request"] for row in rows] == [1, 2]
    assert [row["before"] for row in rows] == ["1.000", None]
    assert [row["after request 1"] for row in rows] == ["0.250 [0.100, 0.500] n=3", None]
    assert [row["after request 2"] for row in rows] == ["0.500 [0.250, 0.750] n=3", "It is gone."]
