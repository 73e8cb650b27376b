"""``tokenunlearn unlearn``: a run or a grid of runs, from scores to unlearned models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from tokenunlearn.commands.check import warn
from tokenunlearn.commands.console import (
    Adapter,
    AllTurns,
    Columns,
    Json,
    Out,
    OwnModel,
    Quantization,
    Samples,
    TemplateKwargs,
    assigned,
    bars,
    executed,
    last_step,
    listed,
    model_source,
    out,
    print_json,
    show_ended,
    with_columns,
)
from tokenunlearn.commands.options import numbers_option, with_settings
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.training.settings import UnlearnSettings

if TYPE_CHECKING:
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.models.source import ModelSource
    from tokenunlearn.runs.plan import RunPlan
    from tokenunlearn.runs.run import Run

# Free text, in which a comma separates nothing.
TEXTS = ("base_model", "holdout")


@with_settings(
    {"Settings of the run": UnlearnSettings},
    several=True,
    without=("parameters", "weighting_parameters"),
    single=TEXTS,
)
def unlearn(
    settings: dict[str, Any],
    samples: Samples,
    retain: Annotated[
        str,
        typer.Option(help='Retained samples, e.g. "authors:retain90"; not needed with --regularizer none.'),
    ] = "",
    model: OwnModel = None,
    adapter: Adapter = "",
    template_kwargs: TemplateKwargs = None,
    quantization: Quantization = "",
    beta: Annotated[
        str | None, numbers_option("--beta", help="beta of the objective, if it has one.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of the objective (coefficient=4) or of the weighting (weighting_beta=5), or "
            "any setting of the run; repeatable.",
        ),
    ] = None,
    controls: Annotated[
        bool,
        typer.Option(
            "--with-controls",
            help="Add control runs: uniform, random and inverted weights, the same in all else.",
        ),
    ] = False,
    selection: Annotated[
        str | None,
        typer.Option(
            help="Rule of the token weights: hard, soft or uniform; default: hard, or uniform if a weighting "
            "replaces it."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Hard: minimum importance of a selected token; default: chosen from the scores, unless "
            "--quantile or --top-share is given."
        ),
    ] = None,
    quantile: Annotated[
        float | None, typer.Option(help="Hard: threshold as a quantile of the importance.")
    ] = None,
    top_share: Annotated[
        float | None, typer.Option(help="Hard: share of tokens selected in each response.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Soft: low values concentrate the weight on the top tokens.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Score set written by `score`; without it the run scores first.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Score settings: default, paper or leave-one-out.")] = "default",
    reading: Annotated[
        str, typer.Option(help="How the run reads the entropy if it scores: auto, sharp, tail or plain.")
    ] = "auto",
    selector: Annotated[
        Path | None,
        typer.Option(help="Selector written by `selector fit`; it computes the importance."),
    ] = None,
    columns: Columns = "",
    all_turns: AllTurns = False,
    label: Annotated[str, typer.Option(help="Name of the run.")] = "",
    evaluate_samples: Annotated[
        int, typer.Option("--evaluate", help="Evaluate after training on this many samples per split.")
    ] = 0,
    watch_every: Annotated[
        int, typer.Option(help="Measure the model every this many steps during training; 0 turns it off.")
    ] = 0,
    watch_samples: Annotated[
        int, typer.Option(help="Number of forget and of retained samples whose gold spans are measured.")
    ] = 8,
    watch_question: Annotated[
        list[str] | None,
        typer.Option(
            help="Question to ask at each measurement; repeatable. Default: the first question of the forget "
            "set and of the retained samples."
        ),
    ] = None,
    checkpoint_every: Annotated[
        int,
        typer.Option(
            help="Optimizer steps from one checkpoint to the next, at least; 0 writes none. `runs resume` "
            "goes on from the last one."
        ),
    ] = 10,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="Minutes from one checkpoint to the next, at least.")
    ] = 5.0,
    report_to: Annotated[
        str,
        typer.Option(
            help="Trackers to report each step to: tensorboard, trackio, wandb; separated by commas."
        ),
    ] = "",
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Carry the runs out in a process of their own and return; see `runs show`, `runs log` and "
            "`runs stop`.",
        ),
    ] = False,
    processes: Annotated[
        int, typer.Option(help="With --detach: processes that work on each run, one per GPU.", min=1)
    ] = 1,
    ray: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Carry the runs out on a Ray cluster whose machines share --out; local: this machine alone.",
        ),
    ] = "",
    out_folder: Out = Path("runs"),
    as_json: Json = False,
) -> None:
    """Unlearn samples with token weights; the run is stored under --out.

    Several values of a setting, separated by commas, make a grid: one run for each combination.
    """
    from tokenunlearn.attribution.score import split_settings
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.attribution.selector import Selector
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.evaluation.watch import WatchSettings
    from tokenunlearn.models.context import fit_context
    from tokenunlearn.models.processes import is_main_process
    from tokenunlearn.models.source import ModelSource
    from tokenunlearn.runs.cluster import carry_out
    from tokenunlearn.runs.grid import make_grid, with_controls
    from tokenunlearn.runs.launch import launch
    from tokenunlearn.runs.plan import RunPlan
    from tokenunlearn.runs.scoring_model import check_scores
    from tokenunlearn.runs.spec import make_rule
    from tokenunlearn.runs.store import RunStore
    from tokenunlearn.training.checkpoints import CheckpointSettings

    values: dict[str, Any] = {k: v if isinstance(v, list) else [v] for k, v in settings.items()}
    values |= {"beta": beta} if beta else {}
    for name, value in assigned(assignments or []).items():
        values[name] = [value] if name in TEXTS else listed(value)
    configs = make_grid(values)
    if controls:
        configs = with_controls(configs)
    selection = selection or ("hard" if any(c.uses_selection for c in configs) else "uniform")
    needy = next((config for config in configs if config.needs_retain), None)
    if detach and ray:
        raise TokenUnlearnError("--detach and --ray exclude each other: Ray starts processes itself.")
    if processes > 1 and not detach:
        raise TokenUnlearnError("--processes is only for --detach; else start with `accelerate launch`.")
    if needy and not retain:
        raise TokenUnlearnError(
            f'The regularizer "{needy.regularizer}" needs --retain; name samples or use --regularizer none.'
        )
    watch = WatchSettings(watch_every, watch_samples, tuple(watch_question or ()))
    checkpoints = CheckpointSettings(checkpoint_every, checkpoint_minutes)
    samples, retain = with_columns(columns, samples, retain, all_turns=all_turns)
    forget, retained = (load_samples(name) if name else () for name in (samples, retain))
    scoring: dict[str, Any] = {"reading": reading} if reading != "auto" else {}
    split_settings(preset, **scoring)
    rule = _rule(
        selection, threshold=threshold, quantile=quantile, top_share=top_share, temperature=temperature
    )
    learned = Selector.load(selector) if selector else None
    score_set = ScoreSet.load(scores) if scores else None
    if learned is not None:
        learned.check(score_set.options if score_set else ())
        score_set = replace(score_set, selector=learned) if score_set else None
    source = model_source(model, adapter, template_kwargs, quantization, out_folder)
    store = RunStore(out_folder)
    plan = RunPlan(
        model=source.name,
        adapter=store.locate(adapter) if adapter else "",
        template_kwargs=source.template_kwargs,
        quantization=source.quantization,
        samples=samples,
        retain=retain,
        rule=rule,
        configs=configs,
        label=label,
        scoring={"preset": preset} | scoring | ({"selector": learned.to_json()} if learned else {}),
        score_hash=score_set.hash if score_set else "",
        evaluate=evaluate_samples if is_main_process() else 0,
        watch=watch,
        checkpoints=checkpoints,
        report_to=report_to,
    )
    store.check()
    lm = source.load()
    weights = None
    if score_set is not None:  # what cannot run is refused before a run exists
        for long in sorted({config.long for config in configs}):
            check_scores(score_set, fit_context(lm, forget, long), source, lm, ModelSource.load)
        weights = score_set.weights(make_rule(rule))
    warn(lm, forget, retained if needy else (), weights, configs)
    if detach or ray:
        runs = [store.create(spec, score_set) for spec in plan.specs()]
        if detach:
            launch(runs, processes)
            _show_launched(runs, as_json)
        else:
            _show(plan, carry_out(runs, ray), as_json)
        return
    with nullcontext(out_folder) if is_main_process() else TemporaryDirectory() as scratch:
        # one process writes the runs
        _show(plan, _carry_out(plan, Path(scratch), lm, score_set), as_json)


def _show(plan: RunPlan, runs: Iterable[Run], as_json: bool) -> None:
    """Show each run with what is different in it once it has ended, or all as JSON in the end.

    Raises:
        typer.Exit: If one failed.
    """
    from tokenunlearn.models.processes import is_main_process

    results, failed = [], False
    for different, run in zip(plan.differences, runs, strict=False):
        if not is_main_process():
            continue
        state = run.state
        failed |= state.status == "failed"
        results.append({"run": run.id, "folder": str(run.folder), **asdict(state)})
        if as_json:
            results[-1]["last_step"] = last_step(run)
        else:
            show_ended(run, different)
    if as_json and results:
        print_json(results[0] if len(plan.configs) == 1 else results)
    if failed:
        raise typer.Exit(1)


def _show_launched(runs: Sequence[Run], as_json: bool) -> None:
    if as_json:
        rows = [{"run": run.id, "folder": str(run.folder), **asdict(run.state)} for run in runs]
        print_json(rows[0] if len(rows) == 1 else rows)
        return
    for run in runs:
        out.print(f"Started {run.id}: {escape(str(run.folder))}", soft_wrap=True)


def _carry_out(plan: RunPlan, folder: Path, lm: LoadedModel, scores: ScoreSet | None) -> Iterator[Run]:
    """The runs one after another, each once it has ended; there are no more after one that someone ended.

    Runs that are given no score set take the one that the first of them makes.
    """
    from tokenunlearn.runs.runner import execute
    from tokenunlearn.runs.store import RunStore

    store = RunStore(folder)
    for spec in plan.specs():
        run = store.create(replace(spec, score_hash=scores.hash if scores else ""), scores)
        with bars() as phase:
            state = executed(run, partial(execute, run, partial(_loaded, run.start, lm)), phase)
        yield run
        if state.status in ("stopped", "cancelled"):
            return
        scores = scores or run.scores


def _loaded(start: ModelSource, lm: LoadedModel, source: ModelSource) -> LoadedModel:
    """A model of a run whose start model is loaded."""
    return lm if source == start else source.load()


def _rule(selection: str, **parameters: float | None) -> dict[str, Any]:
    """The rule of the weights; without a parameter a hard selection takes its threshold from the scores."""
    from tokenunlearn.attribution.selection import DEFAULT_TEMPERATURE, RULES
    from tokenunlearn.runs.spec import make_rule

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
