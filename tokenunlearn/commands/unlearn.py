"""``tokenunlearn unlearn``: a run, from scores to an unlearned model."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tokenunlearn.commands.console import (
    Json,
    Model,
    Samples,
    assigned,
    bars,
    executed,
    last_step,
    out,
    print_json,
)
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES, REGULARIZERS, WEIGHTINGS
from tokenunlearn.training.settings import UnlearnSettings

if TYPE_CHECKING:
    pass

RUN_HELP = {f.name: f.metadata["help"] for f in fields(UnlearnSettings)}


def unlearn(
    samples: Samples,
    retain: Annotated[
        str, typer.Option(help='Retained samples, "authors:retain90"; "" with --regularizer none.')
    ] = "",
    model: Model = "demo",
    objective: Annotated[str, typer.Option(help=f"{', '.join(OBJECTIVES)}.")] = "npo",
    beta: Annotated[float | None, typer.Option(help="The objective's beta, where it has one.")] = None,
    regularizer: Annotated[
        str | None,
        typer.Option(
            "--regularizer",
            "--regulariser",
            help=f"{', '.join(REGULARIZERS)}; by default what suits the objective.",
        ),
    ] = None,
    weighting: Annotated[
        str | None,
        typer.Option(help=f"What fills the slot of the token weights: {', '.join(WEIGHTINGS)}."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Any other parameter of the objective, of the weighting (weighting_beta=5) or of the run "
            "(layer=3, lora_r=8); can be given several times.",
        ),
    ] = None,
    gamma: Annotated[float | None, typer.Option(help=RUN_HELP["gamma"])] = None,
    lambda_: Annotated[float | None, typer.Option("--lambda", help=RUN_HELP["lambda_"])] = None,
    selection: Annotated[
        str | None,
        typer.Option(help="hard, soft or uniform; by default hard, uniform where a weighting replaces it."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Hard: importance from which a token is selected; without it, and without --quantile and "
            "--top-share, the threshold comes from the scores."
        ),
    ] = None,
    quantile: Annotated[
        float | None, typer.Option(help="Hard: the threshold as a quantile of importance.")
    ] = None,
    top_share: Annotated[float | None, typer.Option(help="Hard: share of each response's tokens.")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Soft: small puts all weight on the top tokens.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="A score set made by score; else the run scores first.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Score settings: default, paper or leave-one-out.")] = "default",
    selector: Annotated[
        Path | None,
        typer.Option(help="A selector made by selector fit; the importance comes from it."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help=RUN_HELP["steps"])] = None,
    batch_size: Annotated[int | None, typer.Option(help=RUN_HELP["batch_size"])] = None,
    retain_batch_size: Annotated[int | None, typer.Option(help=RUN_HELP["retain_batch_size"])] = None,
    learning_rate: Annotated[float | None, typer.Option(help=RUN_HELP["learning_rate"])] = None,
    train: Annotated[str | None, typer.Option(help=RUN_HELP["train"])] = None,
    seed: Annotated[int | None, typer.Option(help=RUN_HELP["seed"])] = None,
    gradient_accumulation: Annotated[int | None, typer.Option(help=RUN_HELP["gradient_accumulation"])] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option(help=RUN_HELP["gradient_checkpointing"])
    ] = None,
    bf16: Annotated[bool | None, typer.Option(help=RUN_HELP["bf16"])] = None,
    label: Annotated[str, typer.Option(help="What to call the run.")] = "",
    evaluate_samples: Annotated[
        int, typer.Option("--evaluate", help="Evaluate this many samples a part.")
    ] = 0,
    watch_every: Annotated[
        int, typer.Option(help="Measure the model every so many steps while it trains; 0 is never.")
    ] = 0,
    watch_samples: Annotated[
        int, typer.Option(help="Forget and retained samples whose gold spans are measured then.")
    ] = 8,
    watch_question: Annotated[
        list[str] | None,
        typer.Option(
            help="A question that is asked then; can be given several times. By default the first of the "
            "forget set and the first retained one."
        ),
    ] = None,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder of the runs.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """Unlearn samples with token weights; everything about the run is kept under --out."""
    from tokenunlearn.attribution.score import split_settings
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.attribution.selector import Selector
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.evaluation.report import versions
    from tokenunlearn.evaluation.watch import WatchSettings
    from tokenunlearn.models.loading import load_model
    from tokenunlearn.models.processes import is_main_process
    from tokenunlearn.runs.runner import execute
    from tokenunlearn.runs.spec import RunSpec, make_rule
    from tokenunlearn.runs.store import RunStore

    given = {
        "objective": objective,
        "beta": beta,
        "regularizer": regularizer,
        "weighting": weighting,
        "gamma": gamma,
        "lambda_": lambda_,
        "steps": steps,
        "batch_size": batch_size,
        "retain_batch_size": retain_batch_size,
        "learning_rate": learning_rate,
        "train": train,
        "seed": seed,
        "gradient_accumulation": gradient_accumulation,
        "gradient_checkpointing": gradient_checkpointing,
        "bf16": bf16,
    }
    given = {k: v for k, v in given.items() if v is not None} | assigned(assignments or [])
    config = UnlearnSettings.from_settings(given)
    selection = selection or ("hard" if config.uses_selection else "uniform")
    if config.needs_retain and not retain:
        raise TokenUnlearnError(
            f'The regularizer "{config.regularizer}" needs --retain; name samples, or use --regularizer none.'
        )
    watch = WatchSettings(watch_every, watch_samples, tuple(watch_question or ()))
    for name in filter(None, (samples, retain)):
        load_samples(name)
    split_settings(preset)
    rule = _rule(
        selection, threshold=threshold, quantile=quantile, top_share=top_share, temperature=temperature
    )
    learned = Selector.load(selector) if selector else None
    score_set = ScoreSet.load(scores) if scores else None
    if score_set is not None and learned is not None:
        score_set = replace(score_set, selector=learned)
    lm = load_model(model)
    if score_set is not None:  # what cannot run is refused before a run exists
        score_set.check_model(lm.revision)
        score_set.weights(make_rule(rule))
    spec = RunSpec.new(
        label=label,
        model=model,
        samples=samples,
        retain=retain,
        rule=rule,
        config=asdict(config),
        scoring={"preset": preset} | ({"selector": learned.to_json()} if learned else {}),
        score_hash=score_set.hash if score_set else "",
        evaluate=evaluate_samples if is_main_process() else 0,
        watch=watch.described(),
        versions=versions(),
    )
    with tempfile.TemporaryDirectory() as scratch, bars() as phase:
        folder = out_folder if is_main_process() else Path(scratch)  # one process writes the run
        run = RunStore(folder).create(spec, score_set)
        state = executed(run, partial(execute, run, lambda _: lm), phase)
    if not is_main_process():
        return
    result = {"run": run.id, "folder": str(run.folder), **asdict(state)}
    if as_json:
        print_json(result | {"last_step": last_step(run)})
    else:
        color = {"completed": "green", "cancelled": "yellow"}.get(state.status, "red")
        out.print(f"[{color}]{state.status}[/] {run.id}: {escape(str(run.folder))}")
        if state.message:
            out.print(escape(state.message), soft_wrap=True)
        if run.resolved:
            out.print(f"trained: {escape(', '.join(run.resolved['trained']))}", soft_wrap=True)
        if run.metrics:
            last = run.metrics[-1]
            out.print(", ".join(f"{k} {v:.4g}" for k, v in last.items() if v is not None))
    if state.status == "failed":
        raise typer.Exit(1)


def _rule(selection: str, **parameters: float | None) -> dict[str, Any]:
    """The rule of the weights; without a parameter a hard selection takes its threshold from the scores."""
    from tokenunlearn.attribution.selection import DEFAULT_TEMPERATURE
    from tokenunlearn.runs.spec import RULES, make_rule

    if selection not in RULES:
        raise TokenUnlearnError(f'There is no selection "{selection}"; use one of {", ".join(RULES)}.')
    own = {f.name for f in fields(RULES[selection])}
    given = {k: v for k, v in parameters.items() if v is not None}
    for name in given:
        if name not in own:
            raise TokenUnlearnError(f'The selection "{selection}" does not take --{name.replace("_", "-")}.')
    defaults = {"soft": {"temperature": DEFAULT_TEMPERATURE}}
    rule = {"selection": selection, **(given or defaults.get(selection, {}))}
    make_rule(rule)
    return rule
