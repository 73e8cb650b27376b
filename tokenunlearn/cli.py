"""The command line: everything the app does, without the app. Exit code 2 is bad input, 1 a failed run."""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.objectives import OBJECTIVES, REGULARISERS, WEIGHTINGS
from tokenunlearn.training.unlearn_config import UnlearnConfig

if TYPE_CHECKING:
    from tokenunlearn.evaluation.report import Report
    from tokenunlearn.runs.store import Run, RunState

app = typer.Typer(
    name="tokenunlearn",
    help="Score which tokens carry the knowledge, unlearn exactly those, evaluate the result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
runs_app = typer.Typer(help="List, show, cancel and delete runs.", no_args_is_help=True)
demo_app = typer.Typer(help="Rebuild the embedded models and the shipped run.", no_args_is_help=True)
cache_app = typer.Typer(help="Show or clear the scores kept on disk.", invoke_without_command=True)
app.add_typer(runs_app, name="runs")
app.add_typer(cache_app, name="cache")
app.add_typer(demo_app, name="demo")

out = Console()
err = Console(stderr=True)

Model = Annotated[str, typer.Option(help="Preset, hub id or local folder.")]
Samples = Annotated[str, typer.Option(help='"authors:forget10" or "file:my.jsonl".')]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[Path, typer.Option(help="Folder of the runs.")]
RUN_HELP = {f.name: f.metadata["help"] for f in fields(UnlearnConfig)}


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with 2."""
    try:
        app()
    except TokenUnlearnError as error:
        err.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)


@app.command()
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
    settings |= {"alpha": alpha, "fusion": fusion, "copy_guard": copy_guard} | _assigned(assignments or [])
    split_settings(preset, **settings)
    lm = load_model(model)
    _check_writable(out_path)
    with _bars() as phase:
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
        _print_json(result)
        return
    out.print(f"{len(scores)} samples, {tokens:,} response tokens -> {escape(str(out_path))}")
    out.print(f"hash {scores.hash[:16]}, model {escape(model)} {scores.revision}")


@app.command()
def unlearn(
    samples: Samples,
    retain: Annotated[
        str, typer.Option(help='Retained samples, "authors:retain90"; "" with --regulariser none.')
    ] = "",
    model: Model = "demo",
    objective: Annotated[str, typer.Option(help=f"{', '.join(OBJECTIVES)}.")] = "npo",
    beta: Annotated[float | None, typer.Option(help="The objective's beta, where it has one.")] = None,
    regulariser: Annotated[
        str | None, typer.Option(help=f"{', '.join(REGULARISERS)}; by default what suits the objective.")
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
        float | None, typer.Option(help="Hard: importance from which a token is selected.")
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
    preset: Annotated[str, typer.Option(help="Score settings: default or paper.")] = "default",
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
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.distributed import is_main_process
    from tokenunlearn.evaluation.report import versions
    from tokenunlearn.models import load_model
    from tokenunlearn.runs.runner import execute
    from tokenunlearn.runs.spec import RunSpec, make_rule
    from tokenunlearn.runs.store import RunStore
    from tokenunlearn.runs.watch import WatchSettings

    given = {
        "objective": objective,
        "beta": beta,
        "regulariser": regulariser,
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
    given = {k: v for k, v in given.items() if v is not None} | _assigned(assignments or [])
    config = UnlearnConfig.from_settings(given)
    selection = selection or ("hard" if config.uses_selection else "uniform")
    if config.needs_retain and not retain:
        raise TokenUnlearnError(
            f'The regulariser "{config.regulariser}" needs --retain; name samples, or use --regulariser none.'
        )
    watch = WatchSettings(watch_every, watch_samples, tuple(watch_question or ()))
    for name in filter(None, (samples, retain)):
        load_samples(name)
    split_settings(preset)
    rule = _rule(
        selection, threshold=threshold, quantile=quantile, top_share=top_share, temperature=temperature
    )
    score_set = ScoreSet.load(scores) if scores else None
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
        scoring={"preset": preset},
        score_hash=score_set.hash if score_set else "",
        evaluate=evaluate_samples if is_main_process() else 0,
        watch=watch.described(),
        versions=versions(),
    )
    with tempfile.TemporaryDirectory() as scratch, _bars() as phase:
        folder = out_folder if is_main_process() else Path(scratch)  # one process writes the run
        run = RunStore(folder).create(spec, score_set)
        state = _executed(run, partial(execute, run, lambda _: lm), phase)
    if not is_main_process():
        return
    result = {"run": run.id, "folder": str(run.folder), **asdict(state)}
    if as_json:
        _print_json(result | {"last_step": _last_step(run)})
    else:
        colour = {"completed": "green", "cancelled": "yellow"}.get(state.status, "red")
        out.print(f"[{colour}]{state.status}[/] {run.id}: {escape(str(run.folder))}")
        if state.message:
            out.print(escape(state.message), soft_wrap=True)
        if run.resolved:
            out.print(f"trained: {escape(', '.join(run.resolved['trained']))}", soft_wrap=True)
        if run.metrics:
            last = run.metrics[-1]
            out.print(", ".join(f"{k} {v:.4g}" for k, v in last.items() if v is not None))
    if state.status == "failed":
        raise typer.Exit(1)


@app.command()
def evaluate(
    model: Model = "demo",
    adapter: Annotated[Path | None, typer.Option(help="Adapter folder of a run.")] = None,
    suite: Annotated[str, typer.Option(help="authors, tofu, wmdp, mmlu or alchemy.")] = "authors",
    reference: Annotated[
        str | None, typer.Option(help="Retrained model or its stored report; by default the preset's own.")
    ] = None,
    forget: Annotated[str | None, typer.Option(help="Forget split; by default forget10.")] = None,
    retain: Annotated[
        str | None, typer.Option(help="Retain split; by default retain90, of tofu retain_perturbed.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most this many samples a part, evenly spread.")
    ] = None,
    truth_ratio: Annotated[
        str, typer.Option(help="Mean over wrong answers: geometric_mean or prob_mean.")
    ] = "geometric_mean",
    extraction_strength: Annotated[
        str, typer.Option(help="exact, which reaches 0, or published, which stops at 1/T.")
    ] = "exact",
    json_path: Annotated[Path | None, typer.Option("--json", help='Report to write; "-" prints it.')] = None,
) -> None:
    """Measure what was forgotten and what was kept."""
    from tokenunlearn.evaluation import evaluate as evaluate_model
    from tokenunlearn.models import PRESETS, load_model

    if reference is None and model in PRESETS:
        reference = PRESETS[model].retrained
    lm = load_model(model, adapter=adapter)
    if json_path is not None and str(json_path) != "-":
        _check_writable(json_path)
    with _bars() as phase:
        report = evaluate_model(
            lm,
            suite,
            reference,
            forget=forget,
            retain=retain,
            limit=limit,
            truth_ratio_form=truth_ratio,  # type: ignore[arg-type]
            extraction_strength_form=extraction_strength,
            progress=phase,
        )
    _show_report(report, f"{model} on {suite}", json_path)


@app.command()
def attack(
    model: Model = "demo",
    adapter: Annotated[Path | None, typer.Option(help="Adapter folder of a run.")] = None,
    attacks: Annotated[
        str,
        typer.Option(
            help="Comma-separated: paraphrase, prefix, sampling, quantisation, probe, relearning; or all."
        ),
    ] = "all",
    samples: Annotated[str, typer.Option(help="What should be forgotten.")] = "authors:forget10",
    reference: Annotated[
        str | None, typer.Option(help="Retrained model, attacked alike; by default the preset's own.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many samples, evenly spread.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of samples, folds and relearning.")] = 0,
    json_path: Annotated[Path | None, typer.Option("--json", help='Report to write; "-" prints it.')] = None,
) -> None:
    """Try to bring back what a model should have forgotten: is it gone, or hidden?"""
    from tokenunlearn.datasets import load_samples
    from tokenunlearn.evaluation.attacks import ATTACKS
    from tokenunlearn.evaluation.attacks import attack as attack_model
    from tokenunlearn.models import PRESETS, load_model

    if reference is None and model in PRESETS:
        reference = PRESETS[model].retrained
    names = list(ATTACKS) if attacks == "all" else [name.strip() for name in attacks.split(",")]
    forget = load_samples(samples).spread(limit)
    lm = load_model(model, adapter=adapter)
    if json_path is not None and str(json_path) != "-":
        _check_writable(json_path)
    with _bars() as phase:
        report = attack_model(lm, forget, reference, attacks=names, seed=seed, progress=phase)
    _show_report(report, f"{model} under attack on {samples}", json_path)


def _show_report(report: Report, title: str, json_path: Path | None) -> None:
    """Write a report where one was asked for, and show it as a table unless it was printed as JSON."""
    from tokenunlearn.evaluation.result import ARROWS

    if json_path is not None and str(json_path) == "-":
        _print_json(report.to_json())
        return
    if json_path is not None:
        report.save(json_path)
    table = Table(title=escape(title))
    for column in ("metric", "value", "95 % interval", "retrained", "n", "better"):
        table.add_column(column, overflow="fold")
    for row in report.table():
        interval = "" if row["low"] is None else f"{row['low']:.3f} .. {row['high']:.3f}"
        retrained = "" if row["reference"] is None else f"{row['reference']:.4g}"
        cells = (f"{row['value']:.4g}", interval, retrained, str(row["n"]), ARROWS[row["better"]])
        table.add_row(row["metric"], *cells)
    out.print(table)
    out.print("↑ higher is better, ↓ lower is better, → best at the retrained model's value")
    for note in report.notes:
        out.print(escape(note))


@runs_app.command("list")
def runs_list(out_folder: Out = Path("runs"), as_json: Json = False) -> None:
    """All runs, the newest first."""
    from tokenunlearn.runs.store import RunStore

    rows = [{"run": run.id, **asdict(run.state)} for run in RunStore(out_folder).runs()]
    if as_json:
        _print_json(rows)
        return
    table = Table(Column("run", no_wrap=True), "status", "phase", "done", "message")
    for row in rows:
        table.add_row(
            row["run"], row["status"], row["phase"], f"{row['done']}/{row['total']}", escape(row["message"])
        )
    out.print(table)


@runs_app.command("show")
def runs_show(run_id: str, out_folder: Out = Path("runs"), as_json: Json = False) -> None:
    """Spec, state and last step of a run."""
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).get(run_id)
    shown = {"spec": run.spec.to_json(), "state": asdict(run.state), "last_step": _last_step(run)}
    if as_json:
        _print_json(shown)
        return
    for title, values in shown.items():
        table = Table("field", "value", title=title)
        for key, value in (values or {}).items():
            table.add_row(key, escape(json.dumps(value) if isinstance(value, Mapping) else str(value)))
        out.print(table)


@runs_app.command("cancel")
def runs_cancel(run_id: str, out_folder: Out = Path("runs")) -> None:
    """Ask a run to stop after the step it is in."""
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).get(run_id)
    run.request_cancel()
    out.print(f"{run.id} was asked to stop")


@runs_app.command("delete")
def runs_delete(run_id: str, out_folder: Out = Path("runs")) -> None:
    """Remove a run that has ended, with its adapter."""
    from tokenunlearn.runs.store import RunStore

    store = RunStore(out_folder)
    run = store.get(run_id)
    store.delete(run.id)
    out.print(f"{run.id} was deleted")


@cache_app.callback()
def cache_show(context: typer.Context) -> None:
    """Show where the scores are, how many, and their size."""
    from tokenunlearn.attribution.score_cache import ScoreCache

    if context.invoked_subcommand is None:
        store = ScoreCache.default()
        size, most = (f"{x / 1e6:,.1f} MB" for x in (store.size(), store.limit))
        out.print(f"{len(store.files()):,} files, {size} of at most {most}, in {escape(str(store.folder))}")


@cache_app.command("clear")
def cache_clear() -> None:
    """Remove all scores kept on disk; score sets of runs stay."""
    from tokenunlearn.attribution.score_cache import ScoreCache

    out.print(f"{ScoreCache.default().clear():,} files were removed")


@demo_app.command("build")
def demo_build(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which models; by default the two demo models.")
    ] = None,
    only_measure: Annotated[
        bool, typer.Option(help="Keep the weights; renew reports, score sets and cards.")
    ] = False,
) -> None:
    """Train the embedded models anew from the embedded data and measure them."""
    from tokenunlearn.demo.build import build
    from tokenunlearn.demo.card import measure

    chosen = names or ["demo-retrained", "demo"]

    def say(line: str) -> None:
        out.print(escape(line), soft_wrap=True)

    if not only_measure:
        build(chosen, say)
    measure(chosen, say)


@demo_app.command("run")
def demo_run() -> None:
    """Carry out the shipped run anew and put it in assets/runs, without its weights."""
    from tokenunlearn.demo.stored_run import make_stored_run

    with _bars() as phase:
        folder = make_stored_run(lambda run, execute: _executed(run, partial(execute, run), phase))
    out.print(f"shipped {escape(str(folder))}", soft_wrap=True)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="methods, selection, signals or masking.")],
) -> None:
    """Run one of the benchmarks; "bench NAME --help" lists its options."""
    root = Path(__file__).resolve().parent.parent
    files = (root / "benchmarks").glob("*.py")
    known = sorted(p.stem for p in files if '__name__ == "__main__"' in p.read_text("utf-8"))
    if name not in known:
        raise TokenUnlearnError(
            f'There is no benchmark "{name}"; use one of {", ".join(known)}.'
            if known
            else f"The benchmarks are not in {root}; run this from a clone of the repository."
        )
    sys.argv = [f"bench {name}", *context.args]
    sys.path.insert(0, str(root))
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")


def _assigned(assignments: list[str]) -> dict[str, Any]:
    """Settings written as NAME=VALUE; numbers, true and false are read as such, all else is text."""
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not (name and equals):
            raise TokenUnlearnError(f'--set takes NAME=VALUE, coefficient=4 for example, not "{assignment}".')
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        found["lambda_" if name == "lambda" else name.replace("-", "_")] = value
    return found


def _rule(selection: str, **parameters: float | None) -> dict[str, Any]:
    """The rule of the weights, with its default where no parameter is given."""
    from tokenunlearn.attribution.selection import DEFAULT_TEMPERATURE, DEFAULT_THRESHOLD
    from tokenunlearn.runs.spec import RULES, make_rule

    if selection not in RULES:
        raise TokenUnlearnError(f'There is no selection "{selection}"; use one of {", ".join(RULES)}.')
    own = {f.name for f in fields(RULES[selection])}
    given = {k: v for k, v in parameters.items() if v is not None}
    for name in given:
        if name not in own:
            raise TokenUnlearnError(f'The selection "{selection}" does not take --{name.replace("_", "-")}.')
    defaults = {"hard": {"threshold": DEFAULT_THRESHOLD}, "soft": {"temperature": DEFAULT_TEMPERATURE}}
    rule = {"selection": selection, **(given or defaults.get(selection, {}))}
    make_rule(rule)
    return rule


def _check_writable(path: Path) -> None:
    """Make a result's folder; refuse a place that cannot be written before hours of work are spent on it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise TokenUnlearnError(
            f'"{path}" cannot be written: {error.strerror}; choose another place.'
        ) from None
    if path.is_dir():
        raise TokenUnlearnError(f'"{path}" is a folder; give the path of a file.')


