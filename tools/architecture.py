"""Draws ``docs/architecture.md``: folders, imports between rooms, and the path from a button to a loss.

``python -m tools.architecture`` writes the parts between the markers of the page; a test keeps them current.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tokenunlearn

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
# From the top down: a room imports from the levels below its own, never from beside or above.
LEVELS = (
    ("pages",),
    ("app",),
    ("commands",),
    ("runs",),
    ("training", "evaluation"),
    ("objectives", "attribution"),
    ("models",),
    ("datasets",),
    ("errors",),
)
LEVEL = {room: depth for depth, rooms in enumerate(LEVELS) for room in rooms}
# The longest path from a page to a loss, and what leads on where the next function is not called by name.
PATH = (
    ("pages.unlearn:launch", ""),
    ("app.unlearn.run_card:show", ""),
    ("app.unlearn.run_card:_offer_start", ""),
    ("app.unlearn.run_card:_start", ""),
    ("app.unlearn.run_plan:Plan.start", ""),
    ("tokenunlearn.runs.worker:Worker.submit", "the worker's thread takes the run off the queue"),
    ("tokenunlearn.runs.worker:Worker._loop", ""),
    ("tokenunlearn.runs.worker:Worker._carry_out", ""),
    ("tokenunlearn.runs.runner:execute", ""),
    ("tokenunlearn.runs.runner:_Execution.go", ""),
    ("tokenunlearn.training.unlearn:unlearn", ""),
    ("tokenunlearn.training.trainer:UnlearnTrainer.train", "transformers runs its training loop"),
    ("tokenunlearn.training.trainer:UnlearnTrainer.compute_loss", "torch calls the module"),
    ("tokenunlearn.training.step_loss:StepLoss.forward", ""),
    ("tokenunlearn.training.step_loss:StepLoss._forget_loss", ""),
    ("tokenunlearn.objectives.altnpo:AltNPO.loss", ""),
    ("tokenunlearn.objectives.altnpo:altnpo", ""),
    ("tokenunlearn.objectives.npo:npo", ""),
)


class Import(NamedTuple):
    """One module that a file imports, at its top or inside a function."""

    file: str
    line: int
    source: str
    target: str

    @property
    def points_back(self) -> bool:
        """Whether the target is neither the source's own room nor below it."""
        return self.source != self.target and LEVEL[self.target] <= LEVEL[self.source]


def room_of(module: str) -> str:
    """The room of a module; files of the library in no folder are at its top or at its bottom."""
    top, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    if top != "tokenunlearn":
        return "pages" if top == "streamlit_app" else top
    if name in LEVEL:
        return name
    return "commands" if name in ("cli", "__main__") else "errors"


def sources() -> list[Path]:
    """Every file whose imports are checked."""
    folders = ("pages", "app", "tokenunlearn")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    facade = ROOT / "tokenunlearn" / "__init__.py"  # it names what lives elsewhere
    return sorted({ROOT / "streamlit_app.py", *files} - {facade})


def imports() -> Iterator[Import]:
    """Imports between rooms; those for type checkers alone are left out, since they never run."""
    for path in sources():
        file = path.relative_to(ROOT).as_posix()
        source = room_of(file.removesuffix(".py").replace("/", "."))
        for node in _running(ast.parse(path.read_text(encoding="utf-8"))):
            for module in _modules(node):
                if module.partition(".")[0] in ("pages", "app", "tokenunlearn"):
                    yield Import(file, node.lineno, source, room_of(module))


def _running(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _running(child)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.module != "tokenunlearn":
        return [node.module or ""]
    homes = (tokenunlearn._HOME.get(alias.name) for alias in node.names)  # None: the package's own
    return [f"tokenunlearn.{home}" for home in homes if home]


def arrows() -> list[tuple[str, str]]:
    """Rooms and what they import, without the arrows that longer ways imply."""
    edges = {(i.source, i.target) for i in imports() if i.source != i.target}
    below: dict[str, set[str]] = {room: {b for a, b in edges if a == room} for room in LEVEL}
    for room in reversed(LEVEL):
        below[room] |= {far for near in below[room] for far in below[near]}
    implied = {(a, far) for a, b in edges for far in below[b]}
    return sorted(edges - implied, key=lambda edge: (LEVEL[edge[0]], edge))


def graph() -> str:
    """The arrows between rooms, as mermaid."""
    lines = [f"    {source} --> {target}" for source, target in arrows()]
    return "\n".join(["```mermaid", "graph TD", *lines, "```"])


def tree() -> str:
    """Folders with what they hold, and the files of the topmost ones."""
    rows = [("streamlit_app.py", _summary(ROOT / "streamlit_app.py"))]
    for top in ("pages", "app", "tokenunlearn", "tools"):
        rows += _rows(ROOT / top, 0)
    width = max(len(name) for name, _ in rows)
    return "\n".join(["```text", *(f"{name:<{width}}  {text}".rstrip() for name, text in rows), "```"])


def _rows(folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    indent = "  " * depth
    yield f"{indent}{folder.name}/", _summary(folder / "__init__.py")
    if not depth:
        for file in sorted(folder.glob("[a-z]*.py")):
            yield f"  {file.name}", _summary(file)
    for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield from _rows(inner, depth + 1)


def _summary(file: Path) -> str:
    """The first line of a file's docstring."""
    if not file.exists():
        return ""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def function(place: str) -> ast.FunctionDef:
    """The definition of "module:function" or "module:Class.method".

    Raises:
        LookupError: If there is none.
    """
    module, _, name = place.partition(":")
    node: ast.AST = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    for part in name.split("."):
        inner = [child for child in ast.iter_child_nodes(node) if getattr(child, "name", "") == part]
        if not inner:
            raise LookupError(f"There is no {name} in {module}.")
        node = inner[-1]
    assert isinstance(node, ast.FunctionDef)
    return node


def path() -> str:
    """The functions between a button and a loss, in order."""
    lines = []
    for number, (place, onward) in enumerate(PATH, start=1):
        module, _, name = place.partition(":")
        text = (ast.get_docstring(function(place)) or "").partition("\n")[0]
        arrow = f" Then {onward}." if onward else ""
        lines.append(f"{number}. `{name}` in `{module.replace('.', '/')}.py`: {text}{arrow}")
    return "\n".join(lines)


def page() -> str:
    """The page with its drawn parts renewed."""
    text = PAGE.read_text(encoding="utf-8")
    for name, part in (("tree", tree()), ("graph", graph()), ("path", path())):
        begin, end = f"<!-- {name}: written by tools.architecture -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{part}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
