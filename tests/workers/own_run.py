"""Makes a run in a folder, says its id, carries it out with a fake model, and works until it is killed.

Arguments: folder of the runs, and what it does: "queued" only makes the run, "running" carries it out.
"""

import sys
import time
from pathlib import Path

from tests.runs.fake_runs import fake_execution
from tests.runs.new_runs import new_spec
from tokenunlearn.runs import runner
from tokenunlearn.runs.store import RunStore

run = RunStore(Path(sys.argv[1])).create(new_spec("file:none"))
sys.stdout.write(f"{run.id}\n")
sys.stdout.flush()
if sys.argv[2] == "running":
    runner._Execution.go = fake_execution(steps=100_000)
    runner.execute(run)
time.sleep(600)
