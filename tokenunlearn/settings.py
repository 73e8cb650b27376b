"""What all settings share: fields with a help text and a range, checked values, and old names."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, wraps
from numbers import Real
from types import NoneType
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from tokenunlearn.errors import TokenUnlearnError

P = ParamSpec("P")
T = TypeVar("T")
RENAMED = {
    "regulariser": "regularizer",  # codespell:ignore
    "normaliser": "normalizer",  # codespell:ignore
    "guard": "copy_guard",
}
# Whole numbers are at most this unless their field has a maximum of its own; no seed can be larger.
LARGEST = 2**32 - 1
NOUNS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings under their present names, so that old files and command lines go on to work."""
    return {RENAMED.get(name, name): value for name, value in settings.items()}


def with_old_names(**old: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function take arguments under their old names too, with a DeprecationWarning.

    Args:
        **old: Old name -> present name.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            for former, name in old.items():
                if former in kwargs:
                    message = f'The argument "{former}" is now called "{name}".'
                    warnings.warn(message, DeprecationWarning, stacklevel=2)
                    kwargs.setdefault(name, kwargs.pop(former))
            return function(*args, **kwargs)

        return call

    return decorate


def setting(
    default: Any,
    text: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A dataclass field with a help text and a range: ``>= minimum``, ``> above`` and ``<= maximum``."""
    bounds = {"minimum": minimum, "above": above, "maximum": maximum}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return field(default=default, metadata={"help": text, **given})


def explained(metadata: Mapping[str, Any]) -> str:
    """The help text of a field with its range: "Optimizer steps. [>= 1, <= 1,000,000]"."""
    signs = (("minimum", ">="), ("above", ">"), ("maximum", "<="))
    limits = [f"{sign} {metadata[name]:,}" for name, sign in signs if name in metadata]
    return f"{metadata['help']} [{', '.join(limits)}]" if limits else str(metadata["help"])


@dataclass(frozen=True)
class Settings:
    """Base of settings: what does not fit a field's annotation or range is refused in one sentence.

    A field is checked where its annotation is a Literal, bool, int, float or str, alone or "| None"; fields
    of other types are the subclass's own business. A real number must be finite, and a whole one at most
    ``LARGEST`` or the field's own maximum.

    Attributes:
        error: What is raised.
        prefix: What stands before a field's name in the sentence.

    Raises:
        TokenUnlearnError: If a value is not allowed.
    """

    error: ClassVar[type[TokenUnlearnError]] = TokenUnlearnError
    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Refuse what is not allowed."""
        for f in fields(self):
            value, (kind, optional) = getattr(self, f.name), kind_of(type(self), f.name)
            if value is None and optional:
                continue
            shown, demand = f'"{shortened(value)}"', _demanded_kind(value, kind)
            if not demand and kind in (int, float):
                shown, demand = shortened(value), _demanded_range(value, kind, f.metadata)
            if demand:
                raise self.error(f"{self.prefix}{f.name} is {shown}; it must {demand}.")


def plain_number(name: str, value: Any, demand: str = "be a number") -> float:
    """A number as Python has it, for numpy's cannot be stored as JSON.

    Args:
        name: What the number is called.
        value: The number.
        demand: What it must do, for the error.

    Raises:
        TokenUnlearnError: If it is anything else; true and false are no numbers.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TokenUnlearnError(f'{name} is "{shortened(value)}"; it must {demand}.')
    return value.item() if hasattr(value, "item") else value  # type: ignore[return-value]


def shortened(value: Any) -> str:
    """A value as an error quotes it, at most 80 characters."""
    try:
        text = str(value)
    except ValueError:  # a number of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:79]}…"


def kind_of(settings: Any, name: str) -> tuple[Any, bool]:
    """The type of a field without its "| None", and whether None is allowed."""
    annotation = _annotations(settings)[name]
    options = get_args(annotation)
    if NoneType not in options:
        return annotation, False
    (kind,) = (option for option in options if option is not NoneType)
    return kind, True


def choices_of(settings: Any, name: str) -> tuple[str, ...]:
    """The values that a field allows whose type is a Literal; () for any other field."""
    kind, _ = kind_of(settings, name)
    return get_args(kind) if get_origin(kind) is Literal else ()


@cache
def _annotations(settings: Any) -> dict[str, Any]:
    return get_type_hints(settings)


def _demanded_kind(value: Any, kind: Any) -> str:
    """What a value of another type must do, as the words after "it must"; "" for the right type."""
    if get_origin(kind) is Literal:
        return "" if value in get_args(kind) else f"be one of {', '.join(get_args(kind))}"
    accepted = (int, float) if kind is float else kind
    fits = kind not in NOUNS or (isinstance(value, accepted) and isinstance(value, bool) == (kind is bool))
    return "" if fits else f"be {NOUNS[kind]}"


def _demanded_range(value: float, kind: Any, bounds: Mapping[str, Any]) -> str:
    """What a number out of range must do, as the words after "it must"; "" within the range."""
    minimum, above = bounds.get("minimum"), bounds.get("above")
    maximum = bounds.get("maximum", LARGEST if kind is int else None)
    if kind is float and not abs(value) <= sys.float_info.max:
        return "be a finite number"
    if kind is float and minimum is not None and maximum is not None:
        return "" if minimum <= value <= maximum else f"be between {minimum:,} and {maximum:,}"
    if minimum is not None and value < minimum:
        return f"be at least {minimum:,}"
    if above is not None and value <= above:
        return f"be above {above:,}"
    if maximum is not None and value > maximum:
        return f"be at most {maximum:,}"
    return ""


def parse_assignments(assignments: Sequence[str], owner: str, example: str) -> dict[str, Any]:
    """Values written as NAME=VALUE, by name.

    Args:
        assignments: The texts.
        owner: Option or field that they were given to, for errors.
        example: A right one, for errors.

    Raises:
        TokenUnlearnError: If a text is written otherwise.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not (name and equals):
            raise TokenUnlearnError(f'{owner} takes NAME=VALUE, e.g. {example}, not "{assignment[:80]}".')
        values[name] = parse_value(text)
    return values


def parse_value(text: str) -> Any:
    """A number, true, false or null where the text is one, else the text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, list | dict) else value
