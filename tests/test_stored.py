"""Files of untrusted shape: plain files only, values of the type that was asked for, else one sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.damage import JSON
from tokenunlearn.errors import FileError
from tokenunlearn.evaluation.report import ReportValues
from tokenunlearn.evaluation.watch import Watched
from tokenunlearn.runs.run_files import StepRecord
from tokenunlearn.runs.spec import RunSpec
from tokenunlearn.runs.state import RunState
from tokenunlearn.stored import fitted, parse_json, read_bytes, read_json, read_lines


class Point(TypedDict):
    x: float
    pair: tuple[int, str]


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (5, RunState, "x must be an object."),
        ({}, RunState, '"status" in x must be given.'),
        ({"status": "paused"}, RunState, '"status" in x must be one of queued, running'),
        ({"status": "queued", "done": None}, RunState, '"done" in x must be a whole number.'),
        ({"status": "queued", "done": True}, RunState, '"done" in x must be a whole number.'),
        ({"status": "queued", "done": 2**64}, RunState, '"done" in x must be a whole number.'),
        ({"x": float("nan"), "pair": [1, ""]}, Point, '"x" in x must be a number.'),
        ({"x": 1, "pair": [1]}, Point, '"pair" in x must be a list of 2.'),
        ({"x": 1, "pair": [1, 2]}, Point, '"pair" in x must be text.'),
        ({"a": {"b": ["c"]}}, dict[str, dict[str, list[int]]], '"a.b" in x must be a whole number.'),
        ("c", list[str], "x must be a list."),
    ],
)
def test_another_type_is_named_with_its_place(value, kind, reason):
    with pytest.raises(FileError, match="must be") as caught:
        fitted(value, kind, "x")
    assert str(caught.value).startswith(reason)


def test_fields_of_newer_versions_do_no_harm():
    assert fitted({"status": "queued", "new": [1]}, RunState, "x") == RunState("queued")
    point = {"x": 1.5, "pair": [1, "a"], "new": None}
    assert fitted(point, Point, "x") == point | {"pair": (1, "a")}


@given(JSON, st.sampled_from([RunSpec, RunState, ReportValues, Watched, StepRecord, list[int | None], Point]))
@pytest.mark.slow
def test_any_json_is_of_the_type_or_refused(value, kind):
    try:
        fitted(value, kind, "x")
    except FileError as error:
        assert str(error).endswith(".") and "\n" not in str(error)


@given(st.binary() | st.text(st.characters()))
def test_any_text_is_json_or_refused(text):
    try:
        parse_json(text, "x")
    except FileError as error:
        assert str(error) == "x is not valid JSON."


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '"\\ud800"', "", "{", b"\xff", "\0"])
def test_what_json_cannot_hold_is_refused(text):
    with pytest.raises(FileError, match="is not valid JSON"):
        parse_json(text, "x")


def test_damaged_lines_are_counted_and_the_last_one_is_still_being_written(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step": 1}\n\n\0\0\n{"step": \n{"loss": 2}\n{"step": 2, "more": 3}\n{"step": 3')
    assert read_lines(path, StepRecord) == ([{"step": 1}, {"step": 2, "more": 3}], 3)


def special(folder: Path) -> dict[str, Any]:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "gone").symlink_to(folder / "nothing")
    return {name: folder / name for name in ("pipe", "loop", "gone", "nothing", ".")} | {
        "device": Path("/dev/zero"),
        "memory": Path("/proc/self/mem"),
        "long": folder / ("x" * 5000),
        "NUL": folder / "a\0b",
    }


def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path):
    for path in special(tmp_path).values():
        if path.name == "mem":
            assert read_bytes(path) == b""
            continue
        with pytest.raises(OSError):
            read_bytes(path)
        with pytest.raises(FileError, match="cannot be read"):
            read_json(path, Literal["a"])
