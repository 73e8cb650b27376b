"""Leave-one-out masking: this project's engine against Captum, two naive loops, and the bound.

    python -m benchmarks.masking --models demo smollm2 --lengths 32 64 128 256

Every contender masks each prompt token of one random sequence and measures what each response token loses.
All but Captum hide a token from attention; Captum's FeatureAblation cannot, so it replaces the token's id,
and is compared with the engine's operator "token". The bound is what no exact method can avoid: one pass over
the sequence, then for each mask the positions behind it, in rows without padding, and logits at response
positions only. Contenders take turns, each in a process of its own, after a warm-up on a short sequence; one
that takes longer than ``--patience`` seconds has one turn only. Memory is the process's peak above that of an
empty one, weights included. What is measured takes its row's place in ``benchmarks/results/masking.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks import RESULTS
from benchmarks.contest import alternate, device_name, machine, resident_mb, spread, store_rows, stored_rows

if TYPE_CHECKING:
    import torch

    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.loaded_model import LoadedModel

CONTENDERS = ("ours", "ours, token", "captum", "captum, one pass", "naive batched", "naive single", "bound")
SETTINGS = {"measure": "drop", "unit": "token", "mask": "leave-one-out"}


def random_encoding(lm: LoadedModel, prompt: int, response: int, seed: int = 0) -> Encoding:
    """A sequence of random ordinary tokens, named by its seed; every prompt token carries the question."""
    import torch

    from tokenunlearn.models.encoding import Encoding

    generator = torch.Generator().manual_seed(seed)
    special = set(lm.tokenizer.all_special_ids)
    ids = [int(i) for i in torch.randint(len(lm.tokenizer), (8 * (prompt + response),), generator=generator)]
    ids = [i for i in ids if i not in special][: prompt + response]
    spans = tuple((i, i + 1) for i in range(prompt))
    texts = tuple("x" for _ in ids)
    answers = tuple((i, i + 1) for i in range(response))
    return Encoding(str(seed), "x" * prompt, "x" * response, tuple(ids), prompt, texts, spans, answers)


def ours(lm: LoadedModel, e: Encoding, operator: str = "attention") -> torch.Tensor:
    """The engine of this project."""
    import torch

    from tokenunlearn.attribution.masking import measure_masking
    from tokenunlearn.attribution.masking_settings import MaskingSettings

    return torch.from_numpy(
        measure_masking(lm, [e], MaskingSettings(operator=operator, **SETTINGS))[0].losses
    )


def naive_batched(lm: LoadedModel, e: Encoding, rows: int = 32) -> torch.Tensor:
    """Whole sequences in batches, all logits: what one writes first."""
    import torch

    ids = torch.tensor([e.input_ids], device=lm.device)
    labels = ids[0, e.prompt_length :, None]
    masks = torch.ones((e.prompt_length + 1, len(e)), dtype=torch.long, device=lm.device)
    masks[torch.arange(e.prompt_length) + 1, torch.arange(e.prompt_length)] = 0
    places = torch.arange(len(e), device=lm.device)[None]
    nll = []
    for part in masks.split(rows):
        batch = ids.expand(len(part), -1)
        logits = lm.model(input_ids=batch, attention_mask=part, position_ids=places, use_cache=False).logits
        log_p = logits[:, e.prompt_length - 1 : -1].float().log_softmax(-1)
        nll.append(-log_p.gather(-1, labels.expand(len(part), -1, -1))[..., 0])
    all_nll = torch.cat(nll).cpu()
    return all_nll[1:] - all_nll[0]


def captum(lm: LoadedModel, e: Encoding, in_tokens: bool = True) -> torch.Tensor:
    """Captum's LLM attribution with FeatureAblation; by default it reads the response token by token.

    Its cache is off: under this version of transformers it gives other numbers from the second token on.
    """
    import torch
    from captum.attr import FeatureAblation, LLMAttribution, TextTokenInput

    from tokenunlearn.attribution.masking_engine import mask_id

    class Tokens(TextTokenInput):  # its own tokenizes a text again, which need not give the same ids
        def __init__(self) -> None:
            self.inp_tensor = torch.tensor([e.input_ids[: e.prompt_length]], device=lm.device)
            self.itp_tensor = self.inp_tensor
            self.itp_mask = None
            self.values = [str(i) for i in range(e.prompt_length)]
            self.tokenizer = lm.tokenizer
            self.n_itp_features = e.prompt_length
            self.baselines = mask_id(lm)

    method = LLMAttribution(FeatureAblation(lm.model), lm.tokenizer)
    target = torch.tensor(e.response_ids)
    return method.attribute(
        Tokens(), target=target, use_cached_outputs=False, forward_in_tokens=in_tokens
    ).token_attr.T.cpu()


def bound(lm: LoadedModel, e: Encoding) -> None:
    """The forward passes that no exact method can avoid, without padding and without a cache.

    The positions behind every mask are laid end to end in rows as long as the sequence.
    """
    import torch

    from tokenunlearn.models.forward import output_head, token_nll

    device, head = lm.device, output_head(lm.model)
    ids = torch.tensor([e.input_ids[:-1]], device=device)
    behind = sum(len(e) - 1 - min(p + 1, e.prompt_length - 1) for p in range(e.prompt_length))
    rows = -(-behind // ids.shape[1])
    labels = torch.tensor(e.response_ids, device=device)
    at_once = 8 if device.type == "cpu" else 512
    for part in [ids, *ids.expand(rows, -1).split(at_once)]:
        lm.model.base_model(input_ids=part, use_cache=False)
    hidden = torch.randn(e.response_length, lm.model.config.hidden_size, device=device, dtype=lm.model.dtype)
    for _ in range(e.prompt_length + 1):
        token_nll(head(hidden), labels)


def contend(contender: str, model: str, prompt: int, response: int, repeats: int) -> dict[str, Any]:
    """Seconds of each turn after a warm-up, peak memory in MiB above the empty process, and the losses."""
    import torch

    from tokenunlearn.models.loading import load_model

    torch.zeros(1).sum()
    empty = resident_mb()
    lm = load_model(model)
    work = {
        "ours": ours,
        "ours, token": partial(ours, operator="token"),
        "captum": captum,
        "captum, one pass": partial(captum, in_tokens=False),
        "naive batched": naive_batched,
        "naive single": partial(naive_batched, rows=1),
        "bound": bound,
    }[contender]
    cuda = lm.device.type == "cuda"
    e = random_encoding(lm, prompt, response)
    seconds, cpu_seconds, losses = [], [], None
    with torch.no_grad():
        work(lm, random_encoding(lm, 8, 4))
        for _ in range(repeats):
            if cuda:
                torch.cuda.synchronize()
            begun, cpu_begun = time.perf_counter(), time.process_time()
            losses = work(lm, e)
            if cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begun)
            cpu_seconds.append(time.process_time() - cpu_begun)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mb": torch.cuda.max_memory_allocated() / 2**20 if cuda else resident_mb() - empty,
        "losses": None if losses is None else losses.tolist(),
    }


def compare(model: str, prompt: int, asked: argparse.Namespace) -> dict[str, Any]:
    """All contenders in turn, once a round: median and spread of time, peak memory, largest difference."""
    import numpy as np

    row: dict[str, Any] = {"model": model, "prompt": prompt, "response": asked.response}
    row |= {"device": device_name(), "machine": machine(), "contenders": {}}
    arguments = ["--models", model, "--lengths", str(prompt), "--response", str(asked.response)]
    arguments += ["--repeats", str(asked.repeats)]
    runs = alternate("benchmarks.masking", asked.contenders, asked.rounds, arguments, asked.patience)
    row["load_after"] = machine()["load"]
    for name, results in runs.items():
        figures = {key: spread([s for r in results for s in r[key]]) for key in ("seconds", "cpu_seconds")}
        figures["peak_mb"] = spread([r["peak_mb"] for r in results])
        twin = "ours, token" if name.startswith("captum") else "ours"
        if results[0]["losses"] and twin in runs and name not in ("ours", "ours, token"):
            mine, theirs = (np.array(r[0]["losses"]) for r in (runs[twin], results))
            figures["largest_difference"] = float(np.abs(mine - theirs).max())
        row["contenders"][name] = figures
    return row


def main() -> None:
    """Run the comparison and write it, or be one contender in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["demo", "smollm2"])
    parser.add_argument(
        "--lengths", nargs="+", type=int, default=[32, 64, 96, 128, 256], help="prompt tokens"
    )
    parser.add_argument("--response", type=int, default=32, help="response tokens")
    parser.add_argument("--rounds", type=int, default=5, help="times that each contender is measured")
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds above which a contender is measured once"
    )
    parser.add_argument("--repeats", type=int, default=1, help="measured turns in a process, after a warm-up")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--quick", action="store_true", help="a short sequence once, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / "masking.json")
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contend:
        result = contend(asked.contend, asked.models[0], asked.lengths[0], asked.response, asked.repeats)
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        return
    if asked.quick:
        asked.models, asked.lengths, asked.response, asked.rounds = ["demo"], [6], 4, 1
    rows, device = stored_rows(asked.out, ("device", "model", "prompt")), device_name()
    for model in asked.models:
        for prompt in asked.lengths:
            rows[device, model, prompt] = compare(model, prompt, asked)
            store_rows(asked.out, rows)
            show(rows[device, model, prompt])


def show(row: dict[str, Any]) -> None:
    """Print one comparison."""
    title = f"{row['model']}, {row['prompt']} + {row['response']} tokens"
    table = Table(
        "contender", "median s", "min .. max", "n", "peak MiB", "against ours", "difference", title=title
    )
    base = row["contenders"].get("ours", {}).get("seconds", {}).get("median")
    for name, r in row["contenders"].items():
        s = r["seconds"]
        ratio = f"{s['median'] / base:.2f}x" if base else ""
        difference = f"{r['largest_difference']:.1e}" if "largest_difference" in r else ""
        span, memory = f"{s['min']:.3f} .. {s['max']:.3f}", f"{r['peak_mb']['median']:.0f}"
        table.add_row(name, f"{s['median']:.3f}", span, str(s["n"]), memory, ratio, difference)
    Console().print(table)


if __name__ == "__main__":
    main()
