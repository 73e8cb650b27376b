"""Work split over two CPU processes gives the same in the same order."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from tests.launch import ACCELERATE, ALONE, TORCHRUN, launch
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.processes import is_main_process, launched, split


def test_alone_there_is_nothing_to_split(monkeypatch):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert not launched() and is_main_process()
    assert split(5, lambda numbers: [n * n for n in numbers]) == [0, 1, 4, 9, 16]


def test_processes_that_do_not_meet_are_told_instead_of_working_twice(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("accelerate.PartialState", lambda cpu: SimpleNamespace(num_processes=1))
    with pytest.raises(TokenUnlearnError, match="2 processes were started but only 1 joined"):
        split(4, list)


@pytest.mark.slow
def test_two_processes_score_the_same_in_the_same_order(tmp_path):
    results = []
    for name, launcher in (("one", ALONE), ("two", TORCHRUN)):
        out = tmp_path / name
        launch(launcher, "tests.workers.score_split", out)
        results.append(json.loads(out.read_text()))
    results.append(json.loads((tmp_path / "two.other").read_text()))  # every process has the whole set
    alone, *processes = results
    assert [together["numbers"] for together in processes] == [[0, 2, 4, 6], [1, 3, 5]]
    for together in processes:
        assert "exceeds the model's context" in together["failed"]  # told in every process, whoever met it
        assert [row[0] for row in together["rows"]] == [row[0] for row in alone["rows"]]
        for row, wanted in zip(together["rows"], alone["rows"], strict=True):
            for got, expected in zip(row[1], wanted[1], strict=True):
                assert got == pytest.approx(expected, abs=1e-5)
            assert row[2] == pytest.approx(wanted[2], abs=1e-5)


@pytest.mark.slow
def test_accelerate_launch_scores_on_the_command_line_as_one_process_does(tmp_path, tiny_folder):
    rows = [{"question": f"Who is {'Bo ' * (1 + i % 3)}?", "answer": f"Baker {i}."} for i in range(7)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["score", "--model", str(tiny_folder), "--no-cache"]
    words += ["--samples", f"file:{tmp_path / 'rows.jsonl'}"]
    sets = []
    for name, launcher in (("one", ALONE), ("two", ACCELERATE)):
        path = tmp_path / f"{name}.parquet"
        done = launch(launcher, "tokenunlearn", *words, "--out", path)
        assert done.stdout.count("7 samples") == 1  # only the first process prints
        sets.append(ScoreSet.load(path))
    alone, together = sets
    for scores, wanted in zip(together.samples, alone.samples, strict=True):
        assert scores.sample_id == wanted.sample_id
        assert scores.nll == pytest.approx(wanted.nll, abs=1e-5)
        for got, expected in zip(scores.losses, wanted.losses, strict=True):
            assert got == pytest.approx(expected, abs=1e-5)
