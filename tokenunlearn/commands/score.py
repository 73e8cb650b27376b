"""``tokenunlearn score``: which tokens carry the knowledge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.commands.check import show, warn
from tokenunlearn.commands.console import (
    Adapter,
    AllTurns,
    BaseModel,
    Columns,
    Json,
    OwnModel,
    Prefix,
    Quantization,
    Samples,
    TemplateKwargs,
    assigned,
    bars,
    model_source,
    out,
    print_json,
    score_options,
    with_columns,
)
from tokenunlearn.commands.options import with_settings
from tokenunlearn.files import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.loaded_model import LoadedModel


@with_settings({"What is measured": MaskingSettings, "Importance": ImportanceSettings})
def score(
    settings: dict[str, Any],
    samples: Samples,
    model: OwnModel = None,
    adapter: Adapter = "",
    template_kwargs: TemplateKwargs = None,
    quantization: Quantization = "",
    out_path: Annotated[Path, typer.Option("--out", help="Score set to write (.parquet).")] = Path(
        "scores.parquet"
    ),
    preset: Annotated[
        str,
        typer.Option(
            help="Score settings: default, paper (as published) or leave-one-out (the former default; one "
            "forward pass per word of the question)."
        ),
    ] = "default",
    selector: Annotated[
        Path | None,
        typer.Option(help="Selector written by `selector fit`; it computes the importance."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any score setting by name (scope=sample); repeatable.",
        ),
    ] = None,
    prefix: Prefix = False,
    base_model: BaseModel = None,
    columns: Columns = "",
    all_turns: AllTurns = False,
    long: Annotated[
        str, typer.Option(help="Samples that exceed the context.", metavar="error|skip|chunk|truncate")
    ] = "error",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of samples, evenly spaced.")
    ] = None,
    cache: Annotated[
        bool, typer.Option(help="Cache scores on disk and reuse them, so that a stopped job can continue.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Score every response token of a forget set by masking and entropy."""
    from tokenunlearn.attribution.score import score as score_samples
    from tokenunlearn.attribution.score import split_settings
    from tokenunlearn.attribution.selector import Selector
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.models.processes import is_main_process
    from tokenunlearn.runs.fit import fit
    from tokenunlearn.runs.scoring_model import scored_after_runs

    (samples,) = with_columns(columns, samples, all_turns=all_turns)
    loaded = load_samples(samples).spread(limit)
    settings |= assigned(assignments or [])
    split_settings(preset, **settings)
    learned = Selector.load(selector) if selector else None
    options = score_options(prefix, base_model)
    if learned is not None:
        learned.check(options)
    check_writable(out_path)
    source = model_source(model, adapter, template_kwargs, quantization)
    lm = source.load()
    warn(lm, loaded)
    if is_main_process():
        show([*filter(None, [scored_after_runs(source)])])
    with bars() as phase:
        scores = score_samples(
            lm,
            loaded,
            preset=preset,
            cache=cache,
            long=long,
            progress=lambda done, total: phase("scoring", done, total),
            **options,
            **settings,
        )
    if not is_main_process():
        return
    scores = replace(scores, selector=learned)
    scores.save(out_path)
    own = fit(scores, seconds=_seconds(lm, loaded))
    show([finding for finding in own.findings if finding.level != "note"])
    tokens = sum(len(x.texts) for x in scores.samples)
    result = {"scores": str(out_path), "samples": len(scores), "tokens": tokens, "hash": scores.hash}
    if as_json:
        threshold = scores.suggested_threshold
        more = {"reading": scores.reading, "suggested_threshold": threshold}
        print_json({**result, **more, "fit": own.to_json()})
        return
    out.print(f"{len(scores)} samples, {tokens:,} response tokens -> {escape(str(out_path))}")
    out.print(escape(_reading(scores)), soft_wrap=True)
    for finding in own.findings:
        if finding.level == "note":
            out.print(escape(finding.sentence), soft_wrap=True, highlight=False)
    out.print(f"hash {scores.hash[:16]}, model {escape(scores.model)} {scores.revision}")


def _seconds(lm: LoadedModel, samples: Sequence[Sample]) -> float | None:
    """Expected time of a run's training with the default settings, from the speed of a forward pass."""
    from tokenunlearn.runs.check import inspect
    from tokenunlearn.training.settings import UnlearnSettings

    cost = inspect(lm, samples).cost
    return cost.time([UnlearnSettings().resolved(lm)]) if cost else None


def _reading(scores: ScoreSet) -> str:
    """Where the importance comes from, and the threshold that the scores ask for."""
    from tokenunlearn.attribution.selection_check import check_selection

    threshold = f"suggested threshold {scores.suggested_threshold:g}"
    if scores.selector is not None:
        return f"importance from the selector {scores.selector.name} ({scores.selector.hash}); {threshold}"
    check = check_selection(scores, scores.weights().weights)
    if check.reading == "plain":
        return f"entropy reading plain; {threshold}"
    relation = "because" if check.reading == check.suggested else "although"
    why = {
        "sharp": f"the model is uncertain at {100 * check.hesitant:.0f} % of the words",
        "tail": "the entropies of the words do not fall into two groups",
    }
    return f"entropy reading {check.reading}, {relation} {why[check.suggested]}; {threshold}"
