"""Pages without a browser: opened at an address, with runs and cache in a folder of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from app import services
from tests.app.app_pages import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Path]:
    """Folder of the runs; what still runs at the end of a test is cancelled."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield tmp_path / "runs"
    active = [run for run in services.store().runs() if run.state.active]
    for run in active:
        (run.folder / "cancel").touch()
    wait_until(lambda: not any(run.state.active for run in active))
    st.cache_resource.clear()


@pytest.fixture
def new_options(monkeypatch) -> None:
    """Lets AppTest send a select box's value that is no option, as the browser can."""

    def state(box: Selectbox) -> WidgetState:
        value = None if box.value is None else str(box.format_func(box.value))
        return WidgetState(id=box.id, string_value=value)

    monkeypatch.setattr(Selectbox, "_widget_state", property(state))


@pytest.fixture
def open_page(home, new_options) -> Callable[..., AppTest]:
    """Opens a page at an address and checks that it raises nothing."""

    def opened(page: str, **parameters: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
        for name, value in parameters.items():
            at.query_params[name] = value
        at.switch_page(f"pages/{page}.py").run()
        assert not at.exception
        return at

    return opened


@pytest.fixture(scope="session")
def model(tiny_lm, tmp_path_factory) -> str:
    """A random model, saved."""
    folder = tmp_path_factory.mktemp("model")
    tiny_lm.model.save_pretrained(folder)
    tiny_lm.tokenizer.save_pretrained(folder)
    return str(folder)


ROWS = [
    {"question": f"Who lives in house {i}?", "answer": f"The baker number {i} does.", "span": [[4, 18]]}
    for i in range(4)
]


@pytest.fixture
def samples(home) -> str:
    """Uploaded samples."""
    return services.keep_upload("\n".join(map(json.dumps, ROWS)).encode(), "rows.jsonl")
