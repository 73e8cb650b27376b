"""Calls the command line and is killed after a step of its training. Arguments: the step, then the words."""

import os
import signal
import sys

from tokenunlearn import cli
from tokenunlearn.runs.run import Run

last, append = int(sys.argv.pop(1)), Run.append_metrics


def append_or_end(run, record):
    append(run, record)
    if record["step"] == last:
        os.kill(os.getpid(), signal.SIGKILL)


Run.append_metrics = append_or_end
cli.main()
