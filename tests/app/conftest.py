"""Pages without a browser: opened at an address, with runs and cache in a folder of their own."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.components.v2.manifest_scanner import scan_component_manifests
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from app import sample_sets, services, tasks
from tests.app.app_pages import start_anew, visit
from tests.waiting import wait_until
from tokenunlearn import folders

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch, short_answers) -> Iterator[Path]:
    """Folder of the runs; what still runs at the end of a test is cancelled."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOKENUNLEARN_ROOTS", os.pathsep.join([str(ROOT), tempfile.gettempdir()]))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    start_anew()
    yield tmp_path / "runs"
    active = [run for run in services.store().runs() if run.state.active]
    for run in active:
        (run.folder / "cancel").touch()
    for task in tasks.known().values():
        task.cancel()
    wait_until(lambda: not any(run.state.active for run in active))
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    start_anew()


@pytest.fixture(autouse=True)
def unconfined() -> Iterator[None]:
    """Lets the tests that follow read anything again; a page limits the process that shows it."""
    yield
    folders.confine(())


@pytest.fixture(scope="session", autouse=True)
def one_scan() -> Iterator[None]:
    """Has streamlit look for components among the installed packages once, not each time a page is opened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(scan_component_manifests))
        yield


@pytest.fixture
def new_options(monkeypatch) -> None:
    """Lets AppTest send a select box's value that is no option, as the browser can."""

    def state(box: Selectbox) -> WidgetState:
        value = None if box.value is None else str(box.format_func(box.value))
        return WidgetState(id=box.id, string_value=value)

    monkeypatch.setattr(Selectbox, "_widget_state", property(state))


@pytest.fixture
def open_page(home, new_options) -> Callable[..., AppTest]:
    """Opens a page at an address."""
    return visit


@pytest.fixture(scope="session")
def model(tiny_folder) -> str:
    """A random model, saved."""
    return str(tiny_folder)


ROWS = [
    {"question": f"Who lives in house {i}?", "answer": f"The baker number {i} does.", "span": [[4, 18]]}
    for i in range(4)
]


@pytest.fixture
def samples(home) -> str:
    """Uploaded samples."""
    return sample_sets.keep_upload("\n".join(map(json.dumps, ROWS)).encode(), "rows.jsonl")
