"""The commands and links of README and docs exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
import typer

from tokenunlearn import cli

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
START = "python -m tokenunlearn "


def code_blocks(path: Path) -> str:
    """The text of all fenced code blocks, lines that end with a backslash joined."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return re.sub(r"\\\n\s*", " ", "\n".join(blocks))


def commands() -> list[str]:
    lines = [line.strip() for path in PAGES for line in code_blocks(path).splitlines()]
    return sorted({line for line in lines if line.startswith(START)})


@cache
def tree():
    return typer.main.get_command(cli.app)


def parsed(line: str):
    """The command that a line names, after its words have been parsed by it; nothing is run."""
    words = shlex.split(line.removeprefix(START), comments=True)
    command, context = tree(), None
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    context = command.make_context(command.name, words)
    return command, context.params


@pytest.mark.skipif(not README.exists(), reason="there is no README")
def test_readme_shows_every_main_command():
    shown = {line.removeprefix(START).split()[0] for line in commands()}
    assert {"score", "unlearn", "evaluate", "runs"} <= shown


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_docs_parses(line):
    _, parameters = parsed(line)
    assert parameters


@pytest.mark.parametrize("line", ["score --nonsense 1", "unlearn --steps many --samples x", "dream", "score"])
def test_a_command_that_does_not_exist_would_be_found(line):
    with pytest.raises(Exception, match=r"(?i)no such option|valid integer|no command|missing parameter"):
        parsed(START + line)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(path):
    if not path.exists():
        pytest.skip("there is no README")
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    missing = [path.parent / target for target in local if not (path.parent / target).exists()]
    assert not missing


def test_make_targets_of_readme_exist():
    if not README.exists():
        pytest.skip("there is no README")
    targets = set(re.findall(r"^make (\w+)", code_blocks(README), re.MULTILINE))
    assert {"app", "test"} <= targets
    for target in sorted(targets):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
