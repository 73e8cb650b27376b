"""``tokenunlearn evaluate`` and ``attack``: what is forgotten, and whether it is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tokenunlearn.commands.console import (
    Adapter,
    Columns,
    OwnModel,
    Quantization,
    TemplateKwargs,
    bars,
    model_source,
    out,
    print_json,
    with_columns,
)
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import check_writable
from tokenunlearn.settings import LARGEST

if TYPE_CHECKING:
    from tokenunlearn.evaluation.report import Report

# The name that --retrained had.
OldRetrained = Annotated[str | None, typer.Option("--reference", hidden=True)]

JsonPath = Annotated[
    Path | None, typer.Option("--json", help='Write the report to this file; "-" prints it.')
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Maximum number of samples of a split, evenly spaced.")
]


def evaluate(
    model: OwnModel = None,
    adapter: Adapter = "",
    template_kwargs: TemplateKwargs = None,
    quantization: Quantization = "",
    suite: Annotated[
        str,
        typer.Option(
            help="Evaluation suite: authors, tofu, prose, german, japanese, wmdp, mmlu, alchemy, or own for "
            "your own samples."
        ),
    ] = "authors",
    retrained: Annotated[
        str | None,
        typer.Option(help="Retrained model or its report (JSON); default: the known one for the model."),
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(help='Forget split; default: forget10. Suite own: any samples, e.g. "file:my.jsonl".'),
    ] = None,
    retain: Annotated[
        str | None,
        typer.Option(
            help="Retain split; default: retain90, or retain_perturbed for tofu. Suite own: any samples."
        ),
    ] = None,
    columns: Columns = "",
    limit: Limit = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Start model or its report (JSON), for retained pairs; default: the one of --adapter."
        ),
    ] = None,
    judge: Annotated[
        str,
        typer.Option(
            help="What says which answers are broken: words, smollm2, or auto: smollm2 for models from 50 M "
            "parameters on, if it is installed, else words."
        ),
    ] = "auto",
    depth: Annotated[
        bool,
        typer.Option(
            "--depth",
            help="Unlearning depth too: patch hidden states into the start model, the one of --adapter.",
        ),
    ] = False,
    truth_ratio: Annotated[
        str, typer.Option(help="Mean over the wrong answers: geometric_mean or prob_mean.")
    ] = "geometric_mean",
    extraction_strength: Annotated[
        str, typer.Option(help="exact (can reach 0) or published (at least 1/T).")
    ] = "exact",
    json_path: JsonPath = None,
    reference: OldRetrained = None,
) -> None:
    """Measure what was forgotten and what was retained."""
    from tokenunlearn.evaluation import evaluate as evaluate_model
    from tokenunlearn.evaluation.judges import check_judge
    from tokenunlearn.evaluation.report import stored_report
    from tokenunlearn.evaluation.suites.insides import check_depth
    from tokenunlearn.evaluation.suites.suite import check_suite, known_retrained

    source = model_source(model, adapter, template_kwargs, quantization)
    forget, retain = with_columns(columns, forget or "", retain or "")
    retrained = retrained or reference
    if retrained is None:
        retrained = known_retrained(source.name, suite, forget)
    check_judge(judge)
    check_suite(suite, limit)
    if depth:
        check_depth(suite, retrained)
        if not source.adapters:
            raise TokenUnlearnError("--depth needs --adapter: the start model is the one without it.")
    before: Report | str | None = start
    if before is None and source.adapters:
        *earlier, _ = source.adapters
        before = stored_report(source.name, suite, Path(earlier[-1]).parent if earlier else None)
    if json_path is not None and str(json_path) != "-":
        check_writable(json_path)
    lm = source.load()
    original = replace(source, adapters=source.adapters[:-1]).load() if depth else None
    with bars() as phase:
        report = evaluate_model(
            lm,
            suite,
            retrained,
            start=before,
            judge=judge,
            depth=original,
            forget=forget,
            retain=retain,
            limit=limit,
            truth_ratio_form=truth_ratio,  # type: ignore[arg-type]
            extraction_strength_form=extraction_strength,
            progress=phase,
        )
    _show_report(report, f"{source.name} on {suite}", json_path)


def attack(
    model: OwnModel = None,
    adapter: Adapter = "",
    template_kwargs: TemplateKwargs = None,
    quantization: Quantization = "",
    attacks: Annotated[
        str,
        typer.Option(
            help="Comma-separated: paraphrase, prefix, sampling, quantization, probe, relearning; or all."
        ),
    ] = "all",
    samples: Annotated[str, typer.Option(help="Forget set to recover.")] = "authors:forget10",
    retrained: Annotated[
        str | None,
        typer.Option(help="Retrained model to attack for comparison; default: the known one for the model."),
    ] = None,
    columns: Columns = "",
    limit: Limit = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST, help="Seed of sampling, folds and relearning.")
    ] = 0,
    json_path: JsonPath = None,
    reference: OldRetrained = None,
) -> None:
    """Try to recover forgotten knowledge: is it gone, or only hidden?"""
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.evaluation.attacks import ATTACKS
    from tokenunlearn.evaluation.attacks import attack as attack_model
    from tokenunlearn.models.presets import retrained_without

    source = model_source(model, adapter, template_kwargs, quantization)
    retrained = retrained or reference
    if retrained is None:
        retrained = retrained_without(source.name, samples)
    (samples,) = with_columns(columns, samples)
    names = list(ATTACKS) if attacks == "all" else [name.strip() for name in attacks.split(",")]
    forget = load_samples(samples)
    if json_path is not None and str(json_path) != "-":
        check_writable(json_path)
    lm = source.load()
    with bars() as phase:
        report = attack_model(lm, forget, retrained, attacks=names, limit=limit, seed=seed, progress=phase)
    _show_report(report, f"{source.name} under attack on {samples}", json_path)


def _show_report(report: Report, title: str, json_path: Path | None) -> None:
    """Write a report where one was asked for, and show it as a table unless it was printed as JSON."""
    from tokenunlearn.evaluation.result import ARROWS

    if json_path is not None and str(json_path) == "-":
        print_json(report.to_json())
        return
    if json_path is not None:
        report.save(json_path)
    table = Table(title=escape(title))
    for column in ("metric", "value", "95 % CI", "retrained", "n", "better"):
        table.add_column(column, overflow="fold")
    for row in report.table():
        interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        retrained = "" if row["retrained"] is None else f"{row['retrained']:.4g}"
        cells = (f"{row['value']:.4g}", interval, retrained, str(row["n"]), ARROWS[row["better"]])
        table.add_row(row["metric"], *cells)
    out.print(table)
    out.print("↑ higher is better, ↓ lower is better, → closest to the retrained model is best")
    for note in report.notes:
        out.print(escape(note))
