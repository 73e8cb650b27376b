"""Pages opened at an address, and what is on them as text."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Dataframe, Selectbox

from app import model_work, sample_sets, tasks
from tests.launch import ROOT

PATIENCE = 120.0  # seconds that a page may take to be drawn while the machine is busy
REMEMBERED = (tasks.worker, tasks.known, model_work.answers, sample_sets._load_samples)


def start_anew() -> None:
    """Clears what the app remembers for all visitors; of files it remembers what they held at a time."""
    for cached in REMEMBERED:
        cached.clear()


def ended_task() -> tasks.Task:
    """A task without a result."""
    future: Future[None] = Future()
    future.set_result(None)
    return tasks.Task("", "", future)


def visit(page: str, /, **parameters: str | list[str]) -> AppTest:
    """The page at an address; raises nothing."""
    at = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=PATIENCE)
    for name, value in parameters.items():
        at.query_params[name] = value
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def labeled_box(at: AppTest, label: str) -> Selectbox:
    """The select box under a label."""
    (box,) = (box for box in at.selectbox if box.label == label)
    return box


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


def field_places(at: AppTest) -> dict[str, tuple[int, ...]]:
    """Key of each field for text or a choice -> where it is, by which a browser tells it from others."""

    def walk(node, place: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        for number, child in getattr(node, "children", {}).items():
            yield from walk(child, (*place, number))
        if getattr(node, "type", "") in ("text_input", "selectbox", "multiselect") and node.key:
            yield node.key, place

    return dict(walk(at._tree, ()))
