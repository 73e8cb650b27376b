"""The code, commands and links of README and docs work."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache

import pytest
import typer

from tests.doc_blocks import ALL, FENCE, PAGES, README, ROOT, assert_they_run, blocks, that_run
from tokenunlearn import cli

START = "python -m tokenunlearn "
LANGUAGES = {"bash", "python", "text", "json", "csv", "mermaid"}


@pytest.mark.parametrize("run", that_run([README]))
def test_the_blocks_of_the_readme_run_in_order(run, tmp_path):
    assert_they_run(run, tmp_path)


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
