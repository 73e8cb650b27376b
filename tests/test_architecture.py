"""No import points back, and the page that draws the rooms is current."""

from __future__ import annotations

import ast
import re

import pytest

from tools import architecture

EXCEPTIONS = {
    # The relearning attack fine-tunes a copy of the model that is being judged.
    ("tokenunlearn/evaluation/attacks/relearning.py", "training"),
}


def back():
    """Files with an import that points back, and the room that they import."""
    return {(i.file, i.target) for i in architecture.imports() if i.points_back}


@pytest.mark.slow
def test_imports_point_one_way():
    assert back() - EXCEPTIONS == set()


@pytest.mark.slow
def test_no_exception_is_left_over():
    assert EXCEPTIONS - back() == set()


def test_every_folder_of_the_library_is_a_room():
    folders = {path.parent.name for path in (architecture.ROOT / "tokenunlearn").glob("*/__init__.py")}
    assert folders <= {*architecture.LEVEL}


@pytest.fixture
def written(monkeypatch, tmp_path):
    """A repository of one file in each of some rooms."""

    def write(**files):
        for name, text in {"streamlit_app": "", **files}.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(architecture, "ROOT", tmp_path)
        return [(i.source, i.target, i.points_back) for i in architecture.imports()]

    return write


@pytest.mark.parametrize(
    "text",
    [
        "from tokenunlearn.training.unlearn import unlearn",
        "import tokenunlearn.training.unlearn",
        "def late():\n    from tokenunlearn.training import settings",
        "from tokenunlearn import unlearn",
    ],
)
def test_an_import_of_a_room_above_is_seen_wherever_it_stands(written, text):
    assert written(tokenunlearn__models__x=text) == [("models", "training", True)]


def test_rooms_of_one_level_do_not_import_each_other(written):
    assert written(tokenunlearn__objectives__x="import tokenunlearn.attribution.score") == [
        ("objectives", "attribution", True)
    ]


def test_imports_for_type_checkers_alone_do_not_count(written):
    text = "if TYPE_CHECKING:\n    from tokenunlearn.training import unlearn\n"
    assert written(tokenunlearn__models__x=text) == []


def test_an_import_of_a_room_below_is_fine(written):
    assert written(pages__x="from app import services") == [("pages", "app", False)]


def test_the_page_is_current():
    current = architecture.PAGE.read_text(encoding="utf-8")
    assert current == architecture.page(), "run python -m tools.architecture"


def test_each_function_of_the_path_calls_the_next_or_says_what_does():
    for (place, onward), (following, _) in zip(architecture.PATH, architecture.PATH[1:], strict=False):
        name = following.rpartition(":")[2].rpartition(".")[2]
        assert onward or called(place, name), f"{place} does not call {name}"


def called(place, name):
    return re.search(rf"\b{name}\b", ast.unparse(architecture.function(place)))


def test_a_function_that_is_gone_is_named():
    with pytest.raises(LookupError, match=r"no Worker\.dream in"):
        architecture.function("tokenunlearn.runs.worker:Worker.dream")
