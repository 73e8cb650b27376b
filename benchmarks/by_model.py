"""Results that are measured one model at a time, each stored as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import code_versions, stored_result, tables, write_result


def measure_models(path: Path, known: Collection[str], measured: Callable[[str], dict[str, Any]]) -> None:
    """Run a command that measures models again and writes the result file after each, and then the docs.

    Args:
        path: The result file; what it holds of other models stays.
        known: All models that the file may hold, in order.
        measured: Measures one by its name.
    """

    def main(
        models: Annotated[
            str, typer.Option(help="Models, separated by commas; SmolLM2 takes minutes.")
        ] = ",".join(known),
    ) -> None:
        """Measure the models, write the result after each."""
        stored = (stored_result(path) or {"models": {}})["models"]
        for name in models.split(","):
            stored[name] = measured(name)
            there = {model: stored[model] for model in known if model in stored}
            result = {"models": there, **code_versions()}
            write_result(path, result)
            Console().print(name, stored[name])
        tables.write()

    typer.run(main)
