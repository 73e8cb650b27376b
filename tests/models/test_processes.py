"""Work split over two CPU processes gives the same in the same order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.processes import is_main_process, launched, split

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import json, sys
sys.path.insert(0, {root!r})
import torch
import tokenunlearn as tu
from tests.conftest import build_lm, build_tokenizer
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.models.processes import is_main_process, split
from tokenunlearn.datasets.samples import Sample

lm = build_lm("llama", build_tokenizer())
questions = ["Where was Ada Miller born?" * (1 + i % 3) for i in range(7)]
samples = [Sample(f"s{{i}}", question, f"In Lisbon, {{i}}.") for i, question in enumerate(questions)]
scores = tu.score(lm, samples)
failed = ""
try:
    tu.score(lm, [*samples, Sample("long", "Why?", "word " * 300)])
except tu.TokenUnlearnError as error:
    failed = str(error)
rows = [[x.sample_id, x.losses.tolist(), x.nll.tolist()] for x in scores.samples]
name = sys.argv[1] + ("" if is_main_process() else ".other")
with open(name, "w") as file:
    mine = []
    split(7, lambda numbers: mine.extend(numbers) or list(numbers))
    json.dump({{"rows": rows, "failed": failed, "mine": mine}}, file)
"""


def test_alone_there_is_nothing_to_split(monkeypatch):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert not launched() and is_main_process()
    assert split(5, lambda numbers: [n * n for n in numbers]) == [0, 1, 4, 9, 16]


def test_processes_that_do_not_meet_are_told_instead_of_working_twice(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("accelerate.PartialState", lambda cpu: SimpleNamespace(num_processes=1))
    with pytest.raises(TokenUnlearnError, match="2 processes were started and only 1 met"):
        split(4, list)


@pytest.mark.slow
def test_two_processes_score_the_same_in_the_same_order(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(root=str(ROOT)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    results = []
    for name, command in (("one", [sys.executable]), ("two", launch)):
        out = tmp_path / name
        done = subprocess.run([*command, str(script), str(out)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        results.append(json.loads(out.read_text()))
    results.append(json.loads((tmp_path / "two.other").read_text()))  # every process has the whole set
    alone, *processes = results
    assert [together["mine"] for together in processes] == [[0, 2, 4, 6], [1, 3, 5]]
    for together in processes:
        assert "Sample long has" in together["failed"]  # told in every process, whoever met it
        assert [row[0] for row in together["rows"]] == [row[0] for row in alone["rows"]]
        for mine, wanted in zip(together["rows"], alone["rows"], strict=True):
            for got, expected in zip(mine[1], wanted[1], strict=True):
                assert got == pytest.approx(expected, abs=1e-5)
            assert mine[2] == pytest.approx(wanted[2], abs=1e-5)


@pytest.mark.slow
def test_accelerate_launch_scores_on_the_command_line_as_one_process_does(tmp_path, tiny_lm):
    tiny_lm.model.save_pretrained(tmp_path / "tiny")
    tiny_lm.tokenizer.save_pretrained(tmp_path / "tiny")
    rows = [{"question": f"Who is {'Bo ' * (1 + i % 3)}?", "answer": f"Baker {i}."} for i in range(7)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ["-m", "tokenunlearn", "score", "--model", str(tmp_path / "tiny"), "--no-cache"]
    asked += ["--samples", f"file:{tmp_path / 'rows.jsonl'}"]
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    sets = []
    for name, command in (("one", []), ("two", launch)):
        path = tmp_path / f"{name}.parquet"
        done = subprocess.run(
            [sys.executable, *command, *asked, "--out", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"ACCELERATE_USE_CPU": "true"},  # --cpu alone starts one process
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("7 samples") == 1  # only the first process prints
        sets.append(ScoreSet.load(path))
    alone, together = sets
    for mine, wanted in zip(together.samples, alone.samples, strict=True):
        assert mine.sample_id == wanted.sample_id
        assert mine.nll == pytest.approx(wanted.nll, abs=1e-5)
        for got, expected in zip(mine.losses, wanted.losses, strict=True):
            assert got == pytest.approx(expected, abs=1e-5)
