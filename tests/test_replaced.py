"""Files are replaced whole or not at all, and a place that cannot be written is one sentence."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest
from safetensors import SafetensorError

from tokenunlearn import files
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.files import append_line, check_folder, check_writable, new_folder, replaced

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
    with (
        pytest.raises(TokenUnlearnError, match=r"cannot be written|is a folder"),
        replaced(tmp_path / name) as file,
    ):
        file.write(b"new")
    assert listing(tmp_path) == ["file"]


@pytest.mark.parametrize("target", ["file", "nowhere", "/dev/null"])
def test_no_file_takes_the_place_of_a_link(tmp_path, target):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(TokenUnlearnError, match="is a link"):
        check_writable(tmp_path / "link")
    with pytest.raises(TokenUnlearnError, match="is a link"), replaced(tmp_path / "link") as file:
        file.write(b"new")
    assert os.readlink(tmp_path / "link") == target
    assert (tmp_path / "file").read_bytes() == b"old" and listing(tmp_path) == ["file", "link"]


def test_no_file_takes_the_place_of_a_device_or_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TokenUnlearnError, match="is a device or a pipe"):
        check_writable(tmp_path / "pipe")
    with pytest.raises(TokenUnlearnError, match="is a device or a pipe"), replaced(tmp_path / "pipe") as file:
        file.write(b"new")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert listing(tmp_path) == ["pipe"]


def test_a_folder_of_results_is_checked_before_the_work(tmp_path):
    check_folder(tmp_path / "deep" / "runs")
    (tmp_path / "file").write_bytes(b"")
    for place in ("file", "file/below"):
        with pytest.raises(TokenUnlearnError, match='/file" is not a folder'):
            check_folder(tmp_path / place)
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


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with new_folder(tmp_path / "made") as scratch:
        (scratch / "file").write_bytes(b"new")
        assert listing(tmp_path) == [scratch.name, f"{scratch.name}.lock"]
    assert listing(tmp_path) == ["made"] and listing(tmp_path / "made") == ["file"]
    with pytest.raises(KeyError), new_folder(tmp_path / "half") as scratch:
        (scratch / "file").write_bytes(b"half")
        raise KeyError
    assert listing(tmp_path) == ["made"]


def test_the_files_of_a_folder_are_on_the_disk_before_it_appears(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync", lambda path: synced.append((path.name, listing(tmp_path))))
    with new_folder(tmp_path / "made") as scratch:
        (scratch / "deep").mkdir()
        (scratch / "deep" / "weights").write_bytes(b"new")
    assert {name for name, there in synced if "made" not in there} == {"deep", "weights"}


def test_a_folder_that_holds_something_is_replaced_on_request_alone(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(TokenUnlearnError, match="exists and is not an empty folder"), new_folder(folder):
        pytest.fail("entered")
    with pytest.raises(KeyError), new_folder(folder, replaces=True):
        raise KeyError
    assert listing(folder) == ["old"]
    with new_folder(folder, replaces=True) as scratch:
        (scratch / "new").touch()
    assert listing(folder) == ["new"] and listing(tmp_path) == ["made"]


def test_weights_that_fill_the_disk_are_one_sentence(tmp_path):
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    sentence = rf'^"{tmp_path}/made" cannot be written: No space left on device \([\d,.]+ .B free\)'
    with pytest.raises(TokenUnlearnError, match=sentence), new_folder(tmp_path / "made"):
        raise error
    assert listing(tmp_path) == []


def test_half_a_line_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "lines"
    append_line(path, "first")
    opened = Path.open

    def open_on_full_disk(self, mode):
        file = opened(self, mode, buffering=0)

        class Full:
            tell, truncate, flush = file.tell, file.truncate, file.flush
            __enter__, __exit__ = (lambda self: self), (lambda self, *_: file.close())

            def write(self, content):
                file.write(content[:3])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with pytest.raises(TokenUnlearnError, match="No space left on device"):
        append_line(path, "second")
    monkeypatch.undo()
    assert path.read_text() == "first\n"


def test_nothing_else_writes_files():
    writing = re.compile(r"\.write_text\(|\.write_bytes\(|NamedTemporaryFile|open\([^)]*[\"'][wx]b?[\"']")
    sources = [path for folder in ("tokenunlearn", "app", "pages") for path in (ROOT / folder).rglob("*.py")]
    found = {path.name for path in sources if writing.search(path.read_text(encoding="utf-8"))}
    assert found == {"files.py"}
