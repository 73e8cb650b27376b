"""The command line as a whole: help, and the exit code of a process."""

from __future__ import annotations

import pytest

from tests.commands.small_cli import subprocess_of
from tests.launch import imported_by


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


@pytest.mark.slow
def test_module_and_exit_code_of_a_process(tmp_path):
    process = subprocess_of("runs", "show", "nothing", "--out-folder", tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == ""
    assert err.splitlines()[-1].startswith("Error: There is no run")
