"""``tokenunlearn demo``: rebuild what is embedded."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.markup import escape

from tokenunlearn.commands.console import bars, executed, out

demo_app = typer.Typer(help="Rebuild the embedded models and the shipped run.", no_args_is_help=True)


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

    with bars() as phase:
        folder = make_stored_run(lambda run, execute: executed(run, partial(execute, run), phase))
    out.print(f"shipped {escape(str(folder))}", soft_wrap=True)
