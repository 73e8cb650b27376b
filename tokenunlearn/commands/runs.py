"""``tokenunlearn runs``: list, show, export, push, cancel, mend and delete runs, and the tree of requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from tokenunlearn.commands.console import (
    Json,
    Out,
    bars,
    executed,
    last_step,
    located,
    out,
    print_json,
    show_ended,
)
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.runs.launch import GRACE
from tokenunlearn.runs.ledger import set_title

runs_app = typer.Typer(
    help="List, show, export, push, cancel, resume, mend and delete runs.", no_args_is_help=True
)
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
SIZES = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
AGES = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
OLDEST = 100_000 * AGES["d"]  # no run is older, and dates do not reach back much further


@runs_app.command("list")
def runs_list(out_folder: Out = Path("runs"), as_json: Json = False) -> None:
    """List all runs, newest first."""
    from tokenunlearn.runs.store import RunStore

    rows = [{"run": run.id, **asdict(run.state)} for run in RunStore(out_folder).runs()]
    if as_json:
        print_json(rows)
        return
    table = Table(Column("run", no_wrap=True), "status", "phase", "done", "message")
    for row in rows:
        table.add_row(
            row["run"], row["status"], row["phase"], f"{row['done']}/{row['total']}", escape(row["message"])
        )
    out.print(table)


@runs_app.command("show")
def runs_show(run_id: str, out_folder: Out = Path("runs"), as_json: Json = False) -> None:
    """Show spec, state and last step of a run."""
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).get(run_id)
    shown = {"spec": run.spec.to_json(), "state": asdict(run.state), "last_step": last_step(run)}
    damage = run.damage
    if as_json:
        requests = [asdict(request) for request in run.requests]
        print_json(shown | {"requests": requests, "damage": damage})
        return
    for title, values in shown.items():
        table = Table("field", "value", title=title)
        for key, value in (values or {}).items():
            table.add_row(key, escape(json.dumps(value) if isinstance(value, Mapping) else str(value)))
        out.print(table)
    if run.requests:
        table = Table("request", "set", "metric", "before", "after", title="requests")
        for request in run.requests:
            before = "" if request.before is None else f"{request.before:.2f}"
            cells = (request.run, set_title(request.samples), request.metric, before, request.text)
            table.add_row(*map(escape, cells))
        out.print(table)
    for sentence in damage:
        out.print(escape(sentence), soft_wrap=True)


@runs_app.command("tree")
def runs_tree(out_folder: Out = Path("runs"), as_json: Json = False) -> None:
    """Show which requests led to which model, and how well each is forgotten after the later ones."""
    from rich.tree import Tree

    from tokenunlearn.runs.ledger import Branch, forest
    from tokenunlearn.runs.store import RunStore

    trees = forest(RunStore(out_folder).runs())
    if as_json:
        print_json([{"start": s, "runs": [b.to_json() for b in branches]} for s, branches in trees.items()])
        return

    def grow(tree: Tree, branches: Sequence[Branch]) -> None:
        for branch in branches:
            run, spec, state = branch.run, branch.run.spec, branch.run.state
            day = spec.created[:16].replace("T", " ")
            lines = [f"{escape(run.id)}  {escape(run.label)}  {day} UTC  {state.status}"]
            lines += [f"forgets {escape(set_title(spec.samples))}"]
            lines += [
                f"  {number}. {escape(set_title(request.samples))}: {escape(request.text)} {request.metric}"
                for number, request in enumerate(run.requests, start=1)
            ]
            grow(tree.add("\n".join(lines)), branch.later)

    for start, branches in trees.items():
        tree = Tree(escape(start))
        grow(tree, branches)
        out.print(tree, soft_wrap=True)


Merge = Annotated[
    bool,
    typer.Option("--merge", help="The whole model with all that its runs changed, not the adapter alone."),
]
Dtype = Annotated[str, typer.Option(help="Merged weights: float32, bfloat16 or float16; auto: float32.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id or folder of a run.")]


@runs_app.command("export")
def runs_export(
    run_id: RunArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New or empty folder to write into.")],
    merge: Merge = False,
    dtype: Dtype = "auto",
    out_folder: Out = Path("runs"),
) -> None:
    """Write the model of a run as a folder for transformers or peft, with a model card."""
    from tokenunlearn.runs.export import export_run

    run = located(run_id, out_folder)
    export_run(run, folder, merge=merge, dtype=dtype)
    out.print(f"Exported {run.id} to {escape(str(folder))}", soft_wrap=True)


@runs_app.command("push")
def runs_push(
    run_id: RunArgument,
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Model repository on the Hub.")],
    merge: Merge = False,
    dtype: Dtype = "auto",
    public: Annotated[bool, typer.Option("--public", help="Upload to a public repository.")] = False,
    out_folder: Out = Path("runs"),
) -> None:
    """Upload the model of a run with its model card to the Hub.

    The token is that of HF_TOKEN or of `hf auth login`. The repository is private unless --public is given.
    """
    from tokenunlearn.runs.export import push_run

    run = located(run_id, out_folder)
    address = push_run(run, repository, merge=merge, dtype=dtype, private=not public)
    out.print(f"Uploaded to {escape(address)}", soft_wrap=True)


@runs_app.command("cancel")
def runs_cancel(run_id: str, out_folder: Out = Path("runs")) -> None:
    """Stop a run after its current step or batch; once it trains, it can be resumed from a checkpoint."""
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).get(run_id)
    run.request_cancel()
    out.print(f"{run.id} stops after its current step or batch")


@runs_app.command("stop")
def runs_stop(
    run_id: str,
    grace: Annotated[
        float,
        typer.Option(help="Seconds until the process is ended by SIGTERM, and again by SIGKILL."),
    ] = GRACE,
    out_folder: Out = Path("runs"),
) -> None:
    """Stop a run as cancel does and wait for it; end its process if it does not stop.

    Only a process started for its runs (`unlearn --detach`) is ended.
    """
    from tokenunlearn.runs.launch import stop
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).get(run_id)
    state = stop(run, grace)
    out.print(f"{run.id} is {state.status}")
    if state.active:
        raise typer.Exit(1)


@runs_app.command("log")
def runs_log(
    run_id: str,
    lines: Annotated[int, typer.Option(help="How many lines.", min=1)] = 40,
    out_folder: Out = Path("runs"),
) -> None:
    """Show the last lines that the process of a detached run printed."""
    from rich.text import Text

    from tokenunlearn.runs.launch import log_of
    from tokenunlearn.runs.store import RunStore

    text = log_of(RunStore(out_folder).get(run_id), lines)
    out.print(Text.from_ansi(text or "Nothing was printed"), soft_wrap=True)


@runs_app.command("execute", hidden=True)
def runs_execute(run_ids: list[str], out_folder: Out = Path("runs")) -> None:
    """Carry out runs that another process has started this one for."""
    from functools import partial

    from tokenunlearn.runs.launch import carry_out, log_to, taken_over
    from tokenunlearn.runs.store import RunStore

    store = RunStore(out_folder)
    with taken_over([store.get(run_id) for run_id in run_ids]) as runs:
        waiting = list(runs)
        while waiting:
            run = waiting.pop(0)
            log_to(run)
            with bars() as phase:
                executed(run, partial(carry_out, run, waiting), phase)
            show_ended(run)


@runs_app.command("resume")
def runs_resume(run_id: str, out_folder: Out = Path("runs"), as_json: Json = False) -> None:
    """Go on with an interrupted, stopped or failed run from its last checkpoint."""
    from functools import partial

    from tokenunlearn.runs.runner import execute
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).resume(run_id)
    with bars() as phase:
        state = executed(run, partial(execute, run), phase)
    if as_json:
        print_json({"run": run.id, "folder": str(run.folder), **asdict(state), "last_step": last_step(run)})
    else:
        show_ended(run)
    if state.status == "failed":
        raise typer.Exit(1)


@runs_app.command("doctor")
def runs_doctor(out_folder: Out = Path("runs"), dry_run: DryRun = False, as_json: Json = False) -> None:
    """Find and mend what killed processes and full disks left behind."""
    from tokenunlearn.runs.doctor import examine, mend
    from tokenunlearn.runs.store import RunStore

    faults = examine(RunStore(out_folder))
    remaining = [fault for fault in faults if not fault.remedy] if dry_run else mend(faults)
    left = {fault.path for fault in remaining}
    mended = [fault for fault in faults if fault.remedy and fault.path not in left]
    if as_json:
        rows = [(fault, "" if fault in remaining else fault.remedy) for fault in (*mended, *remaining)]
        print_json([{"path": str(f.path), "reason": f.reason, "remedy": remedy} for f, remedy in rows])
        return
    words = {"remove": ("Removed", "Would remove"), "mark": ("Marked", "Would mark")}
    for fault in mended:
        what = f"{fault.path}{' as interrupted' if fault.remedy == 'mark' else ''}"
        out.print(escape(f"{words[fault.remedy][dry_run]} {what}. {fault.reason}"), soft_wrap=True)
    for fault in remaining:
        out.print(escape(f"Left {fault.path}. {fault.reason}"), soft_wrap=True)
    if not faults:
        out.print("Nothing to mend")


@runs_app.command("gc")
def runs_gc(
    keep_bytes: Annotated[
        str, typer.Option(metavar="SIZE", help="Make the runs fit into this size, e.g. 20GB.")
    ] = "",
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Remove the weights of runs that ended longer ago, e.g. 30d.")
    ] = "",
    out_folder: Out = Path("runs"),
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove weights of ended runs, the oldest first; their measurements stay.

    Weights that another run in the same folder goes on from are never removed.
    """
    from tokenunlearn.files import size_text
    from tokenunlearn.runs.doctor import collect, size
    from tokenunlearn.runs.store import RunStore

    if not (keep_bytes or older_than):
        raise TokenUnlearnError("Give --keep-bytes, --older-than or both.")
    store = RunStore(out_folder)
    limit = _amount("--keep-bytes", keep_bytes, SIZES, "20GB") if keep_bytes else None
    seconds = _amount("--older-than", older_than, AGES, "30d") if older_than else None
    age = None if seconds is None else timedelta(seconds=min(seconds, OLDEST))
    removals = collect(store, keep_bytes=limit, older_than=age, dry_run=dry_run)
    remaining = size(store.root) - sum(removal.bytes for removal in removals) * dry_run
    if as_json:
        print_json({"removed": [asdict(removal) for removal in removals], "bytes": remaining})
        return
    for removal in removals:
        verb = "Would remove" if dry_run else "Removed"
        ended = removal.ended[:16].replace("T", " ")
        out.print(
            f"{verb} the weights of {removal.run}: {size_text(removal.bytes)}, ended {ended} UTC",
            soft_wrap=True,
        )
    out.print(f"The runs take {size_text(remaining)}")
    if limit is not None and remaining > limit:
        rest = "Active runs, measurements and weights that other runs go on from take more than the limit"
        out.print(rest, soft_wrap=True)


def _amount(option: str, text: str, units: Mapping[str, float], example: str) -> float:
    """A number with a unit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)", text.strip())
    unit = next((u for u in units if match and u.lower() == match[2].lower()), None)
    if match is None or unit is None:
        known = ", ".join(u for u in units if u)
        raise TokenUnlearnError(
            f'{option} is "{text}"; write a number and a unit of {known}, e.g. {example}.'
        )
    return float(match[1]) * units[unit]


@runs_app.command("delete")
def runs_delete(run_id: str, out_folder: Out = Path("runs")) -> None:
    """Delete a finished run and its adapter."""
    from tokenunlearn.runs.store import RunStore

    store = RunStore(out_folder)
    run = store.get(run_id)
    store.delete(run.id)
    out.print(f"Deleted {run.id}")
