"""One unlearning step, NPO + KL: this project's against the textbook form and the bare cost of the tokens.

    python -m benchmarks.steps --models demo smollm2 [--quick]

All contenders train the same weights on the same samples, from the same place a little off the start
model, so that no loss is trivial. The textbook form keeps a deep copy as its reference, makes a pass for
the forget and one for the retained samples with each model, and takes the log-softmax of all logits. The
bare cost is forward and backward over as many tokens, without padding, reference or KL: one cross-entropy
of the response tokens. Contenders take turns, each in a process of its own. Time is that of losses and
gradients, on the clock and, since others may use the machine, in processor seconds of all threads;
AdamW's update, which is the same for all, comes after and is timed apart. A contender that takes
longer than ``--patience`` seconds has one turn only. What is measured takes the place of its row in
``benchmarks/results/steps.json``.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks import RESULTS
from benchmarks.contest import alternate, device_name, machine, resident_mb, spread, store_rows, stored_rows

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.training.step_rows import StepRows

CONTENDERS = ("ours", "textbook", "bare")
FORGET, RETAIN = "authors:forget10", "authors:retain90"
OFF_THE_START = 0.2  # what is added to every trained weight, in mean weights of its tensor
Step = Callable[[], float]


def ours(lm: LoadedModel, target: LoadedModel, rows: StepRows) -> Step:
    """The step as a run takes it, pass by pass; the reference is measured before."""
    from tokenunlearn.training.references import References
    from tokenunlearn.training.step_loss import StepLoss

    refusals: list[Encoding] = []
    stored = References.measure(lm, rows.config, rows.forget, refusals, rows.retained(0, 1), lambda *_: None)
    loss = StepLoss(target.model, rows.config, stored)

    def step() -> float:
        total = 0.0
        for part in range(rows.parts):
            batch = rows.batch(part, stored, lm.pad_id)
            value, _ = loss({name: x.to(lm.device) for name, x in batch.items()})
            value.backward()
            total += value.item()
        return total

    return step


def textbook(lm: LoadedModel, target: LoadedModel, rows: StepRows) -> Step:
    """NPO + KL as one writes it first."""
    import torch
    from torch.nn.functional import logsigmoid

    from tokenunlearn.models.encoding import collate

    config = rows.config
    reference = lm.model if config.train == "full" else copy.deepcopy(lm.model)  # full: target is the copy
    drawn = rows.of_step(0)
    forget = collate([rows.forget[i] for i in drawn[0]], lm.pad_id, lm.device)
    retain = collate([rows.retain[i] for i in drawn[1]], lm.pad_id, lm.device)

    def log_p(model: PreTrainedModel, batch: Any) -> Tensor:
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
        return logits.float().log_softmax(-1)  # (B, L, V)

    def response(batch: Any) -> Tensor:
        places = torch.zeros(batch.input_ids.shape, dtype=torch.long, device=lm.device)
        return places.scatter_add(1, batch.predictors, batch.mask.long()).bool()  # (B, L)

    def nll(values: Tensor, batch: Any) -> Tensor:
        of_next = -values[:, :-1].gather(-1, batch.input_ids[:, 1:, None])[..., 0]
        return (of_next * response(batch)[:, :-1]).sum(-1)  # (B,)

    def step() -> float:
        beta = config.parameters["beta"]
        with torch.no_grad():
            ref_nll, ref_log_p = nll(log_p(reference, forget), forget), log_p(reference, retain)
        rise = nll(log_p(target.model, forget), forget) - ref_nll
        npo = -(2 / beta) * logsigmoid(beta * rise).mean()
        own = log_p(target.model, retain)
        divergence = (ref_log_p.exp() * (ref_log_p - own)).sum(-1)[response(retain)].mean()
        loss = config.gamma * npo + config.lambda_ * divergence
        loss.backward()
        return float(loss.item())

    return step


def bare(lm: LoadedModel, target: LoadedModel, rows: StepRows) -> Step:
    """Forward and backward over as many tokens, laid end to end, in as many passes as ours."""
    import torch
    from torch.nn.functional import cross_entropy

    from tokenunlearn.models.forward import output_head

    passes = []
    for part in range(rows.parts):
        forget, retain = rows.of_part(part)
        encodings = [rows.forget[i] for i in forget] + [rows.retain[i] for i in retain]
        ids = torch.tensor([i for e in encodings for i in e.input_ids], device=lm.device)
        length = len(ids) // len(encodings)
        labels = [i for e in encodings for i in e.response_ids]
        passes.append(
            (ids[: length * len(encodings)].view(-1, length), torch.tensor(labels, device=lm.device))
        )

    def step() -> float:
        total = 0.0
        for ids, labels in passes:
            hidden = target.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            logits = output_head(target.model)(hidden.flatten(0, 1)[: len(labels)])
            loss = cross_entropy(logits, labels)
            loss.backward()
            total += loss.item()
        return total

    return step


def contend(contender: str, model: str, train: str, forget: int, retain: int, repeats: int) -> dict[str, Any]:
    """Seconds of each step after one warm-up, peak memory in MiB above the empty process, and the loss."""
    import torch

    import tokenunlearn as tu
    from tokenunlearn.training.preparation import passes_of_step
    from tokenunlearn.training.settings import UnlearnSettings
    from tokenunlearn.training.step_rows import StepPlan, StepRows
    from tokenunlearn.training.unlearn import trainable_copy

    torch.zeros(1).sum()
    empty = resident_mb()
    lm = tu.load_model(model)
    cuda = lm.device.type == "cuda"
    config = UnlearnSettings(
        objective="npo", train=train, steps=1, batch_size=forget, retain_batch_size=retain
    ).resolved(lm)
    torch.manual_seed(0)
    target, _, _ = trainable_copy(lm, config)
    target.model.train()
    weights = [p for p in target.model.parameters() if p.requires_grad]
    with torch.no_grad():
        for p in weights:
            p += OFF_THE_START * (p.abs().mean() or 0.1) * torch.randn_like(p)
    sets = [lm.encode_all(tu.load_samples(name)) for name in (FORGET, RETAIN)]
    plan = StepPlan.draw(config, *map(len, sets))
    rows = StepRows(config, sets[0], [], sets[1], [torch.ones(e.response_length) for e in sets[0]], plan)
    rows = StepRows(**vars(rows) | {"parts": passes_of_step(lm, config, rows)})
    step = {"ours": ours, "textbook": textbook, "bare": bare}[contender](lm, target, rows)
    optimizer = torch.optim.AdamW(weights, lr=1e-6, fused=True)
    seconds, cpu_seconds, loss = [], [], 0.0
    for _ in range(repeats + 1):
        optimizer.zero_grad()
        begun, cpu_begun = time.perf_counter(), time.process_time()
        loss = step()
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
        cpu_seconds.append(time.process_time() - cpu_begun)

    def peak() -> float:
        return torch.cuda.max_memory_allocated() / 2**20 if cuda else resident_mb() - empty

    before_update, begun = peak(), time.perf_counter()
    optimizer.step()
    if cuda:
        torch.cuda.synchronize()
    drawn = [rows.forget[i] for i in rows.of_step(0)[0]] + [rows.retain[i] for i in rows.of_step(0)[1]]
    return {
        "seconds": seconds[1:],
        "cpu_seconds": cpu_seconds[1:],
        "update_s": time.perf_counter() - begun,
        "peak_mb": before_update,
        "peak_with_update_mb": peak(),
        "loss": loss,
        "passes": rows.parts,
        "tokens": sum(map(len, drawn)),
        "response_tokens": sum(e.response_length for e in drawn),
    }


def compare(model: str, train: str, asked: argparse.Namespace) -> dict[str, Any]:
    """All contenders in turn, once a round."""
    machine_before = machine()
    arguments = ["--models", model, "--train", train, "--repeats", str(asked.repeats)]
    arguments += ["--forget", str(asked.forget), "--retain", str(asked.retain)]
    runs = alternate("benchmarks.steps", CONTENDERS, asked.rounds, arguments, asked.patience)
    first = runs["ours"][0]
    row: dict[str, Any] = {"model": model, "train": train, "forget": asked.forget, "retain": asked.retain}
    row |= {name: first[name] for name in ("tokens", "response_tokens", "passes")}
    row |= {"device": device_name(), "machine": machine_before, "load_after": machine()["load"]}
    row["contenders"] = {}
    for name, results in runs.items():
        row["contenders"][name] = {
            "seconds": spread([s for r in results for s in r["seconds"]]),
            "cpu_seconds": spread([s for r in results for s in r["cpu_seconds"]]),
            "update_s": spread([r["update_s"] for r in results]),
            "peak_mb": spread([r["peak_mb"] for r in results]),
            "peak_with_update_mb": spread([r["peak_with_update_mb"] for r in results]),
            "loss": results[0]["loss"],
        }
    ours, theirs = row["contenders"]["ours"], row["contenders"]["textbook"]
    row["loss_difference"] = abs(ours["loss"] - theirs["loss"])
    return row


def show(row: dict[str, Any]) -> None:
    """Print one comparison."""
    title = f"{row['model']}, {row['train']}, {row['tokens']} tokens in {row['passes']} passes"
    table = Table(
        "contender", "median s", "min .. max", "CPU s", "peak MiB", "against ours", "loss", title=title
    )
    base = row["contenders"]["ours"]["seconds"]["median"]
    for name, r in row["contenders"].items():
        s = r["seconds"]
        memory, ratio = f"{r['peak_mb']['median']:.0f}", f"{s['median'] / base:.2f}x"
        span = f"{s['min']:.3f} .. {s['max']:.3f}"
        cpu = f"{r['cpu_seconds']['median']:.3f}"
        table.add_row(name, f"{s['median']:.3f}", span, cpu, memory, ratio, f"{r['loss']:.5f}")
    Console().print(table)


def main() -> None:
    """Run the comparison and write it, or be one contender in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["demo", "smollm2"])
    parser.add_argument("--train", nargs="+", default=["full", "lora"], choices=["full", "lora"])
    parser.add_argument("--forget", type=int, default=12, help="forget samples of the step")
    parser.add_argument("--retain", type=int, default=36, help="retained samples of the step")
    parser.add_argument("--rounds", type=int, default=5, help="times that each contender takes its turn")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds above which a contender has one turn only"
    )
    parser.add_argument("--repeats", type=int, default=1, help="measured steps a turn, after a warm-up")
    parser.add_argument("--quick", action="store_true", help="a small step of demo, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / "steps.json")
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contend:
        result = contend(
            asked.contend, asked.models[0], asked.train[0], asked.forget, asked.retain, asked.repeats
        )
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        return
    if asked.quick:
        asked.models, asked.forget, asked.retain, asked.rounds = ["demo"], 2, 3, 1
    rows, device = stored_rows(asked.out, ("device", "model", "train")), device_name()
    for model in asked.models:
        for train in asked.train:
            rows[device, model, train] = compare(model, train, asked)
            store_rows(asked.out, rows)
            show(rows[device, model, train])


if __name__ == "__main__":
    main()
