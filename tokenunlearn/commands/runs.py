"""``tokenunlearn runs``: list, show, export, cancel and delete runs, and the requests behind each model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from tokenunlearn.commands.console import Json, Out, last_step, out, print_json
from tokenunlearn.runs.ledger import set_title

runs_app = typer.Typer(help="List, show, export, cancel and delete runs.", no_args_is_help=True)


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


@runs_app.command("export")
def runs_export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Id or folder of a run.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New or empty folder to write into.")],
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Write the whole model with all that its runs changed, not the adapter alone."
        ),
    ] = False,
    dtype: Annotated[
        str, typer.Option(help="Merged weights: float32, bfloat16 or float16; auto: float32.")
    ] = "auto",
    repository: Annotated[
        str,
        typer.Option(
            "--push-to-hub",
            metavar="ID",
            help="Upload the folder to this repository on the Hub too; the token is read from HF_TOKEN.",
        ),
    ] = "",
    public: Annotated[bool, typer.Option("--public", help="Upload to a public repository.")] = False,
    out_folder: Out = Path("runs"),
) -> None:
    """Write the model of a run as a folder for transformers or peft, with a model card."""
    from tokenunlearn.runs.export import export_run, hub_client, push_to_hub
    from tokenunlearn.runs.run import Run
    from tokenunlearn.runs.store import RunStore

    run = Run(out_folder / RunStore(out_folder).locate(run_id))
    client = hub_client() if repository else None
    export_run(run, folder, merge=merge, dtype=dtype)
    out.print(f"Exported {run.id} to {escape(str(folder))}", soft_wrap=True)
    if client:
        address = push_to_hub(client, folder, repository, private=not public)
        out.print(f"Uploaded to {escape(address)}", soft_wrap=True)


@runs_app.command("cancel")
def runs_cancel(run_id: str, out_folder: Out = Path("runs")) -> None:
    """Stop a run after its current step."""
    from tokenunlearn.runs.store import RunStore

    run = RunStore(out_folder).get(run_id)
    run.request_cancel()
    out.print(f"{run.id} stops after its current step")


@runs_app.command("delete")
def runs_delete(run_id: str, out_folder: Out = Path("runs")) -> None:
    """Delete a finished run and its adapter."""
    from tokenunlearn.runs.store import RunStore

    store = RunStore(out_folder)
    run = store.get(run_id)
    store.delete(run.id)
    out.print(f"Deleted {run.id}")
