"""Carries out runs in each of several processes and writes what each read."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import tokenunlearn as tu
from tests.tiny_models import build_lm, build_tokenizer
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.processes import leave
from tokenunlearn.training.step_rows import StepRows

lm = build_lm("llama", build_tokenizer())
forget = [Sample(f"f{i}", "Who is Bo?" * (1 + i % 3), f"Bo {i} bakes.") for i in range(8)]
retain = [Sample(f"r{i}", "Why?", "Because" + " of it" * i) for i in range(12)]
read, batch = [], StepRows.batch
folder, rank = Path(sys.argv[1]), os.environ.get("RANK", "0")


def watched(rows, number, *others):
    read.append([number // rows.parts, *rows.of_part(number)])
    return batch(rows, number, *others)


StepRows.batch = watched
for name, settings in json.loads(sys.argv[2]).items():
    read.clear()
    # Adam's first updates give rounding its full step where a gradient is next to 0: the rate is to be small
    settings |= {"steps": 4, "batch_size": 4, "retain_batch_size": 6, "learning_rate": 3e-4}
    weights = tu.score(lm, forget).weights() if "rescore" in settings else None
    run = tu.unlearn(lm, forget, weights, retain=retain, **settings)
    if rank == "0":
        run.save_adapter(folder / f"{name}.adapter")
    (folder / f"{name}.{rank}").write_text(json.dumps({"history": run.history, "read": read}))

leave()
