"""``tokenunlearn runs``: list, show, cancel and delete runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Column, Table

from tokenunlearn.commands.console import Json, Out, last_step, out, print_json

runs_app = typer.Typer(help="List, show, cancel and delete runs.", no_args_is_help=True)


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
    if as_json:
        print_json(shown)
        return
    for title, values in shown.items():
        table = Table("field", "value", title=title)
        for key, value in (values or {}).items():
            table.add_row(key, escape(json.dumps(value) if isinstance(value, Mapping) else str(value)))
        out.print(table)


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
