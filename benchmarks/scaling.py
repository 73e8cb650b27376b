"""How the cost of scoring and of unlearning grows: with samples, with tokens, with processes.

    python -m benchmarks.scaling [--quick]

Scores are leave-one-out losses of every response token, each prompt token masked, on random sequences; a
step is the forward and backward pass of NPO + KL over all samples, in passes of the training budget. A
round of a series goes through all its sizes in fresh processes, each size after two samples of it as a
warm-up. An exponent is the slope of log time over log size, by least squares. What is measured takes the
place of its row in ``benchmarks/results/scaling.json``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import RESULTS
from benchmarks.contest import device_name, machine, spread, store_rows, stored_rows

SAMPLES, TOKENS, PROCESSES = (10, 30, 100, 300, 1000), (32, 64, 128, 256, 512, 1024), (1, 2)
OF_SAMPLES, OF_TOKENS = 32, 2  # tokens of a sequence while samples grow, samples while tokens grow
RESPONSE = 0.25  # share of a sequence that is its response


def sequences(count: int, tokens: int) -> tuple[Any, list[Any]]:
    """The demo model with room for so many tokens, and random samples of exactly as many."""
    import tokenunlearn as tu
    from benchmarks.masking import random_encoding

    lm = tu.load_model("demo")
    lm.model.config.max_position_embeddings = max(tokens, lm.context_length or 0)
    response = max(1, round(RESPONSE * tokens))
    return lm, [random_encoding(lm, tokens - response, response, seed) for seed in range(count)]


def score_seconds(lm: Any, encodings: list[Any]) -> float:
    """Seconds in which all processes together score the samples."""
    from tokenunlearn.attribution.masking import measure_masking
    from tokenunlearn.attribution.masking_settings import MaskingSettings
    from tokenunlearn.models.processes import split

    settings = MaskingSettings(mask="leave-one-out", unit="token", measure="drop")
    begun = time.perf_counter()
    split(
        len(encodings),
        lambda numbers: [
            m.losses.shape for m in measure_masking(lm, [encodings[i] for i in numbers], settings)
        ],
    )
    return time.perf_counter() - begun


def step_seconds(lm: Any, encodings: list[Any]) -> float:
    """Seconds of losses and gradients over the samples, half to forget and half retained."""
    import torch

    from tokenunlearn.training.preparation import passes_of_step
    from tokenunlearn.training.references import References
    from tokenunlearn.training.settings import UnlearnSettings
    from tokenunlearn.training.step_loss import StepLoss
    from tokenunlearn.training.step_rows import StepPlan, StepRows

    half = len(encodings) // 2
    forget, retain = encodings[:half], encodings[half:]
    config = UnlearnSettings(
        objective="npo", train="full", steps=1, batch_size=half, retain_batch_size=len(retain)
    ).resolved(lm)
    plan = StepPlan.draw(config, half, len(retain))
    rows = StepRows(config, forget, [], retain, [torch.ones(e.response_length) for e in forget], plan)
    rows = StepRows(**vars(rows) | {"parts": passes_of_step(lm, config, rows)})
    stored = References.measure(lm, config, forget, [], rows.retained(0, 1), lambda *_: None)
    loss = StepLoss(lm.model, config, stored)
    begun = time.perf_counter()
    for part in range(rows.parts):
        value, _ = loss(rows.batch(part, stored, lm.pad_id))
        value.backward()
    return time.perf_counter() - begun


def measure(what: str, settings: list[tuple[int, int]], processes: int) -> list[float]:
    """Seconds of every setting, samples and tokens, one after the other in fresh processes."""
    asked = [sys.executable, "-m", "benchmarks.scaling", "--measure", json.dumps([what, settings])]
    if processes > 1:
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        asked[1:1] = launch
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes))}
    done = subprocess.run(asked, capture_output=True, text=True, check=True, env=os.environ | threads)
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def work_on(what: str, settings: list[tuple[int, int]]) -> list[float]:
    """Seconds of every setting in this process, each after a warm-up on two of its samples."""
    work = {"score": score_seconds, "step": step_seconds}[what]
    seconds = []
    for count, tokens in settings:
        lm, encodings = sequences(count, tokens)
        work(lm, encodings[:2])
        seconds.append(work(lm, encodings))
    return seconds


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Slope of log seconds over log size, by least squares."""
    x, y = [math.log(s) for s in sizes], [math.log(s) for s in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def series(what: str, along: str, sizes: list[int], processes: int, rounds: int) -> dict[str, Any]:
    """Times over one size, and their exponent over all sizes and over the larger half."""
    before = machine()
    settings = [(size, OF_SAMPLES) if along == "samples" else (OF_TOKENS, size) for size in sizes]
    of_rounds = [measure(what, settings, processes) for _ in range(rounds)]
    points = {
        size: spread(seconds) for size, seconds in zip(sizes, zip(*of_rounds, strict=True), strict=True)
    }
    medians = [points[size]["median"] for size in sizes]
    upper = len(sizes) // 2
    return {
        "model": "demo",
        "device": device_name(),
        "machine": before,
        "load_after": machine()["load"],
        "what": what,
        "along": along,
        "processes": processes,
        "points": points,
        "exponent": exponent(sizes, medians),
        "exponent_of_larger_half": exponent(sizes[upper:], medians[upper:]) if len(sizes) > 3 else None,
    }


def main() -> None:
    """Measure the series that are asked for and write them, or one setting in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="times that each series is measured")
    parser.add_argument("--what", nargs="+", default=["score", "step"], choices=["score", "step"])
    parser.add_argument("--along", nargs="+", default=["samples", "tokens"], choices=["samples", "tokens"])
    parser.add_argument("--processes", type=int, nargs="+", default=list(PROCESSES))
    parser.add_argument("--samples", type=int, nargs="+", default=list(SAMPLES))
    parser.add_argument("--tokens", type=int, nargs="+", default=list(TOKENS))
    parser.add_argument("--quick", action="store_true", help="two small sizes once, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / "scaling.json")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        seconds = work_on(*asked.measure)
        if os.environ.get("RANK", "0") == "0":
            sys.stdout.write(json.dumps(seconds) + "\n")
        return
    if asked.quick:
        asked.rounds, asked.samples, asked.tokens = 1, [4, 8], [16, 32]
    rows, device = stored_rows(asked.out, ("device", "what", "along", "processes")), device_name()
    for what, along in itertools.product(asked.what, asked.along):
        for processes in asked.processes if what == "score" else (1,):
            sizes = asked.samples if along == "samples" else asked.tokens
            rows[device, what, along, processes] = series(what, along, sizes, processes, asked.rounds)
            store_rows(asked.out, rows)
            show(rows[device, what, along, processes])


def show(one: dict[str, Any]) -> None:
    """Print one series."""
    title = f"{one['what']} by {one['along']}, {one['processes']} processes: exponent {one['exponent']:.2f}"
    table = Table(one["along"], "median s", "min .. max", title=title)
    for size, s in one["points"].items():
        table.add_row(str(size), f"{s['median']:.3f}", f"{s['min']:.3f} .. {s['max']:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