def _executed(run: Run, execute: Callable[..., RunState], phase: Callable[[str, int, int], None]) -> RunState:
    """Execute a run with its state shown as a bar; Ctrl-C cancels it after the step it is in."""
    import signal
    import threading

    def show() -> None:
        state = run.state
        if state.status == "running" and state.phase:
            phase(state.phase, state.done, state.total)

    def cancel(*_: object) -> None:
        err.print("Stopping after this step ...")
        with suppress(RunError):  # it has just ended
            run.request_cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        return execute(between=show)
    previous = signal.signal(signal.SIGINT, cancel)
    try:
        return execute(between=show)
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A function of phase, done and total that draws one progress bar a phase on standard error.

    Shows the rate, the time spent and the time left. Of several processes only the first draws.
    """
    from tokenunlearn.distributed import is_main_process

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not is_main_process()) as progress:
        tasks: dict[str, Any] = {}
        begun: dict[str, tuple[int, float]] = {}

        def phase(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total, rate="")
                begun[name] = (done, time.monotonic())
            first, start = begun[name]  # what was done before, such as scores from the cache, took no time
            seconds = time.monotonic() - start
            rate = f"{(done - first) / seconds:.3g}/s" if done > first and seconds > 0 else ""
            progress.update(tasks[name], completed=done, total=total, rate=rate)

        yield phase


def _last_step(run: Run) -> dict[str, float] | None:
    return run.metrics[-1] if run.metrics else None


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
