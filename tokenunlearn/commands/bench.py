"""``tokenunlearn bench``: the benchmarks of the repository."""

from __future__ import annotations

import runpy
import sys
from typing import Annotated

import typer

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import CHECKOUT


def bench(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Benchmark to run, such as selection, methods, faults or app; an unknown name lists all."
        ),
    ],
) -> None:
    """Run a benchmark; "bench NAME --help" lists its options."""
    if CHECKOUT is None:
        raise TokenUnlearnError("The benchmarks need a checkout of the repository; the wheel has none.")
    files = (CHECKOUT / "benchmarks").glob("*.py")
    known = sorted(p.stem for p in files if '__name__ == "__main__"' in p.read_text("utf-8"))
    if name not in known:
        raise TokenUnlearnError(f'There is no benchmark "{name}"; use one of {", ".join(known)}.')
    sys.argv = [f"bench {name}", *context.args]
    sys.path.insert(0, str(CHECKOUT))
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
