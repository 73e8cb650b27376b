"""Files are replaced whole or not at all, and a place that cannot be written is one sentence."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import check_writable, replaced

ROOT = Path(__file__).resolve().parent.parent


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "file.json"
    with replaced(path) as file:
        file.write(b"one")
        assert not path.exists()
    with replaced(path, synced=False) as file:
        file.write(b"two")
        file.flush()
        assert path.read_bytes() == b"one"
    assert path.read_bytes() == b"two"
    assert listing(path.parent) == ["file.json"]


def test_a_block_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replaced(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["file.json"]


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    sentence = rf'^"{re.escape(str(path))}" cannot be written: No space left on device \([\d,.]+ .B free\)'
    with pytest.raises(TokenUnlearnError, match=sentence), replaced(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["file.json"]


@pytest.mark.parametrize("name", ["file/below", ".", "x" * 300])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TokenUnlearnError, match="cannot be written"), replaced(tmp_path / name) as file:
        file.write(b"new")
    assert listing(tmp_path) == ["file"]


def test_files_have_the_rights_that_others_get(tmp_path):
    before = os.umask(0o027)
    try:
        with replaced(tmp_path / "file") as file:
            file.write(b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_result_s_place_is_checked_before_the_work(tmp_path):
    check_writable(tmp_path / "deep" / "file")
    assert listing(tmp_path / "deep") == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TokenUnlearnError, match="cannot be written"):
        check_writable(tmp_path / "file" / "below")
    with pytest.raises(TokenUnlearnError, match="is a folder"):
        check_writable(tmp_path / "deep")


def test_nothing_else_writes_files():
    writing = re.compile(r"\.write_text\(|\.write_bytes\(|NamedTemporaryFile|open\([^)]*[\"'][wx]b?[\"']")
    sources = [path for folder in ("tokenunlearn", "app", "pages") for path in (ROOT / folder).rglob("*.py")]
    found = {path.name for path in sources if writing.search(path.read_text(encoding="utf-8"))}
    assert found == {"files.py"}
