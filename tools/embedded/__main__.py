"""Rebuild what is embedded: ``python -m tools.embedded build|run``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.markup import escape

from tokenunlearn.cli import main
from tokenunlearn.commands.console import bars, executed, out

app = typer.Typer(
    name="tools.embedded",
    help="Rebuild the embedded models and the shipped run.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("build")
def embedded_build(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which models; by default the two demo models.")
    ] = None,
    only_measure: Annotated[
        bool, typer.Option(help="Keep the weights; renew reports, score sets and cards.")
    ] = False,
) -> None:
    """Train the embedded models again from the embedded data and measure them."""
    from tools.embedded.build import build
    from tools.embedded.card import measure

    chosen = names or ["demo-retrained", "demo"]

    def say(line: str) -> None:
        out.print(escape(line), soft_wrap=True)

    if not only_measure:
        build(chosen, say)
    measure(chosen, say)


@app.command("run")
def embedded_run() -> None:
    """Carry out the shipped run again and put it in assets/runs, with its weights."""
    from tools.embedded.stored_run import make_stored_run

    with bars() as phase:
        folder = make_stored_run(lambda run, execute: executed(run, partial(execute, run), phase))
    out.print(f"shipped {escape(str(folder))}", soft_wrap=True)


if __name__ == "__main__":
    main(app)
