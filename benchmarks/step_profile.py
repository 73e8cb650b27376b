"""What each part of an unlearning step adds to forward and backward of its tokens, full training.

    python -m benchmarks.step_profile [--model smollm2] [--rounds 4]

Forms take turns in one process after a warm-up; prints medians, which docs/performance.md quotes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from benchmarks.steps import FORGET, RETAIN, Step, bare, ours


def forms(model: str) -> dict[str, Step]:
    """Steps from the bare one to the whole, by name; each leaves its gradients."""
    import torch
    from torch.nn.functional import cross_entropy

    import tokenunlearn as tu
    from tokenunlearn.models.encoding import collate
    from tokenunlearn.models.forward import mean_per_token, output_head, response_hidden, token_nll
    from tokenunlearn.training.preparation import passes_of_step
    from tokenunlearn.training.settings import UnlearnSettings
    from tokenunlearn.training.step_rows import StepPlan, StepRows
    from tokenunlearn.training.unlearn import trainable_copy

    lm = tu.load_model(model)
    config, nll = (
        UnlearnSettings(
            objective="npo", train="full", steps=1, batch_size=12, retain_batch_size=36, regularizer=name
        ).resolved(lm)
        for name in ("kl", "nll")
    )
    target, _, _ = trainable_copy(lm, config)
    forget, retain = (lm.encode_all(tu.load_samples(name)) for name in (FORGET, RETAIN))
    plan = StepPlan.draw(config, len(forget), len(retain))
    rows = StepRows(config, forget, [], retain, [torch.ones(e.response_length) for e in forget], plan)
    rows = StepRows(**vars(rows) | {"parts": passes_of_step(lm, config, rows)})
    head, batches = output_head(target.model), []
    for part in range(rows.parts):
        drawn, kept = rows.of_part(part)
        batches.append(collate([forget[i] for i in drawn] + [retain[i] for i in kept], lm.pad_id, lm.device))

    def padded(in_parts: bool) -> float:
        for batch in batches:
            hidden, labels = response_hidden(target.model, batch)[batch.mask], batch.labels[batch.mask]
            if in_parts:
                mean_per_token(token_nll, head, hidden, labels).backward()
            else:
                cross_entropy(head(hidden), labels).backward()
        return 0.0

    return {
        "bare": bare(lm, target, rows),
        "padded": lambda: padded(in_parts=False),
        "padded, head in parts": lambda: padded(in_parts=True),
        "NPO and NLL": ours(lm, target, StepRows(**vars(rows) | {"config": nll})),
        "NPO and KL": ours(lm, target, rows),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each form")
    asked = parser.parse_args()
    steps = forms(asked.model)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(asked.rounds + 1):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        sys.stdout.write(f"{name:24}{median:8.3f} s {median / medians['bare']:6.2f}\n")


if __name__ == "__main__":
    main()
