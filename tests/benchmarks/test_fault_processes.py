"""A fault begins in its phase, and a kill leaves nothing alive."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from benchmarks import fault_processes

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_kill_takes_the_children_along():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(process.stdout.readline()))
    fault_processes.kill(process)
    child.wait(timeout=10)
    assert process.returncode < 0


@pytest.mark.parametrize("phase", ["scoring", "training"])
def test_a_fault_begins_in_its_phase(monkeypatch, phase):
    begun = []
    monkeypatch.setattr(fault_processes, "_full", begun.append)
    run = SimpleNamespace(folder=Path("store/run"), state=SimpleNamespace(phase=phase))
    fault_processes._fault("full", "training", run)()
    assert begun == ([Path("store")] if phase == "training" else [])


def test_the_clock_goes_ahead_and_back(tmp_path):
    (tmp_path / fault_processes.CLOCK).write_text("+0")
    times = []
    for _ in range(3):
        fault_processes._jump(tmp_path / "runs")
        times.append((tmp_path / fault_processes.CLOCK).read_text())
    assert times == ["+400d", "-400d", "+400d"]
