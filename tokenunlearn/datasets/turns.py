"""Conversations in the forms that chat data has, and the turns in them that are answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from tokenunlearn.datasets.cells import Written, to_list, to_text
from tokenunlearn.datasets.samples import Turn
from tokenunlearn.errors import DatasetError

ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?")


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of turns, or its JSON in a table that knows text alone."""
    if not isinstance(value, Written):
        return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
    turns: Any = ()
    if value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            turns = json.loads(value)
    return bool(turns) and _has_role(turns[0])


def _has_role(item: Any) -> bool:
    return isinstance(item, Mapping) and bool(item.keys() & {"role", "from"})


def to_turns(value: Any, name: str, where: str) -> list[Turn]:
    """Turns out of a list of ``{"role": ..., "content": ...}``, ``{"from": ..., "value": ...}`` or pairs.

    A pair is what the user and what the assistant says.

    Args:
        value: The list, as a row holds it, or its text as JSON; None is an empty one.
        name: The column that holds it.
        where: What the error message calls the row.

    Raises:
        DatasetError: If it is not such a list, a role is unknown, or a turn holds more than text.
    """
    return [turn for item in to_list(value, name, where) for turn in _turns(item, name, where)]


def _turns(item: Any, name: str, where: str) -> list[Turn]:
    if isinstance(item, list | tuple) and len(item) == 2:
        question, answer = (_text(content, name, where) for content in item)
        return [Turn("user", question), Turn("assistant", answer)]
    if not _has_role(item):
        raise DatasetError(f'{where} has a turn in "{name}" without a role.')
    role = item.get("role") or item.get("from")
    if str(role).lower() not in ROLES:
        raise DatasetError(
            f'{where} has a turn of the role "{role}" in "{name}"; use system, user or assistant.'
        )
    if any(item.get(call) for call in ("tool_calls", "function_call")):
        raise DatasetError(
            f'{where} has a turn in "{name}" that calls a tool; take it out, or use its text alone.'
        )
    content = item.get("content") if "content" in item else item.get("value")
    return [Turn(ROLES[str(role).lower()], _text(content, name, where))]


def _text(content: Any, name: str, where: str) -> str:
    """What a turn says, as a text or as a list of parts of text."""
    parts = [content]
    if isinstance(content, list | tuple) and content and all(map(_is_text, content)):
        parts = [part.get("text") for part in content]
    if None in parts:
        raise DatasetError(f'{where} has a turn in "{name}" without text.')
    return "".join(to_text(part, name, where) for part in parts)


def _is_text(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text"


def dialog(text: str) -> list[Turn]:
    r"""Turns of a text that marks them with "Human: " and "Assistant: " after a blank line; [] for any other.

    >>> dialog("\n\nHuman: Hi\n\nAssistant: Hello")
    [Turn(role='user', content='Hi'), Turn(role='assistant', content='Hello')]
    """
    first, *parts = _SPEAKER.split(text)
    if first.strip():
        return []
    spoken = zip(parts[::2], parts[1::2], strict=True)
    return [Turn(ROLES[speaker.lower()], said.strip()) for speaker, said in spoken]


def answer_places(turns: Sequence[Turn], *, every: bool = False) -> list[int]:
    """Places of the assistant turns that answer a user turn: the last assistant turn's, or all."""
    places = [i for i, (a, b) in enumerate(pairwise(turns), 1) if (a.role, b.role) == ("user", "assistant")]
    last = max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=None)
    return places if every else [i for i in places if i == last]
