"""The command line: everything the app does, without the app. Exit code 2 is bad input, 1 a failed run."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer
from rich.markup import escape

from tokenunlearn.commands.app import serve
from tokenunlearn.commands.bench import bench
from tokenunlearn.commands.cache import cache_app
from tokenunlearn.commands.check import check
from tokenunlearn.commands.console import err
from tokenunlearn.commands.evaluate import attack, evaluate
from tokenunlearn.commands.retrain import retrain
from tokenunlearn.commands.runs import runs_app
from tokenunlearn.commands.score import score
from tokenunlearn.commands.selector import selector_app
from tokenunlearn.commands.unlearn import unlearn
from tokenunlearn.commands.verdict import verdict
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.processes import launched, leave

app = typer.Typer(
    name="tokenunlearn",
    help="Score which tokens carry the knowledge, unlearn exactly those tokens and evaluate the result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (check, score, unlearn, evaluate, attack, verdict, retrain):
    app.command()(command)
app.add_typer(runs_app, name="runs")
app.add_typer(selector_app, name="selector")
app.add_typer(cache_app, name="cache")
# Streamlit and the benchmarks read options of their own.
foreign_options = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command("app", context_settings=foreign_options)(serve)
app.command(context_settings=foreign_options | {"help_option_names": []})(bench)


def main(command: typer.Typer = app) -> None:
    """Run a command line; bad input prints one sentence and exits with 2."""
    if isinstance(sys.stdout, TextIOWrapper):  # it may be closed
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does
    try:
        _run(command)
    except SystemExit as ended:
        if launched():
            leave(int(ended.code or 0))
        raise


def _run(command: typer.Typer) -> None:
    try:
        command()
    except TokenUnlearnError as error:
        err.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(2)
