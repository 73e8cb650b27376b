"""``tokenunlearn app`` and ``bench``: what starts Streamlit, and what an installed wheel lacks."""

from __future__ import annotations

import os
import socket
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


@pytest.fixture
def no_sign_in(monkeypatch):
    for name in (*app_command.SIGN_IN, "TOKENUNLEARN_DEMO"):
        monkeypatch.setenv(name, "set")  # so that it is put back as it was
        monkeypatch.delenv(name)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "gpu-box"])
def test_other_machines_are_let_in_only_when_asked_for(call, started, no_sign_in, address):
    answer = call("app", "--address", address)
    assert answer.code == 2 and started == []
    assert answer.sentence.startswith(f'Error: "{address}" lets other machines in; add --allow-remote')


def test_a_token_is_made_printed_once_and_kept_off_the_command_line(call, started, no_sign_in):
    answer = call("app", "--address", "0.0.0.0", "--allow-remote")
    token = os.environ["TOKENUNLEARN_TOKEN"]
    assert len(token) >= 32
    assert answer.err.count(token) == 1 and f":8501/?token={token}" in answer.err
    assert token not in " ".join(started[0]) and token not in answer.out
    assert started[0][6:] == [
        *("0.0.0.0", "--server.port", "8501", "--server.allowedHosts", "*"),
        *("--browser.serverAddress", socket.gethostname(), "--client.showErrorDetails", "none"),
    ]


def test_two_starts_make_two_tokens(call, started, no_sign_in, monkeypatch):
    tokens = set()
    for _ in range(2):
        call("app", "--allow-remote")
        tokens.add(os.environ["TOKENUNLEARN_TOKEN"])
        monkeypatch.delenv("TOKENUNLEARN_TOKEN")
    assert len(tokens) == 2


@pytest.mark.parametrize("name", app_command.SIGN_IN)
def test_a_sign_in_that_is_set_up_is_not_printed(call, started, no_sign_in, monkeypatch, name):
    monkeypatch.setenv(name, "something-of-its-own")
    answer = call("app", "--address", "0.0.0.0", "--allow-remote")
    assert answer.code == 0 and answer.err == "" and len(started) == 1
    assert {key for key in app_command.SIGN_IN if os.environ.get(key)} == {name}


def test_a_host_name_of_a_proxy_is_kept(call, started, no_sign_in):
    call("app", "--allow-remote", "--server.allowedHosts", "app.example.org")
    assert started[0].count("--server.allowedHosts") == 1 and "app.example.org" in started[0]


def test_the_demo_needs_no_token(call, started, no_sign_in):
    answer = call("app", "--demo", "--address", "0.0.0.0", "--allow-remote")
    assert answer.err == "" and os.environ["TOKENUNLEARN_DEMO"] == "1"
    assert "TOKENUNLEARN_TOKEN" not in os.environ


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
