"""The command line as a whole: help, and the exit code of a process."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper

import pytest
import typer

from tests.commands.small_cli import subprocess_of
from tests.launch import imported_by
from tokenunlearn import cli
from tokenunlearn.commands import console


def test_help_and_bare_call_list_the_commands(call):
    for words in ((), ("--help",)):
        shown = call(*words)
        assert all(name in shown.out + shown.err for name in ("score", "unlearn", "evaluate", "runs"))
    assert call("--help").code == 0
    assert call("no-such-command").code == 2


@pytest.mark.slow
def test_help_never_loads_torch():
    modules = imported_by("tokenunlearn", "unlearn", "--help")
    assert "typer" in modules and "torch" not in modules


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_every_encoding_of_standard_output_holds_any_text(monkeypatch, encoding):
    out = TextIOWrapper(BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", out)
    app = typer.Typer()

    @app.command()
    def say() -> None:
        console.print_json({"text": "Zoë 里 🎉"})
        console.out.print("Zoë 里 🎉")

    with pytest.raises(SystemExit) as ended:
        monkeypatch.setattr(sys, "argv", ["tokenunlearn"])
        cli.main(app)
    assert ended.value.code == 0
    out.flush()
    *written, said = out.buffer.getvalue().decode(encoding).splitlines()
    assert json.loads("".join(written)) == {"text": "Zoë 里 🎉"}
    assert said.startswith("Zo")


def test_json_for_nobody_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    console.print_json({"text": "Zoë"})


@pytest.mark.slow
def test_module_and_exit_code_of_a_process(tmp_path):
    process = subprocess_of("runs", "show", "nothing", "--out-folder", tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("Error: There is no run")
