"""What is on a page, as text, and waiting for background work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Dataframe


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait for background work."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def texts_of(message) -> Iterator[str]:
    """Every text anywhere in a message to the browser."""
    for field, value in message.ListFields():
        values = value if field.is_repeated and not hasattr(value, "items") else [value]
        for one in values:
            if isinstance(one, str):
                yield one
            elif hasattr(one, "ListFields"):
                yield from texts_of(one)


def shown(at: AppTest) -> str:
    """Everything on the page as text: markup as it is sent, tables as their values."""

    def walk(node) -> Iterator[str]:
        for child in getattr(node, "children", {}).values():
            yield from walk(child)
        if isinstance(node, Dataframe):
            yield node.value.to_string()
        elif not getattr(node, "children", None) and node.proto is not None:
            yield from texts_of(node.proto)

    return "\n".join(walk(at._tree))
