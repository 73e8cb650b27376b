"""The command line that repeats a run, from its frozen spec."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from tokenunlearn.runs.spec import RunSpec


def command_lines(spec: RunSpec, folder: Path) -> str:
    """What to type to repeat a run; settings that the command line does not take follow as a comment.

    Args:
        spec: The run's spec.
        folder: The run's folder; a score set that the run was given is taken from there.
    """
    from tokenunlearn.training.unlearn_config import UnlearnConfig

    defaults = asdict(UnlearnConfig())
    config = {k: v for k, v in spec.config.items() if k != "parameters"} | dict(
        spec.config.get("parameters", {})
    )
    values: dict[str, Any] = {"model": spec.model, "samples": spec.samples, "retain": spec.retain or None}
    values |= {"scores": str(folder / "scores.parquet")} if spec.score_hash else dict(spec.scoring)
    values |= spec.rule
    kept = ("objective", "regulariser", "seed")
    values |= {k: v for k, v in config.items() if k in kept or k not in defaults or v != defaults[k]}
    values |= {"label": spec.label, "evaluate": spec.evaluate or None, "out": str(folder.parent)}
    taken = _options()
    words = ["python", "-m", "tokenunlearn", "unlearn"]
    left = {}
    for name, value in values.items():
        flag = f"--{name.rstrip('_').replace('_', '-')}"
        if value is None:
            continue
        if flag not in taken:
            left[name] = value
        elif isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words.append(f"{flag}={value}" if str(value).startswith("-") else flag)
            words += [] if str(value).startswith("-") else [str(value)]
    comment = "".join(
        f"\n# {name}: {_one_line(value)} (no option of the command line)" for name, value in left.items()
    )
    return shlex.join(words) + comment


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


def _options() -> Mapping[str, Any]:
    """Every option of the subcommand unlearn."""
    from tokenunlearn.cli import app

    command: Any = typer.main.get_command(app)
    return {o: p for p in command.commands["unlearn"].params for o in (*p.opts, *p.secondary_opts)}
