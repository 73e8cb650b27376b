"""What killed processes and full disks leave behind is found and mended; weights are bounded."""

import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta

import pytest
from filelock import FileLock

from tests.runs.new_runs import new_spec
from tests.stored_run import write_run
from tokenunlearn.errors import RunError
from tokenunlearn.runs import locks
from tokenunlearn.runs.doctor import collect, examine, mend, size
from tokenunlearn.runs.run import Run
from tokenunlearn.runs.store import RunStore

IDS = [f"2026010{i}-100000-npo-hard-000{i}" for i in (1, 2, 3)]


@pytest.fixture
def store(tmp_path, tiny_lm):
    for number, run_id in enumerate(IDS, start=1):
        run = write_run(tmp_path / "runs", run_id, f"run {number}")
        tiny_lm.model.save_pretrained(run.folder / "adapter")
        run.set_state(status="completed", ended=f"2026-01-0{number}T12:00:00+00:00")
    return RunStore(tmp_path / "runs")


def interrupt(run, status="running"):
    """Leave a run as a killed process does."""
    run.take()
    run.set_state(status=status)
    locks.release(run.lock)
    run.lock.touch()


def test_a_sound_folder_has_nothing_to_mend(store):
    store.create(new_spec("file:none"))
    assert examine(store) == []


def test_a_folder_that_is_being_written_is_left_alone(store):
    (store.root / ".new-1a").mkdir()
    with FileLock(store.root / ".new-1a.lock"):
        assert examine(store) == []
    assert len(examine(store)) == 2
    (store.root / IDS[0] / ".1a.tmp").touch()
    assert len(examine(store)) == 2


@pytest.mark.parametrize(
    "place",
    [
        ".new-1a",
        "retrained/.new-1a",
        "exports/.export-1a",
        f"{IDS[0]}/.new-1a",
        ".new-1a.lock",
        f"{IDS[0]}/.1a.tmp",
        "uploads/.1a.tmp",
    ],
)
def test_what_was_being_written_is_removed(store, place):
    path = store.root / place
    path.parent.mkdir(exist_ok=True)
    if place.endswith(("tmp", "lock")):
        path.touch()
        os.utime(path, (0, time.time() - 3600))
    else:
        path.mkdir()
        (path / "half.safetensors").write_bytes(b"half")
    (fault,) = examine(store)
    assert (fault.path, fault.remedy) == (path, "remove")
    assert path.exists() and mend([fault]) == []
    assert not path.exists() and examine(store) == []


@pytest.mark.parametrize("status", ["queued", "running"])
def test_an_interrupted_run_gets_its_final_state(store, status):
    run = store.get(IDS[1])
    interrupt(run, status)
    (run.folder / ".1a.tmp").touch()  # of that very process
    os.utime(run.folder / "state.json", (0, 1_800_000_000))
    faults = examine(store)
    assert {(fault.path.name, fault.remedy) for fault in faults} == {
        (".1a.tmp", "remove"),
        (run.id, "mark"),
        ("lock", "remove"),
    }
    before = run.state
    assert mend(faults) == [] and examine(store) == []
    stored = json.loads((run.folder / "state.json").read_text())
    assert (stored["status"], stored["message"]) == (before.status, before.message)
    assert stored["ended"] == "2027-01-15T08:00:00+00:00"
    assert not run.lock.exists()


@pytest.mark.slow
def test_a_run_that_goes_on_meanwhile_is_not_marked(store):
    run = store.get(IDS[1])
    interrupt(run)
    faults = examine(store)
    with FileLock(run.lock):
        (left,) = mend(faults)
        assert "belongs to another process" in left.reason
        assert run.state.status == "running"
    assert run.lock.exists()


@pytest.mark.parametrize("status", ["failed", "interrupted", "completed"])
def test_half_an_adapter_is_removed_unless_its_run_is_complete(store, status):
    run = store.get(IDS[1])
    weights = run.adapter / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (run.checkpoints / "checkpoint-2").mkdir(parents=True)
    run.set_state(status=status)
    (fault,) = examine(store)
    assert "holds no readable safetensors" in fault.reason
    remaining = mend([fault])
    assert (run.adapter is None, remaining) == ((False, [fault]) if status == "completed" else (True, []))
    assert run.has_checkpoint


def test_an_adapter_without_weights_is_half_of_one(store):
    run = store.get(IDS[1])
    shutil.rmtree(run.adapter)
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    run.set_state(status="failed")
    (fault,) = examine(store)
    mend([fault])
    assert run.adapter is None


def test_what_only_a_person_can_decide_is_left_and_said(store):
    (store.root / IDS[0] / "spec.json").write_text("{")
    (store.root / IDS[1] / "report.json").write_text("5")
    (store.root / ".locks").mkdir()
    (store.root / ".locks" / "cpu.lock").touch()
    faults = examine(store)
    assert [fault.remedy for fault in faults] == ["", "", "remove"]
    assert "damaged" in faults[1].reason and "report.json must be an object" in faults[0].reason
    assert mend(faults) == faults[:2]


