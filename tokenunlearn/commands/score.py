"""``tokenunlearn score``: which tokens carry the knowledge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from tokenunlearn.commands.console import (
    Json,
    Model,
    Samples,
    assigned,
    bars,
    check_writable,
    out,
    print_json,
)


def score(
    samples: Samples,
    model: Model = "demo",
    out_path: Annotated[Path, typer.Option("--out", help="Score set to write, .parquet.")] = Path(
        "scores.parquet"
    ),
    preset: Annotated[str, typer.Option(help="default, or paper for the method as published.")] = "default",
    mask: Annotated[str | None, typer.Option(help="leave-one-out, prompt or random.")] = None,
    unit: Annotated[str | None, typer.Option(help="word or token.")] = None,
    operator: Annotated[str | None, typer.Option(help="attention, token or embedding.")] = None,
    measure: Annotated[str | None, typer.Option(help="drop or kl.")] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Mix: 1 is the knowledge score alone, 0 the entropy.")
    ] = None,
    fusion: Annotated[str | None, typer.Option(help="product or sum.")] = None,
    copy_guard: Annotated[bool | None, typer.Option(help="Score words that repeat the question 0.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other score setting (normaliser=minmax, scope=sample, subsets=32); can be given "
            "several times.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Score this many samples, evenly spread.")] = None,
    cache: Annotated[
        bool, typer.Option(help="Keep scores on disk and reuse those that are there; goes on after a stop.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Score every response token of a forget set by masking and entropy."""
    from tokenunlearn.attribution.score import score as score_samples
    from tokenunlearn.attribution.score import split_settings
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.distributed import is_main_process
    from tokenunlearn.models import load_model

    loaded = load_samples(samples).spread(limit)
    settings: dict[str, Any] = {"mask": mask, "unit": unit, "operator": operator, "measure": measure}
    settings |= {"alpha": alpha, "fusion": fusion, "copy_guard": copy_guard} | assigned(assignments or [])
    split_settings(preset, **settings)
    lm = load_model(model)
    check_writable(out_path)
    with bars() as phase:
        scores = score_samples(
            lm,
            loaded,
            preset=preset,
            cache=cache,
            progress=lambda done, total: phase("scoring", done, total),
            **settings,
        )
    if not is_main_process():
        return
    scores.save(out_path)
    tokens = sum(len(x.texts) for x in scores.samples)
    result = {"scores": str(out_path), "samples": len(scores), "tokens": tokens, "hash": scores.hash}
    if as_json:
        print_json(result)
        return
    out.print(f"{len(scores)} samples, {tokens:,} response tokens -> {escape(str(out_path))}")
    out.print(f"hash {scores.hash[:16]}, model {escape(model)} {scores.revision}")
