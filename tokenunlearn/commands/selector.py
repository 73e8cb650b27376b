"""``tokenunlearn selector``: fit a selector on answers with marked facts, and show what it learned."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from tokenunlearn.commands.console import BaseModel, Json, Prefix, bars, out, print_json, score_options
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import check_writable

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.attribution.selector import Selector

selector_app = typer.Typer(
    help="Fit and show selectors, which learn from gold spans how to combine the signals.",
    no_args_is_help=True,
)


@selector_app.command("fit")
def selector_fit(
    samples: Annotated[
        list[str],
        typer.Option(help='Samples with gold spans, e.g. "authors:retain90"; repeatable.'),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model trained on them: one for all --samples, or one each in the same order."),
    ] = None,
    out_path: Annotated[Path, typer.Option("--out", help="Selector to write (.json).")] = Path(
        "selector.json"
    ),
    name: Annotated[str, typer.Option(help="Name of the selector; default: the file name.")] = "",
    signals: Annotated[
        str,
        typer.Option(
            help="Comma-separated signals to use; all (that are measured), or portable (those that transfer)."
        ),
    ] = "all",
    prefix: Prefix = False,
    base_model: BaseModel = None,
    as_json: Json = False,
) -> None:
    """Score samples and learn from their gold spans which signals identify the tokens of a fact."""
    from tokenunlearn.attribution.score import score
    from tokenunlearn.attribution.selector import fit_selector
    from tokenunlearn.attribution.signals import PORTABLE, SIGNALS
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.models.loading import load_model
    from tokenunlearn.models.processes import is_main_process

    named = {"all": None, "portable": PORTABLE}.get(signals, tuple(signals.split(",")))
    options = score_options(prefix, base_model)
    for signal in named or ():
        if signal not in SIGNALS:
            raise TokenUnlearnError(
                f'There is no signal "{signal}"; use {", ".join(SIGNALS)}, all or portable.'
            )
        SIGNALS[signal].check(options)
    loaded = [load_samples(source) for source in samples]
    models = _one_each(model or ["demo"], len(samples))
    for one in loaded:
        if not any(sample.span for sample in one):
            raise TokenUnlearnError(
                f'The samples "{one.name}" have no gold spans, so there is nothing to learn from.'
            )
    check_writable(out_path)
    score_sets = []
    with bars() as phase:
        for source, which in zip(loaded, models, strict=True):
            progress = partial(phase, f"scoring {source.name} with {which}")
            score_sets.append(score(load_model(which), source, **options, cache=True, progress=progress))
    if not is_main_process():
        return
    selector = fit_selector(name or out_path.stem, score_sets, named)
    selector.save(out_path)
    rows = [_row(scores, selector) for scores in score_sets]
    if as_json:
        print_json({"selector": str(out_path), "name": selector.name, "hash": selector.hash, "sets": rows})
        return
    table = Table("samples", "model", _right("n"), _right("AUROC"), _right("AUROC without selector"))
    for row in rows:
        table.add_row(
            escape(row["samples"]),
            escape(row["model"]),
            f"{row['rows']:,} of {row['of']:,}",
            f"{row['auroc']:.3f}",
            f"{row['auroc_of_the_two_signals']:.3f}",
        )
    out.print(table)
    out.print("AUROC: probability that a gold token scores above another token, on the training rows.")
    out.print(_weights(selector))
    out.print(f"{escape(selector.name)}, hash {selector.hash} -> {escape(str(out_path))}", soft_wrap=True)


@selector_app.command("show")
def selector_show(
    file: Annotated[Path, typer.Argument(help="Selector written by `selector fit`.")], as_json: Json = False
) -> None:
    """Show signals, weights, training samples and hash of a selector."""
    from tokenunlearn.attribution.selector import Selector

    selector = Selector.load(file)
    if as_json:
        print_json(selector.to_json() | {"hash": selector.hash})
        return
    out.print(f"{escape(selector.name)}, hash {selector.hash}", soft_wrap=True)
    out.print(_weights(selector, explained=True))
    for source in selector.fitted_on:
        out.print(f"fitted on {escape(source)}", soft_wrap=True)


def _one_each(models: list[str], count: int) -> list[str]:
    """A model for each samples."""
    if len(models) not in (1, count):
        raise TokenUnlearnError(
            f"There are {count} --samples but {len(models)} --model; give one model for all or one for each."
        )
    return models if len(models) == count else models * count


def _row(scores: ScoreSet, selector: Selector) -> dict[str, Any]:
    """How well the selector, and the two signals without it, rank the gold tokens that it was fitted on."""
    from tokenunlearn.evaluation.metrics.token_auroc import token_auroc

    marked = [i for i, x in enumerate(scores.samples) if x.span]
    gold = [scores.samples[i].gold for i in marked]
    learned = replace(scores, selector=selector)
    return {
        "samples": scores.source,
        "model": scores.model,
        "rows": len(marked),
        "of": len(scores),
        "auroc": token_auroc([learned.importance[i] for i in marked], gold),
        "auroc_of_the_two_signals": token_auroc([scores.importance[i] for i in marked], gold),
    }


def _weights(selector: Selector, explained: bool = False) -> Table:
    """The signals' weights, the largest first; ``explained`` adds what each signal is."""
    from tokenunlearn.attribution.signals import SIGNALS

    table = Table("signal", _right("weight"), *(["description"] if explained else []))
    rows = zip(selector.signals, selector.weights, strict=True)
    for name, weight in sorted(rows, key=lambda row: -abs(row[1])):
        table.add_row(name, f"{weight:+.3f}", *([SIGNALS[name].help] if explained else []))
    return table


def _right(title: str) -> Column:
    return Column(title, justify="right", no_wrap=True)
