"""The command lines that do what the app does, word for word as the command line takes them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import typer

from tokenunlearn.commands.options import flag_of
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from tokenunlearn.runs.spec import RunSpec

ALWAYS = ("objective", "regularizer", "seed")


def unlearn_line(
    *,
    model: str,
    samples: str,
    retain: str,
    adapter: str = "",
    template_kwargs: Mapping[str, Any] | None = None,
    quantization: str = "",
    rule: Mapping[str, Any],
    config: Mapping[str, Any],
    out: Path,
    scoring: Mapping[str, Any] | None = None,
    scores: Path | None = None,
    label: str = "",
    evaluate: int = 0,
    watch: Mapping[str, Any] | None = None,
) -> str:
    """One line that carries out a run; settings that no option takes follow as a comment.

    Args:
        model: Name that loads the start model.
        samples: Name that loads the forget set.
        retain: Name that loads the retained samples, or "".
        adapter: Run that it goes on from, or "".
        template_kwargs: Variables of the chat template by name.
        quantization: "4bit" or "8bit" weights, or "".
        rule: Rule of the token weights, {"selection": "hard", "threshold": 0.8}.
        config: Fields of :class:`~tokenunlearn.training.settings.UnlearnSettings`; those at their default
            are left out, but for the objective, the regularizer and the seed.
        out: Folder of the runs.
        scoring: Score settings, for a run that scores the forget set itself.
        scores: Score set the run is given instead.
        label: What to call the run.
        evaluate: Samples a part to evaluate afterwards.
        watch: Fields of :class:`~tokenunlearn.evaluation.watch.WatchSettings`; what is at its
            default is left out.
    """
    from tokenunlearn.training.settings import UnlearnSettings

    settings = dict(config)
    parameters = dict(settings.pop("parameters", {}))
    weighting = settings.pop("weighting_parameters", {})
    parameters |= {f"weighting_{name}": value for name, value in weighting.items()}
    objective = settings.get("objective")  # which this version may not know
    defaults = asdict(UnlearnSettings(objective=objective if objective in OBJECTIVES else DEFAULT_OBJECTIVE))
    own = {f.name for f in fields(UnlearnSettings)}
    chosen = {k: v for k, v in settings.items() if k in ALWAYS or k not in defaults or v != defaults[k]}
    values = _model(model, adapter, template_kwargs, quantization) | {
        "samples": samples,
        "retain": retain or None,
    }
    values |= {"scores": str(scores)} if scores else dict(scoring or {})
    values |= {**rule, **chosen, **parameters}
    values |= {"label": label or None, "evaluate": evaluate or None, **_watch(watch or {})}
    values |= {"out": str(out)}
    return _line("unlearn", values, settable=own | parameters.keys())


def _watch(described: Mapping[str, Any]) -> dict[str, Any]:
    """Options of what is watched while a run trains."""
    plain = WatchSettings()
    return {
        "watch_every": described.get("every") or None,
        "watch_samples": None if described.get("samples") == plain.samples else described.get("samples"),
        "watch_question": list(described.get("questions", ())),
    }


def score_line(
    model: str,
    samples: str,
    settings: Mapping[str, Any],
    out: Path,
    *,
    adapter: str = "",
    template_kwargs: Mapping[str, Any] | None = None,
    quantization: str = "",
) -> str:
    """One line that scores a forget set with these settings."""
    values = _model(model, adapter, template_kwargs, quantization) | {
        "samples": samples,
        **settings,
        "out": str(out),
    }
    return _line("score", values, settable=settings.keys())


def _model(
    model: str, adapter: str, template_kwargs: Mapping[str, Any] | None, quantization: str
) -> dict[str, Any]:
    """Options of the start model."""
    variables = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in (template_kwargs or {}).items()
    ]
    return {
        "model": model,
        "adapter": adapter or None,
        "template_kwargs": variables,
        "quantization": quantization or None,
    }


def command_lines(spec: RunSpec, folder: Path, out: Path) -> str:
    """What to type to repeat a run.

    Args:
        spec: The run's spec.
        folder: The run's folder; a score set that the run was given, or made with a selector, is taken from
            there.
        out: Folder of the runs that the new run joins.
    """
    return unlearn_line(
        model=spec.model,
        adapter=spec.adapter,
        template_kwargs=spec.template_kwargs,
        quantization=spec.quantization,
        samples=spec.samples,
        retain=spec.retain,
        rule=spec.rule,
        config=spec.config,
        scoring=spec.scoring,
        scores=folder / "scores.parquet" if spec.score_hash or "selector" in spec.scoring else None,
        label=spec.label,
        evaluate=spec.evaluate,
        watch=spec.watch,
        out=out,
    )


def _line(subcommand: str, values: Mapping[str, Any], settable: Collection[str]) -> str:
    """A subcommand with its values as options, as ``--set`` where there is no option, else as a comment."""
    options = _options(subcommand)
    words, comments = ["python", "-m", "tokenunlearn", subcommand], []
    for name, value in values.items():
        if value is None:
            continue
        if flag_of(name) in options:
            words += [
                w for one in (value if isinstance(value, list) else [value]) for w in _option(name, one)
            ]
        elif name in settable:
            words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        else:
            comments.append(f"\n# {name}: {' '.join(str(value).split())} (no command-line option)")
    return shlex.join(words) + "".join(comments)


def _option(name: str, value: Any) -> list[str]:
    """A setting as words; a value that begins with a dash is tied to its option."""
    flag = flag_of(name)
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    text = str(value).removesuffix(".0") if isinstance(value, float) else str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


@lru_cache
def _options(subcommand: str) -> set[str]:
    """Every option of a subcommand."""
    from tokenunlearn.cli import app

    command: Any = typer.main.get_command(app)
    return {o for p in command.commands[subcommand].params for o in (*p.opts, *p.secondary_opts)}
