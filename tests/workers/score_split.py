"""Scores samples in each of several processes and writes what each did."""

from __future__ import annotations

import json
import sys

import tokenunlearn as tu
from tests.tiny_models import build_lm, build_tokenizer
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.processes import is_main_process, leave, split

lm = build_lm("llama", build_tokenizer())
questions = ["Where was Ada Miller born?" * (1 + i % 3) for i in range(7)]
samples = [Sample(f"s{i}", question, f"In Lisbon, {i}.") for i, question in enumerate(questions)]
scores = tu.score(lm, samples)
failed = ""
try:
    tu.score(lm, [*samples, Sample("long", "Why?", "word " * 300)])
except tu.TokenUnlearnError as error:
    failed = str(error)
rows = [[x.sample_id, x.losses.tolist(), x.nll.tolist()] for x in scores.samples]
name = sys.argv[1] + ("" if is_main_process() else ".other")
with open(name, "w") as file:
    numbers_here = []
    split(7, lambda numbers: numbers_here.extend(numbers) or list(numbers))
    json.dump({"rows": rows, "failed": failed, "numbers": numbers_here}, file)

leave()
