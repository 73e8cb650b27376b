"""Runs that go on against runs that nothing disturbs: the largest difference of weights and of losses.

    python -m benchmarks.resume [--steps 12] [--seed 0]

Each kind of training is done three times on demo: whole; interrupted by an error in a callback after
a third and after two thirds of the steps, and repeated; and with scores made between all steps, as the app
makes them for a visitor while a run trains. Checkpoints are written every second step. Writes
``benchmarks/results/resume.json`` and ``docs/reliability.md``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

import tokenunlearn as tu
from benchmarks import RESULTS, code_versions, reliability, write_result
from tokenunlearn.training.unlearn import Unlearned

FORGET, RETAIN = "authors:forget10", "authors:retain90"
RULES = {"hard": tu.HardSelection(), "soft": tu.SoftWeighting(0.1)}
# Name -> the rule, and what differs from NPO with its recommended settings.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "hard, full": ("hard", {"train": "full"}),
    "hard, LoRA": ("hard", {"train": "lora"}),
    "soft, full": ("soft", {"train": "full"}),
    "soft, LoRA": ("soft", {"train": "lora"}),
    "weights made in the step (SatImp), full": ("hard", {"weighting": "satimp"}),
    "dual variable (PDU), full": ("hard", {"objective": "pdu", "parameters": {"warmup": 0}}),
}


class Interruption(Exception):
    """Ends a training from a callback."""


def differences(one: Unlearned, other: Unlearned) -> tuple[float, float]:
    """Largest absolute difference of weights, and of forget losses over the steps."""
    pairs = zip(one.model.model.parameters(), other.model.model.parameters(), strict=True)
    weights = max(float((a - b).abs().max()) for a, b in pairs)
    losses = zip(one.history, other.history, strict=True)
    return weights, max(abs(a["forget_loss"] - b["forget_loss"]) for a, b in losses)


def measure(kind: str, steps: int, seed: int) -> dict[str, Any]:
    """The differences of one kind of training."""
    model, samples = tu.load_model("demo"), tu.load_samples(FORGET)
    rule, settings = KINDS[kind]
    weights = tu.score(model, samples).weights(RULES[rule])

    def train(on_step: Callable[[dict[str, float]], None] | None = None, **more: Any) -> Unlearned:
        return tu.unlearn(
            model,
            samples,
            weights,
            retain=RETAIN,
            steps=steps,
            seed=seed,
            on_step=on_step,
            **{"objective": "npo"} | settings,
            **more,
        )

    def interrupt(last: int) -> Callable[[dict[str, float]], None]:
        def on_step(record: dict[str, float]) -> None:
            if record["step"] == last:
                raise Interruption

        return on_step

    whole = train()
    with tempfile.TemporaryDirectory() as folder:
        for last in (steps // 3, 2 * steps // 3):
            try:
                train(interrupt(last), checkpoints=folder, checkpoint_every=2)
            except Interruption:
                continue
            raise AssertionError("not interrupted")
        resumed = train(checkpoints=folder, checkpoint_every=2)

    def visit(record: dict[str, float]) -> None:
        tu.score(model, samples[:2])

    beside = train(visit)
    result = {"kind": kind}
    for name, other in (("resumed", resumed), ("beside", beside)):
        result |= dict(zip((f"{name}_weights", f"{name}_losses"), differences(whole, other), strict=True))
    return result


def main(
    steps: Annotated[int, typer.Option(help="Steps of each training.")] = 12,
    seed: Annotated[int, typer.Option(help="Seed of each training.")] = 0,
) -> None:
    """Measure every kind and write the result."""
    torch.set_num_threads(1)
    rows = []
    for kind in KINDS:
        rows.append(measure(kind, steps, seed))
        Console().print(rows[-1])
    result = {"steps": steps, "rows": rows, **code_versions()}
    write_result(RESULTS / "resume.json", result)
    reliability.write_page()


if __name__ == "__main__":
    typer.run(main)
