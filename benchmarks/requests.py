"""Three requests one after another, two authors each: is each still forgotten after the later ones?

    python -m benchmarks.requests [--steps 40]

Writes the set of each request to a file, carries it out with one ``tokenunlearn unlearn`` command that goes
on from the run before, and reads the ledger of each run, for each of several settings. No holdout is known of
such a file; one of the settings names it. The retained samples, and greedy answers of the whole suite, are
measured on the start model and after the requests. Writes ``benchmarks/results/requests.json`` and
``docs/results.md``.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, requests_table, tables, write_result
from tokenunlearn.datasets.embedded import QUESTIONS_PER_AUTHOR
from tokenunlearn.datasets.files import to_jsonl
from tokenunlearn.evaluation.recall import recall
from tokenunlearn.evaluation.result import MetricResult
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.spec import make_rule
from tokenunlearn.runs.store import RunStore

MODEL, FORGET, RETAIN = "demo", "authors:forget10", "authors:retain90"
AUTHORS_A_REQUEST = 2
# What is measured on greedy answers, on at most this many samples per split.
SUITE_SAMPLES = 36
GREEDY = ("forget/gold_span", "retain/gold_span", "model_utility")
SETTINGS: Mapping[str, Sequence[str]] = {
    "default": (),
    "`--holdout authors:holdout`": ("--holdout", "authors:holdout"),
    "`--objective npo`": ("--objective", "npo"),
}


def request_files(folder: Path) -> list[Path]:
    """The forget set in files of two authors each."""
    samples, size = tu.load_samples(FORGET), AUTHORS_A_REQUEST * QUESTIONS_PER_AUTHOR
    files = []
    for first in range(0, len(samples), size):
        files.append(folder / f"request-{len(files) + 1}.jsonl")
        files[-1].write_bytes(to_jsonl(samples[first : first + size]))
    return files


def unlearn(file: Path, adapter: str, out: Path, options: Sequence[str]) -> str:
    """Carry out one request as a command; the id of its run."""
    words = ["unlearn", "--model", MODEL, "--samples", f"file:{file}", "--retain", RETAIN]
    words += options
    words += ["--adapter", adapter] if adapter else []
    command = [sys.executable, "-m", "tokenunlearn", *words, "--out", str(out), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return str(json.loads(done.stdout)["run"])


def figure(result: MetricResult) -> dict[str, Any]:
    """Value, interval and n."""
    low, high = result.interval or (None, None)
    return {"metric": result.name, "value": result.value, "low": low, "high": high, "n": result.n}


def greedy(model: LoadedModel) -> dict[str, Any]:
    """What greedy answers state, and the utility."""
    report = tu.evaluate(model, "authors", "demo-retrained", limit=SUITE_SAMPLES)
    return {name: figure(report[name]) for name in GREEDY}


def chain(files: Sequence[Path], options: Sequence[str], out: Path) -> dict[str, Any]:
    """The requests one after another under some settings, and what was measured after each."""
    store, retained, adapter = RunStore(out), tu.load_samples(RETAIN), ""
    after = []
    for file in files:
        adapter = unlearn(file, adapter, out, options)
        run = store.get(adapter)
        model = run.result.load()
        requests = [
            {"metric": r.metric, "value": r.value, "low": r.low, "high": r.high, "n": r.n, "before": r.before}
            for r in run.requests
        ]
        row = {"requests": requests, "retain": figure(recall(model, retained)), **selected(run)}
        after.append(row | {"seconds": run.metrics[-1]["seconds"]})
    return {
        "options": shlex.join(options),
        "after": after,
        "greedy": greedy(model),
        "config": run.resolved,
        "rule": dict(run.spec.rule),
    }


def selected(run: Run) -> dict[str, Any]:
    """How the run read the entropy, and which share of the gold tokens it selected."""
    assert run.scores is not None
    weights, model = run.scores.weights(make_rule(run.spec.rule)).weights, run.start.load()
    samples = tu.load_samples(run.spec.samples)
    chosen = [
        weight > 0
        for sample, encoding, row in zip(samples, model.encode_all(samples), weights, strict=True)
        for held, weight in zip(encoding.holds(sample.span), row, strict=True)
        if held
    ]
    return {
        "reading": run.scores.reading,
        "gold_selected": sum(map(bool, chosen)),
        "gold": len(chosen),
    }


def main(steps: Annotated[int | None, typer.Option(help="Steps of each run.")] = None) -> None:
    """Carry out the requests under all settings; the result is written after each of them."""
    model, more = tu.load_model(MODEL), ("--steps", str(steps)) if steps else ()
    with tempfile.TemporaryDirectory() as scratch:
        files = request_files(Path(scratch))
        result: dict[str, Any] = {
            "model": MODEL,
            "revision": model.revision,
            "forget": FORGET,
            "retain": RETAIN,
            "authors_a_request": AUTHORS_A_REQUEST,
            "start": {
                "requests": [figure(recall(model, tu.load_samples(f"file:{file}"))) for file in files],
                "retain": figure(recall(model, tu.load_samples(RETAIN))),
                "greedy": greedy(model),
            },
            "chains": {},
            **code_versions(),
            "device": str(model.device),
        }
        for number, (name, options) in enumerate(SETTINGS.items()):
            result["chains"][name] = chain(files, (*options, *more), Path(scratch) / f"runs-{number}")
            path = RESULTS / "requests.json"
            write_result(path, result)
    Console().print(requests_table.requests_table(result), soft_wrap=True)
    tables.write()


if __name__ == "__main__":
    typer.run(main)
