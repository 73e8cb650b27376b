"""``tokenunlearn check``: what the model reads, and what stands in the way of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.text import Text

from tokenunlearn.commands.console import (
    Adapter,
    AllTurns,
    Columns,
    Json,
    OwnModel,
    Quantization,
    Samples,
    TemplateKwargs,
    err,
    model_source,
    out,
    print_json,
    with_columns,
)
from tokenunlearn.errors import TokenUnlearnError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenunlearn.attribution.selection import TokenWeights
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.models.model_input import Part
    from tokenunlearn.runs.findings import Finding
    from tokenunlearn.training.settings import UnlearnSettings

COLORS = {"error": "red", "warning": "yellow", "note": "cyan"}
PARTS: dict[Part, str] = {"template": "dim", "question": "blue", "answer": "bold", "end of turn": "magenta"}


def check(
    samples: Samples,
    model: OwnModel = None,
    adapter: Adapter = "",
    template_kwargs: TemplateKwargs = None,
    quantization: Quantization = "",
    retain: Annotated[str, typer.Option(help='Retained samples, e.g. "authors:retain90".')] = "",
    columns: Columns = "",
    all_turns: AllTurns = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of samples, evenly spaced.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a sample as the model reads it, and check for problems before a run."""
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.models.model_input import model_input
    from tokenunlearn.runs.check import check as findings_of
    from tokenunlearn.runs.findings import finding_json
    from tokenunlearn.training.settings import UnlearnSettings

    samples, retain = with_columns(columns, samples, retain, all_turns=all_turns)
    forget = load_samples(samples).spread(limit)
    retained = load_samples(retain).spread(limit) if retain else ()
    lm = model_source(model, adapter, template_kwargs, quantization).load()
    settings = UnlearnSettings(regularizer="kl" if retain else "none").resolved(lm)
    findings = findings_of(lm, forget, retained, settings=settings)
    first = lm.chunk(forget)[0]
    too_long = {sample_id for f in findings if f.name == "too long" for sample_id in f.samples}
    read = None if first.id in too_long else model_input(lm, first)
    tokens = read.tokens if read else []
    if as_json:
        print_json(
            {
                "sample": first.id,
                "reads": [{"text": text, "part": part} for text, part in tokens],
                "template_text": read and read.text,
                "first_difference": read and read.difference,
                "findings": [finding_json(f) for f in findings],
            }
        )
    else:
        out.print(f"Sample {escape(first.id)} as read by {escape(lm.name)}:", highlight=False)
        out.print(Text.assemble(*((text, PARTS[part]) for text, part in tokens)), soft_wrap=True)
        out.print(Text.assemble(*((f"{part}  ", style) for part, style in PARTS.items())))
        if read:
            out.print(Text(read.comparison), soft_wrap=True)
        show(findings, notes=True)
        if not any(f.level != "note" for f in findings):
            out.print("[green]No problems found.[/]")
    if any(f.level == "error" for f in findings):
        raise typer.Exit(1)


def warn(
    model: LoadedModel,
    forget: Sequence[Sample],
    retain: Sequence[Sample] = (),
    weights: TokenWeights | None = None,
    runs: Sequence[UnlearnSettings] = (),
) -> None:
    """Print the warnings of a check that runs no model; of several processes only the first prints.

    Raises:
        TokenUnlearnError: If something cannot run, samples over the context left to those who read them.
    """
    from tokenunlearn.models.processes import is_main_process
    from tokenunlearn.runs.check import inspect

    findings = inspect(model, forget, retain, measure=False).of_runs(runs, weights)
    findings = [finding for finding in findings if finding.name != "too long"]
    for finding in findings:
        if finding.level == "error":
            raise TokenUnlearnError(finding.sentence)
    if is_main_process():
        show(findings)


def show(findings: Sequence[Finding], *, notes: bool = False) -> None:
    """Print findings, one line each: on standard error where they accompany another command."""
    console = out if notes else err
    for finding in findings:
        if notes or finding.level != "note":
            color = COLORS[finding.level]
            console.print(
                f"[{color}]{finding.level.capitalize()}:[/] {escape(finding.sentence)}",
                soft_wrap=True,
                highlight=False,
            )
