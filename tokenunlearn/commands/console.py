"""What every command shares: two consoles, options, progress bars, JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
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

from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.settings import parse_assignments, parse_value

if TYPE_CHECKING:
    from tokenunlearn.models.source import ModelSource
    from tokenunlearn.runs.run import Run
    from tokenunlearn.runs.run_files import StepRecord
    from tokenunlearn.runs.state import RunState

out = Console()
err = Console(stderr=True)

OwnModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Preset, Hub id or local folder; default: that of the run in --adapter; demo without one.",
    ),
]
Adapter = Annotated[
    str,
    typer.Option(help="Unlearned model to use: id or folder of a run, or the folder of an adapter."),
]
TemplateKwargs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Variable of the chat template; repeatable. Thinking is off unless enable_thinking=true.",
    ),
]
Quantization = Annotated[
    str,
    typer.Option(metavar="4bit|8bit", help="Load 4-bit or 8-bit weights; needs a GPU and bitsandbytes."),
]
Samples = Annotated[str, typer.Option(help='Forget set: "authors:forget10" or "file:my.jsonl".')]
Columns = Annotated[
    str, typer.Option(help="Columns of your own file by field, e.g. question=instruction,answer=output.")
]
AllTurns = Annotated[
    bool,
    typer.Option(
        "--all-turns",
        help="Make a sample of every assistant turn of your own conversations, not of the last one alone.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Prefix = Annotated[
    bool,
    typer.Option(
        "--prefix",
        help='Also measure the signal "prefix masking", about one pass over the prompt per response token.',
    ),
]
BaseModel = Annotated[
    str | None,
    typer.Option(
        "--base-model",
        help='Model never trained on the samples: also measure the signals "base entropy" and "gap". auto: '
        "the preset without its adapter, else its retrained model.",
    ),
]
Out = Annotated[Path, typer.Option("--out", "--out-folder", help="Folder of the runs.")]


def score_options(prefix: bool, base_model: str | None) -> dict[str, Any]:
    """What is to be measured on request, as :func:`score` takes it."""
    return {name: value for name, value in (("prefix", prefix), ("base_model", base_model)) if value}


def assigned(assignments: list[str]) -> dict[str, Any]:
    """Settings written as NAME=VALUE; numbers, true and false are read as such, all else is text."""
    pairs = parse_assignments(assignments, "--set", "coefficient=4")
    return {"lambda_" if name == "lambda" else name.replace("-", "_"): v for name, v in pairs.items()}


def model_source(
    model: str | None,
    adapter: str,
    template_kwargs: list[str] | None,
    quantization: str = "",
    runs: Path = Path("runs"),
) -> ModelSource:
    """The model that --model, --adapter, --template-kwargs and --quantization name.

    An adapter that a run made brings the model that it was made for, the runs before it and the template
    variables, unless others are given.

    Args:
        model: Name of the model; None takes the run's, or demo without an adapter.
        adapter: Id or folder of a run, an adapter folder, or "".
        template_kwargs: NAME=VALUE, each a variable of the chat template.
        quantization: "4bit", "8bit" or "".
        runs: Folder in which ids of runs are looked up.

    Raises:
        TokenUnlearnError: If there is no such run, it was made from another model, or no model is named for
            an adapter that is of no run.
    """
    from tokenunlearn.models.source import ModelSource
    from tokenunlearn.runs.run import Run
    from tokenunlearn.runs.store import RunStore

    source = ModelSource("demo" if model is None else model)
    if adapter:
        folder = runs / RunStore(runs).locate(adapter)
        if os.path.isfile(folder / "spec.json"):
            source = Run(folder).result
            if model not in (None, source.name):
                raise RunError(f'The run "{folder.name}" was made from "{source.name}", not from "{model}".')
        elif model is None:
            raise RunError(f'The adapter "{adapter}" belongs to no run here; name its model with --model.')
        else:
            source = source.adapted(folder)
    if template_kwargs:
        given = parse_assignments(template_kwargs, "--template-kwargs", "enable_thinking=true")
        source = replace(source, template_kwargs=given)
    return replace(source, quantization=quantization or source.quantization)


def located(name: str, runs: Path) -> Run:
    """The run of an id or a folder.

    Args:
        name: Id, or the beginning of one, in the folder of the runs; or the folder of a run or its adapter.
        runs: Folder of the runs.

    Raises:
        TokenUnlearnError: If there is none.
    """
    from tokenunlearn.runs.run import Run
    from tokenunlearn.runs.store import RunStore

    folder = runs / RunStore(runs).locate(name)
    if not any(os.path.lexists(folder / file) for file in ("spec.json", "state.json")):
        raise RunError(f'The folder "{name}" is not a run.')
    return Run(folder)


def listed(value: Any) -> list[Any]:
    """The values of a setting; a text holds several where commas separate them."""
    return [parse_value(text.strip()) for text in value.split(",")] if isinstance(value, str) else [value]


def _is_own(name: str) -> bool:
    from tokenunlearn.datasets.layout import SOURCES

    return name.partition(":")[0] in SOURCES


def with_columns(columns: str, *names: str, all_turns: bool = False) -> tuple[str, ...]:
    """Names of samples, with --columns and --all-turns written behind own files and sets on the Hub.

    Columns that a name maps itself stay.
    """
    from tokenunlearn.datasets.layout import Layout, split_options, with_layout

    if all_turns:
        names = tuple(with_layout(name, {}, all_turns=True) if _is_own(name) else name for name in names)
        if not any(map(_is_own, names)):
            raise TokenUnlearnError("--all-turns is only for your own files and datasets on the Hub.")
    if not columns:
        return names
    given = Layout.written(columns).columns
    own = set(filter(_is_own, names))
    if not own:
        raise TokenUnlearnError(
            "--columns is only for your own files and datasets on the Hub, file:PATH or hf:NAME."
        )
    own -= {name for name in own if split_options(name.partition(":")[2])[1].columns}
    return tuple(with_layout(name, given) if name in own else name for name in names)


def executed(run: Run, execute: Callable[..., RunState], phase: Callable[[str, int, int], None]) -> RunState:
    """Execute a run with its state shown as a bar.

    Ctrl-C or SIGTERM cancels it after the step it is in, another one ends the process at once.
    """
    import signal
    import threading

    wait = ""

    def show() -> None:
        nonlocal wait
        state = run.state
        if state.phase == "waiting" and state.message != wait:
            wait = state.message
            err.print(escape(wait))
        if state.status == "running" and state.phase:
            phase(state.phase, state.done, state.total)

    def cancel(number: int, _: object) -> None:
        if run.cancel_requested:
            sys.exit(128 + number)
        err.print("Stopping after the current step ...")
        with suppress(RunError):  # it has just ended
            run.request_cancel()

    if threading.current_thread() is not threading.main_thread():
        return execute(between=show)
    previous = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return execute(between=show)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """A function of phase, done and total that draws one progress bar a phase on standard error.

    Shows the rate, the time spent and the time left. Of several processes only the first draws.
    """
    from tokenunlearn.models.processes import is_main_process

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


def print_json(value: Any) -> None:
    """A result as JSON on standard output, in ASCII where that is not UTF-8."""
    utf8 = str(getattr(sys.stdout, "encoding", "")).lower() == "utf-8"
    typer.echo(json.dumps(value, ensure_ascii=not utf8, indent=2))


def show_ended(run: Run, different: str = "") -> None:
    """How a run ended: several lines for a single run, one for a run of a grid."""
    state = run.state
    color = {"completed": "green", "stopped": "yellow", "cancelled": "yellow"}.get(state.status, "red")
    line = f"[{color}]{state.status}[/] {run.id}: {escape(str(run.folder))}"
    if different:
        remarks = "; ".join(filter(None, (different, state.message)))
        out.print(f"{line} ({escape(remarks)})", soft_wrap=True)
        return
    out.print(line)
    if state.message:
        out.print(escape(state.message), soft_wrap=True)
    if run.resolved:
        out.print(f"trained: {escape(', '.join(run.resolved['trained']))}", soft_wrap=True)
    if last := last_step(run):
        out.print(", ".join(f"{k} {v:.4g}" for k, v in last.items() if v is not None))


def last_step(run: Run) -> StepRecord | None:
    """What the last step of a run measured; None before the first."""
    metrics = run.metrics
    return metrics[-1] if metrics else None
