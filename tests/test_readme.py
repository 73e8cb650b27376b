"""The code, commands and links of README and docs work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from tokenunlearn import cli

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
START = "python -m tokenunlearn "
LANGUAGES = {"bash", "python", "text", "json", "csv", "mermaid"}
FENCE = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of code, and the comment before it that says how it is to be tested."""

    page: Path
    number: int
    mark: str
    language: str
    text: str

    @property
    def runs(self):
        return self.language in ("bash", "python") and not self.mark.startswith("not run: ")

    @property
    def where(self):
        return f"block {self.number} of {self.page.name}"


def blocks(path):
    found = FENCE.findall(path.read_text(encoding="utf-8"))
    return [Block(path, number, *block) for number, block in enumerate(found, start=1)]


ALL = [block for path in PAGES for block in blocks(path)]


def pages_that_run():
    for path in PAGES:
        run = [block for block in blocks(path) if block.runs]
        slow = any(block.mark == "slow" for block in run)
        if run:
            yield pytest.param(run, id=path.name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("run", pages_that_run())
def test_the_blocks_of_a_page_run_in_order(run, tmp_path):
    latest = "runs/$(ls -t runs | head -n 1)/"  # the page says ID
    code = [(b.language, b.text.replace("runs/ID/", latest), b.where) for b in run]
    paths = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.workers.run_blocks", json.dumps(code)],
        cwd=tmp_path,
        env=os.environ | paths,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.where)
def test_a_block_names_its_language_and_why_it_does_not_run(block):
    assert block.language in LANGUAGES, f"{block.where}: name one of {', '.join(sorted(LANGUAGES))}"
    if block.language in ("bash", "python"):
        assert re.fullmatch("|slow|not run: .{10,}", block.mark), block.mark


def test_no_code_hides_in_an_indented_block():
    for path in PAGES:
        text = FENCE.sub("", path.read_text(encoding="utf-8"))
        assert not re.search(r"^\n {4,}(python|pip|make|torchrun|accelerate|import) ", text, re.MULTILINE), (
            path
        )


def commands():
    texts = (re.sub(r"\\\n\s*", " ", b.text) for b in ALL if b.language == "bash")
    lines = (line.strip() for text in texts for line in text.splitlines())
    return sorted({line for line in lines if line.startswith(START)})


@cache
def tree():
    return typer.main.get_command(cli.app)


def parsed(line):
    """The command that a line names, after its words have been parsed by it; nothing is run."""
    words = shlex.split(line.removeprefix(START), comments=True)
    command, context = tree(), None
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    context = command.make_context(command.name, words)
    return command, context.params


def test_readme_shows_every_main_command():
    shown = {line.removeprefix(START).split()[0] for line in commands()}
    assert {"score", "unlearn", "evaluate", "runs"} <= shown


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_docs_parses(line):
    _, parameters = parsed(line)
    assert parameters


@pytest.mark.parametrize("line", ["score --nonsense 1", "evaluate --limit many", "dream", "score"])
def test_a_command_that_does_not_exist_would_be_found(line):
    with pytest.raises(Exception, match=r"(?i)no such option|valid integer|no command|missing parameter"):
        parsed(START + line)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    missing = [path.parent / target for target in local if not (path.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_a_page_names_exist(path):
    text = path.read_text(encoding="utf-8")
    folders = "tokenunlearn|app|pages|tests|tools|benchmarks|docs|examples"
    named = set(re.findall(rf"`((?:{folders})/[\w./]+\.\w+)`", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_make_targets_of_readme_exist():
    bash = "\n".join(block.text for block in blocks(README) if block.language == "bash")
    targets = set(re.findall(r"^make (\w+)", bash, re.MULTILINE))
    assert {"app", "test"} <= targets
    for target in sorted(targets):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
