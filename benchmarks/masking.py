"""Leave-one-out masking: this project's engine against Captum, two naive loops, and the bound.

    python -m benchmarks.masking --models demo smollm2 --lengths 32 64 128 256

Every contender masks each prompt token of one random sequence and measures what each response token loses.
All but Captum hide a token from attention; Captum's FeatureAblation cannot, so it replaces the token's id,
and is compared with the engine's operator "token". The bound is what no exact method can avoid: one pass over
the sequence, then for each mask the positions behind it, in rows without padding, and logits at response
positions only. Contenders take turns, each in a process of its own, so that memory is its own too. Writes
``benchmarks/results/masking.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import torch

    from tokenunlearn.models import LoadedModel
    from tokenunlearn.samples import Encoding

RESULT = Path(__file__).parent / "results" / "masking.json"
CONTENDERS = ("ours", "ours, token", "captum", "captum, one pass", "naive batched", "naive single", "bound")
SETTINGS = {"measure": "drop", "unit": "token", "mask": "leave-one-out"}


def random_encoding(lm: LoadedModel, prompt: int, response: int) -> Encoding:
    """A sequence of random ordinary tokens; every prompt token carries the question."""
    import torch

    from tokenunlearn.samples import Encoding

    generator = torch.Generator().manual_seed(0)
    special = set(lm.tokenizer.all_special_ids)
    ids = [int(i) for i in torch.randint(len(lm.tokenizer), (8 * (prompt + response),), generator=generator)]
    ids = [i for i in ids if i not in special][: prompt + response]
    spans = tuple((i, i + 1) for i in range(prompt))
    texts = tuple("x" for _ in ids)
    answers = tuple((i, i + 1) for i in range(response))
    return Encoding("x", "x" * prompt, "x" * response, tuple(ids), prompt, texts, spans, answers)


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


def naive_single(lm: LoadedModel, e: Encoding) -> torch.Tensor:
    """One whole sequence at a time."""
    return naive_batched(lm, e, rows=1)


def captum(lm: LoadedModel, e: Encoding, in_tokens: bool = True) -> torch.Tensor:
    """Captum's LLM attribution with FeatureAblation; by default it reads the response token by token.

    Its cache is off: under this version of transformers it gives other numbers from the second token on.
    """
    import torch
    from captum.attr import FeatureAblation, LLMAttribution, TextTokenInput

    from tokenunlearn.attribution.masking_engine import mask_id

    class Tokens(TextTokenInput):  # its own tokenises a text again, which need not give the same ids
        def __init__(self) -> None:
            self.inp_tensor = torch.tensor([e.input_ids[: e.prompt_length]], device=lm.device)
            self.itp_tensor = self.inp_tensor
            self.itp_mask = None
            self.values = [str(i) for i in range(e.prompt_length)]
            self.tokenizer = lm.tokenizer
            self.n_itp_features = e.prompt_length
            self.baselines = mask_id(lm)

    method = LLMAttribution(FeatureAblation(lm.model), lm.tokenizer)
    target = torch.tensor(e.input_ids[e.prompt_length :])
    return method.attribute(
        Tokens(), target=target, use_cached_outputs=False, forward_in_tokens=in_tokens
    ).token_attr.T.cpu()


def bound(lm: LoadedModel, e: Encoding) -> None:
    """The forward passes that no exact method can avoid, without padding and without a cache.

    The positions behind every mask are laid end to end in rows as long as the sequence.
    """
    import torch

    from tokenunlearn.forward import output_head, token_nll

    device, head = lm.device, output_head(lm.model)
    ids = torch.tensor([e.input_ids[:-1]], device=device)
    behind = sum(len(e) - 1 - min(p + 1, e.prompt_length - 1) for p in range(e.prompt_length))
    rows = -(-behind // ids.shape[1])
    labels = torch.tensor(e.input_ids[e.prompt_length :], device=device)
    for part in [ids, *ids.expand(rows, -1).split(8)]:
        lm.model.base_model(input_ids=part, use_cache=False)
    hidden = torch.randn(e.response_length, lm.model.config.hidden_size, device=device, dtype=lm.model.dtype)
    for _ in range(e.prompt_length + 1):
        token_nll(head(hidden), labels)


def contend(contender: str, model: str, prompt: int, response: int, repeats: int) -> dict[str, Any]:
    """Seconds of each repetition after one warm-up, peak memory in MB, and the losses, of one contender."""
    import torch

    from tokenunlearn.models import load_model

    lm = load_model(model)
    e = random_encoding(lm, prompt, response)
    work = {
        "ours": ours,
        "ours, token": lambda lm, e: ours(lm, e, "token"),
        "captum": captum,
        "captum, one pass": lambda lm, e: captum(lm, e, in_tokens=False),
        "naive batched": naive_batched,
        "naive single": naive_single,
        "bound": bound,
    }[contender]
    cuda = lm.device.type == "cuda"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, losses = [], None
    with torch.no_grad():
        for _ in range(repeats + 1):
            begun = time.perf_counter()
            losses = work(lm, e)
            if cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begun)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else resident
    device = torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine()
    return {
        "seconds": seconds[1:],
        "peak_mb": peak,
        "loaded_mb": before,
        "device": f"{device}, {torch.get_num_threads()} threads",
        "losses": None if losses is None else losses.tolist(),
    }


def compare(model: str, prompt: int, response: int, rounds: int, contenders: list[str]) -> dict[str, Any]:
    """All contenders in turn, once a round: median and spread of time, peak memory, largest difference."""
    import numpy as np

    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in contenders:
            asked = ["--contend", name, "--models", model, "--lengths", str(prompt)]
            asked += ["--response", str(response)]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.masking", *asked],
                capture_output=True,
                text=True,
                check=True,
            )
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    row: dict[str, Any] = {"model": model, "prompt": prompt, "response": response, "contenders": {}}
    for name, results in runs.items():
        seconds = [s for r in results for s in r["seconds"]]
        row["device"] = results[0]["device"]
        row["contenders"][name] = {
            "median_s": statistics.median(seconds),
            "min_s": min(seconds),
            "max_s": max(seconds),
            "n": len(seconds),
            "peak_mb": round(max(r["peak_mb"] for r in results), 1),
            "loaded_mb": round(max(r["loaded_mb"] for r in results), 1),
        }
        twin = "ours, token" if name.startswith("captum") else "ours"
        if results[0]["losses"] and twin in runs and name not in ("ours", "ours, token"):
            mine, theirs = (np.array(r[0]["losses"]) for r in (runs[twin], results))
            row["contenders"][name]["largest_difference"] = float(np.abs(mine - theirs).max())
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
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contend:
        result = contend(asked.contend, asked.models[0], asked.lengths[0], asked.response, repeats=1)
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        return
    rows = []
    for model in asked.models:
        for prompt in asked.lengths:
            rows.append(compare(model, prompt, asked.response, asked.rounds, asked.contenders))
            asked.out.parent.mkdir(exist_ok=True)
            asked.out.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")
            show(rows[-1])


def show(row: dict[str, Any]) -> None:
    """Print one comparison."""
    title = f"{row['model']}, {row['prompt']} + {row['response']} tokens, {row['device']}"
    table = Table("contender", "median s", "min .. max", "peak MB", "against ours", "difference", title=title)
    base = row["contenders"].get("ours", {}).get("median_s")
    for name, r in row["contenders"].items():
        ratio = f"{r['median_s'] / base:.2f}x" if base else ""
        difference = f"{r['largest_difference']:.1e}" if "largest_difference" in r else ""
        spread = f"{r['min_s']:.3f} .. {r['max_s']:.3f}"
        table.add_row(name, f"{r['median_s']:.3f}", spread, f"{r['peak_mb']:.0f}", ratio, difference)
    Console().print(table)


if __name__ == "__main__":
    main()
