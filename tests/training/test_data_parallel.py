"""Unlearning over two CPU processes: the loss curve of one process, every retained row drawn once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LAUNCHERS = {
    "torchrun": ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    "accelerate": ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"],
}
WORKER = """
import json, os, sys
sys.path.insert(0, {root!r})
import tokenunlearn as tu
from tests.conftest import build_lm, build_tokenizer
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.training.step_rows import StepRows

lm = build_lm("llama", build_tokenizer())
forget = [Sample(f"f{{i}}", "Who is Bo?" * (1 + i % 3), f"Bo {{i}} bakes.") for i in range(8)]
retain = [Sample(f"r{{i}}", "Why?", "Because" + " of it" * i) for i in range(12)]
read, batch = [], StepRows.batch

def watched(rows, number, *others):
    read.append([number // rows.parts, *rows.of_part(number)])
    return batch(rows, number, *others)

StepRows.batch = watched
settings = dict(json.loads(sys.argv[2]), steps=4, batch_size=4, retain_batch_size=6, learning_rate=1e-3)
run = tu.unlearn(lm, forget, retain=retain, **settings)
folder = run.save_adapter(sys.argv[1] + ".adapter") if os.environ.get("RANK", "0") == "0" else ""
with open(sys.argv[1] + "." + os.environ.get("RANK", "0"), "w") as file:
    json.dump({{"history": run.history, "read": read, "passes": run.config.gradient_accumulation}}, file)
"""


def launched(tmp_path, name, command, **settings):
    """What each process of a run wrote, in the order of their numbers."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(root=str(ROOT)))
    asked = [sys.executable, *command, str(script), str(tmp_path / name), json.dumps(settings)]
    own = {"OMP_NUM_THREADS": "1"}
    if "accelerate.commands.launch" in command:
        own["ACCELERATE_USE_CPU"] = "true"  # --cpu alone starts one process
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, env=os.environ | own)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(path.read_text()) for path in sorted(tmp_path.glob(f"{name}.[0-9]"))]


def curve(result):
    names = ("loss", "forget_loss", "retain_loss", "forget_nll", "grad_norm")
    return [record[name] for record in result["history"] for name in names]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "settings"),
    [
        ("torchrun", {}),
        ("accelerate", {"gradient_accumulation": 2, "gradient_checkpointing": True}),
        ("accelerate", {"objective": "pdu", "train": "lora"}),
    ],
    ids=["npo", "npo in two passes", "pdu with an adapter"],
)
def test_two_processes_have_the_loss_curve_of_one(tmp_path, launcher, settings):
    (alone,) = launched(tmp_path, "one", [], **settings)
    both = launched(tmp_path, "two", LAUNCHERS[launcher], **settings)
    assert len(both) == 2
    for process in both:
        assert curve(process) == pytest.approx(curve(alone), rel=2e-3, abs=2e-4)
        assert process["history"][0]["loss"] == pytest.approx(alone["history"][0]["loss"], rel=1e-5)
    for step in range(4):
        for kind in (1, 2):  # forget rows, retained rows
            mine, theirs = ([i for row in p["read"] if row[0] == step for i in row[kind]] for p in both)
            whole = [i for row in alone["read"] if row[0] == step for i in row[kind]]
            assert mine and theirs
            assert sorted(mine + theirs) == sorted(whole)
            assert not set(mine) & set(theirs)