@pytest.mark.parametrize("content", [b"{", b"\0\0", None])
def test_a_run_whose_state_cannot_be_read_is_interrupted(store, content):
    run = store.get(IDS[1])
    state = run.folder / "state.json"
    state.unlink() if content is None else state.write_bytes(content)
    assert 'mend it with "runs doctor"' in run.state.message
    (fault,) = examine(store)
    assert (fault.remedy, mend([fault])) == ("mark", [])
    assert (run.state.status, run.state.message) == ("interrupted", "How this run ended cannot be read.")
    assert run.state.ended and run.report and examine(store) == []


def test_what_cannot_be_removed_is_said(store, monkeypatch):
    (store.root / ".new-1a").mkdir()

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    (left,) = mend(examine(store))
    assert "Permission denied" in left.reason


def test_the_commands_say_what_they_did(store, call):
    interrupt(store.get(IDS[1]))
    (store.root / ".new-1a").mkdir()
    words = ("runs", "doctor", "--out", store.root)
    planned = call(*words, "--dry-run")
    assert f"Would remove {store.root / '.new-1a'}. The process" in planned.out
    assert f"Would mark {store.root / IDS[1]} as interrupted. The process stopped before" in planned.out
    assert (store.root / ".new-1a").exists()
    rows = call(*words, "--json").json
    assert sorted(row["remedy"] for row in rows) == ["mark", "remove", "remove"]
    assert call(*words).out.strip() == "Nothing to mend"


def weights(store):
    return [run.id for run in reversed(store.runs()) if run.adapter]


def test_the_oldest_weights_go_first_until_the_runs_fit(store):
    whole, one = size(store.root), size(store.get(IDS[0]).adapter)
    assert collect(store, keep_bytes=whole) == []
    (removal,) = collect(store, keep_bytes=whole - 1)
    assert (removal.run, removal.bytes, removal.ended[:10]) == (IDS[0], one, "2026-01-01")
    assert weights(store) == IDS[1:]
    assert store.get(IDS[0]).state.status == "completed" and store.get(IDS[0]).report
    assert [r.run for r in collect(store, keep_bytes=0)] == IDS[1:]
    assert not list(store.root.rglob(".new-*"))


def test_weights_older_than_an_age_go(store):
    age = datetime.now(UTC) - datetime(2026, 1, 2, 18, tzinfo=UTC)
    assert [r.run for r in collect(store, older_than=age, dry_run=True)] == IDS[:2]
    assert weights(store) == IDS
    assert [r.run for r in collect(store, older_than=age)] == IDS[:2]
    assert collect(store, older_than=timedelta(days=100_000)) == []


def test_weights_that_others_go_on_from_and_active_runs_stay(store):
    parent, child, active = map(store.get, IDS)
    child.write("spec.json", child.spec.to_json() | {"adapter": parent.id})
    active.take()
    active.set_state(status="running")
    assert [r.run for r in collect(store, keep_bytes=0)] == [child.id]
    assert parent.adapter and active.adapter
    active.set_state(status="completed")


def test_half_removed_weights_are_never_taken_for_whole_ones(store, monkeypatch):
    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            collect(store, keep_bytes=0)
    assert store.get(IDS[0]).adapter is None
    (fault,) = examine(store)
    assert fault.path.name.startswith(".new-") and mend([fault]) == []


def test_gc_names_what_it_removes(store, call):
    words = ("runs", "gc", "--out", store.root)
    assert "Give --keep-bytes, --older-than or both" in call(*words).sentence
    assert "write a number and a unit" in call(*words, "--keep-bytes", "much").sentence
    assert "--older-than" in call(*words, "--older-than", "3 moons").sentence
    for age in ("1000000d", "9" * 400 + "w"):  # before the first date, beyond any number
        assert call(*words, "--older-than", age, "--json").json["removed"] == []
    planned = call(*words, "--older-than", "1d", "--dry-run")
    assert f"Would remove the weights of {IDS[0]}: " in planned.out
    assert weights(store) == IDS
    done = call(*words, "--keep-bytes", "1.5 kB")
    assert f"Removed the weights of {IDS[2]}: " in done.out and "take more than the limit" in done.out
    assert call(*words, "--keep-bytes", "1GB", "--json").json["removed"] == []
    assert all(isinstance(run, Run) for run in store.runs())


def test_weights_that_cannot_be_removed_are_one_sentence(store, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(RunError, match=f'weights of "{IDS[0]}" cannot be removed: Permission denied'):
        collect(store, keep_bytes=0)


def test_a_configuration_of_an_adapter_that_cannot_be_read_is_named(store):
    run = store.get(IDS[0])
    (run.folder / "adapter" / "adapter_config.json").write_bytes(b"\x00{")
    (fault,) = [fault for fault in examine(store) if fault.path == run.folder / "adapter"]
    assert "adapter_config.json" in fault.reason and not fault.remedy
