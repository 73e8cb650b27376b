"""``tokenunlearn app`` and ``bench``: what starts Streamlit, and what an installed wheel lacks."""

from __future__ import annotations

import os
import sys

import pytest

from tokenunlearn.commands import app as app_command
from tokenunlearn.commands import bench as bench_command
from tokenunlearn.folders import APP

STREAMLIT = [sys.executable, "-m", "streamlit", "run", str(APP / "streamlit_app.py"), "--server.address"]


@pytest.fixture
def started(monkeypatch):
    """The command lines that take the place of this process."""
    commands = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    return commands


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ((), ["localhost"]),
        (("--port", "9000"), ["localhost", "--server.port", "9000"]),
        (("--server.maxUploadSize", "5"), ["localhost", "--server.maxUploadSize", "5"]),
    ],
)
def test_the_app_listens_on_localhost_by_default(call, started, words, options):
    assert call("app", *words).code == 0
    assert started == [STREAMLIT + options]


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_does_not_exist_is_refused(call, started, port):
    answer = call("app", "--port", port)
    assert answer.code == 2 and "'--port'" in answer.err and started == []


def test_without_streamlit_the_app_names_the_extra(call, started, monkeypatch):
    monkeypatch.setattr(app_command, "find_spec", lambda name: None)
    answer = call("app")
    assert answer.code == 2 and started == []
    assert answer.sentence == 'Error: The app needs Streamlit: pip install "tokenunlearn[app]".'


def test_an_installed_wheel_says_that_benchmarks_need_a_checkout(call, monkeypatch):
    monkeypatch.setattr(bench_command, "CHECKOUT", None)
    answer = call("bench", "steps", "--quick")
    assert answer.code == 2
    assert answer.sentence == "Error: The benchmarks need a checkout of the repository; the wheel has none."
