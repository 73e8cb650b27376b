"""Options of the command line that are made from the fields of settings classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields
from functools import wraps
from typing import Annotated, Any

import typer

from tokenunlearn.runs.grid import parse_numbers
from tokenunlearn.settings import RENAMED, choices_of, explained, kind_of

Command = Callable[..., None]


def with_settings(
    panels: Mapping[str, Any],
    *,
    several: bool = False,
    without: Collection[str] = (),
    single: Collection[str] = (),
) -> Callable[[Command], Command]:
    """Give a command an option for every field of settings classes.

    The command's parameter ``settings`` takes what was given, by the fields' names.

    Args:
        panels: Title in the help -> settings class.
        several: Whether options take several values separated by commas, and give lists; switches never do.
        without: Fields that get no option.
        single: Fields that take one value all the same.
    """

    def decorate(command: Command) -> Command:
        options = {
            f.name: _parameter(kind, f, panel, several and f.name not in single)
            for panel, kind in panels.items()
            for f in fields(kind)
            if f.name not in without
        }

        @wraps(command)
        def call(**values: Any) -> None:
            given = {name: values.pop(name) for name in options}
            command(**values, settings={name: value for name, value in given.items() if value is not None})

        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "settings"]
        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *options.values())]
        call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        return call

    return decorate


def flag_of(name: str) -> str:
    """The option of a setting: "--lambda" for lambda_."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def numbers_option(*flags: str, whole: bool = False, **details: Any) -> Any:
    """An option that takes numbers separated by commas and gives a list; None where it is not given."""

    def read(text: str | None) -> list[Any] | None:
        return None if text is None else parse_numbers(text, flags[0], whole=whole)

    return typer.Option(*flags, callback=read, metavar="NUMBER,...", **details)


def _words_option(*flags: str, **details: Any) -> Any:
    """An option that takes words separated by commas and gives a list; None where it is not given."""

    def read(text: str | None) -> list[str] | None:
        return None if text is None else list(filter(None, map(str.strip, text.split(","))))

    return typer.Option(*flags, callback=read, **details)


def _parameter(kind: Any, field: Field[Any], panel: str, several: bool) -> inspect.Parameter:
    """A field as a parameter that typer makes an option of; None stands for what is not given."""
    sort, choices = kind_of(kind, field.name)[0], choices_of(kind, field.name)
    flags = [
        flag_of(name) for name in (field.name, *(old for old, new in RENAMED.items() if new == field.name))
    ]
    details: dict[str, Any] = {"help": explained(field.metadata), "rich_help_panel": panel}
    if sort is bool:
        option = typer.Option(f"{flags[0]}/--no-{flags[0][2:]}", **details)
    elif several and sort in (int, float):
        option, sort = numbers_option(*flags, whole=sort is int, **details), str
    else:
        sort = str if choices else sort
        make = _words_option if several else typer.Option
        option = make(*flags, metavar="|".join(choices) or None, **details)
    annotation = Annotated[sort | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
