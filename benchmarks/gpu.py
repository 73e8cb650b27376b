"""Everything that only a GPU can show, in one command of under half an hour on one card.

    python -m benchmarks.gpu [--jobs bf16 large] [--quick]

Each job is a process of its own with a time limit, so one that fails costs the others nothing: it is stored
with what it said. Results go to ``benchmarks/results/gpu.json``, with the card's name. ``--quick`` runs the
same code on small shapes on any device, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, write_result
from benchmarks.contest import device_name
from benchmarks.fault_processes import kill

PATH = RESULTS / "gpu.json"
LIMIT = 280  # seconds of a job
FORGET, RETAIN = "authors:forget10", "authors:retain90"
# The shape of Llama-3.2-1B; with --quick a toy of the same make.
LARGE = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32}
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def bf16(quick: bool) -> dict[str, Any]:
    """A LoRA run with products in bfloat16 beside one in float32: loss curves and seconds a step."""
    import tokenunlearn as tu

    lm = tu.load_model("demo" if quick else "smollm2-authors", dtype="float32")
    forget, retain = tu.load_samples(FORGET), tu.load_samples(RETAIN)
    result: dict[str, Any] = {}
    for name, low in (("float32", False), ("bfloat16", True)):
        run = tu.unlearn(lm, forget, retain=retain, steps=2 if quick else 10, bf16=low, train="lora")
        result[name] = {
            "losses": [record["loss"] for record in run.history],
            "seconds_per_step": run.history[-1]["seconds"] / len(run.history),
        }
    return result


def steps(quick: bool) -> dict[str, Any]:
    """One step of NPO and KL, full and LoRA, against bare training and the textbook form."""
    return _benchmark("steps", "--quick" if quick else "--models=smollm2")


def masking(quick: bool) -> dict[str, Any]:
    """Leave-one-out masking against its rivals and its bound."""
    return _benchmark("masking", "--quick" if quick else "--models=smollm2")


def _benchmark(name: str, *words: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", *words, "--out", str(path)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result


def fsdp(quick: bool) -> dict[str, Any]:
    """A run with sharded weights through accelerate, on all cards of this machine."""
    import torch

    cards = torch.cuda.device_count()
    if cards < 2:
        return {"not run": f"FSDP needs two cards; this machine has {cards}."}
    launch = ["-m", "accelerate.commands.launch", "--config_file", "docs/fsdp.yaml"]
    words = ["--model", "smollm2-authors", "--samples", FORGET, "--retain", RETAIN, "--train", "full"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *launch, "--num_processes", str(cards), "-m", "tokenunlearn", "unlearn"]
        command += [*words, "--steps", "4", "--out", folder, "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return {"cards": cards, "status": result["status"], "last_step": result["last_step"]}


def nf4(quick: bool) -> dict[str, Any]:
    """A LoRA over a 4-bit base, through the public trainer."""
    import importlib.util

    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    import tokenunlearn as tu

    if importlib.util.find_spec("bitsandbytes") is None:
        return {"not run": "bitsandbytes is not installed."}
    with tempfile.TemporaryDirectory() as folder:
        lm = _random_model(quick)
        lm.model.save_pretrained(folder)
        quantized = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
        model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=quantized)
        arguments = tu.UnlearnConfig(
            folder, max_steps=4, save_strategy="no", report_to="none", learning_rate=1e-4
        )
        trainer = tu.UnlearnTrainer(
            model,
            arguments,
            FORGET,
            RETAIN,
            processing_class=lm.tokenizer,
            peft_config=LoraConfig(r=16, task_type="CAUSAL_LM"),
        )
        trainer.train()
    losses = [record["loss"] for record in trainer.state.log_history if "forget_loss" in record]
    return {"losses": losses, "peak_gb": torch.cuda.max_memory_allocated() / 1e9}


def large(quick: bool) -> dict[str, Any]:
    """Score and unlearn with a model of 1B shape: rows and steps a second, and memory."""
    import torch

    import tokenunlearn as tu

    lm = _random_model(quick)
    try:
        sets = tuple(tu.load_samples(name) for name in ("tofu:forget10", "tofu:retain90"))
    except tu.TokenUnlearnError:  # neither the hub nor a local copy
        sets = tuple(tu.load_samples(name) for name in (FORGET, RETAIN))
    forget, retain = (samples.spread(8) if quick else samples for samples in sets)
    result: dict[str, Any] = {"parameters": lm.parameters, "forget": forget.name, "rows": len(forget)}
    begin = time.perf_counter()
    scores = tu.score(lm, forget)
    result["scored_rows_per_second"] = len(forget) / (time.perf_counter() - begin)
    for train in ("lora", "full"):
        run = tu.unlearn(
            lm,
            forget,
            scores.weights(),
            retain=retain,
            steps=2 if quick else 8,
            train=train,
            learning_rate=1e-5,
        )
        result[train] = {
            "seconds_per_step": run.history[-1]["seconds"] / len(run.history),
            "losses": [record["loss"] for record in run.history],
        }
        if torch.cuda.is_available():
            result[train]["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
            torch.cuda.reset_peak_memory_stats()
    return result


def _random_model(quick: bool) -> Any:
    """A random Llama with the tokenizer of the demo model, or of SmolLM2 at full size."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    import tokenunlearn as tu
    from tokenunlearn.models.loaded_model import LoadedModel

    tokenizer = tu.load_model("demo" if quick else "smollm2", device="cpu").tokenizer
    config = LlamaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=1024, **(SMALL if quick else LARGE)
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).to("cuda" if torch.cuda.is_available() else "cpu")
    return LoadedModel(model.eval(), tokenizer, "random", "0" * 16)


JOBS: dict[str, Callable[[bool], dict[str, Any]]] = {
    job.__name__: job for job in (bf16, steps, masking, fsdp, nf4, large)
}


def carried_out(name: str, quick: bool) -> dict[str, Any]:
    """The result of a job in a process of its own, or why there is none."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--job", name, *(["--quick"] if quick else [])]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        kill(process)  # with its contenders, which would take their share of the card from the next job
        return {"failed": f"not done after {LIMIT} s"}
    seconds = round(time.perf_counter() - begin, 1)
    if process.returncode:
        return {"failed": errors.strip().splitlines()[-1:], "seconds": seconds}
    return {**json.loads(said.splitlines()[-1]), "seconds": seconds}


def main() -> None:
    """Run the jobs that are asked for, and store what each found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", nargs="+", default=list(JOBS), choices=JOBS)
    parser.add_argument(
        "--quick", action="store_true", help="small shapes on any device, to see that it works"
    )
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.job:
        print(json.dumps(JOBS[asked.job](asked.quick)))  # noqa: T201
        return
    import torch

    if not (asked.quick or torch.cuda.is_available()):
        parser.error("there is no GPU on this machine; --quick runs the same code on small shapes")
    result: dict[str, Any] = {"device": device_name(), "jobs": {}}
    for name in asked.jobs:
        result["jobs"][name] = carried_out(name, asked.quick)
        print(name, json.dumps(result["jobs"][name])[:200], file=sys.stderr)  # noqa: T201
        write_result(asked.out, result)


if __name__ == "__main__":
    main()
