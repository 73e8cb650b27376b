"""The page *Reliability* of the docs, from what the benchmarks have measured."""

from __future__ import annotations

import json
from typing import Any

from benchmarks import RESULTS
from benchmarks.markdown import markdown

PAGE = RESULTS.parent.parent / "docs" / "reliability.md"
TEXT = """# Reliability

`python -m benchmarks.faults` meets a run of 12 steps on the demo model with each of these faults, each in
a process of its own, then mends the store with `runs doctor` and resumes what was interrupted. A fault
counts as *wrong* where a run's status was not the truth or a reader failed, as *lost* where a run could
not be read or did not end with the weights of an undisturbed run, to 1e-6 on the CPU, and as *recovered*
where it did.

{table}

Kills come at uniformly random moments of a run that took {seconds_alone:g} s undisturbed, starting and
loading included, and take the whole tree of processes. They meet, in turn, a run of the command line, of
a server's worker and of a process of its own. In a restarted container the process that goes on has the
number of the killed one. Disk, memory and store fail from the start of a phase on, and the clock jumps
from then on: the operating system refuses every byte written, every page of memory, every change of the
store; the clock goes 400 days ahead and 800 back at each step. Runs that explode have to fail and keep
finite weights; a run whose model is gone has to fail and to go on once the model is back; a damaged file
has to be named, and must not touch the run next to it.

Not tried here: network file systems, Windows, GPUs. Liveness does not depend on process ids or clocks,
since whoever carries out a run holds a lock on it.
"""

RESUME = """## Resumed, and beside other work

`python -m benchmarks.resume`: largest absolute difference to a training of {steps} steps (NPO unless named)
that nothing disturbed. *Resumed* was interrupted twice and went on from its checkpoints; *beside scoring*
served a request for scores after every step, as the app does for visitors. 0 is equal to the bit.

{table}
"""
LOAD = """## Beside visitors

`python -m benchmarks.load` starts the same run on a server of its own each time, alone and beside
visitors who open *Tokens* at one sample after the other without a pause, a new session for each page, on
{cores} cores. Visitors speak the protocol of the pages and draw nothing: a browser for each would need the
cores itself. Speed is that of the run's first {steps} steps against alone; a page has arrived when all of it
has.

{table}

Memory of a server: {first} MiB after its first page, and after each round of 50 pages and ten changes of
the model {rounds} MiB.
"""


def write_page() -> None:
    """Renew the page of the docs from the stored results."""
    result = json.loads((RESULTS / "faults.json").read_text(encoding="utf-8"))
    rows = [[count.pop("fault"), *map(str, count.values())] for count in map(dict, result["faults"])]
    table = markdown(["fault", "tried", "wrong", "lost", "recovered"], rows)
    text = TEXT.format(table=table, seconds_alone=result["seconds_alone"])
    for name, section in (("resume", resume_section), ("load", load_section)):
        file = RESULTS / f"{name}.json"
        if file.exists():
            text += "\n" + section(json.loads(file.read_text(encoding="utf-8")))
    PAGE.write_text(text, encoding="utf-8")


def resume_section(result: dict[str, Any]) -> str:
    """The section on runs that go on."""
    names = ("resumed_weights", "resumed_losses", "beside_weights", "beside_losses")
    rows = [
        [row["kind"], *(f"{row[name]:.1e}" if row[name] else "0" for name in names)] for row in result["rows"]
    ]
    head = ["training", "resumed: weights", "losses", "beside scoring: weights", "losses"]
    return RESUME.format(table=markdown(head, rows), steps=result["steps"])


def load_section(result: dict[str, Any]) -> str:
    """The section on visitors beside a run."""
    alone = result["alone"]["step"]
    rows = [["none", f"{alone:.2f}", "1.00", "", "", "", "", ""]]
    rows += [
        [
            str(row["visitors"]),
            f"{row['step']:.2f}",
            f"{alone / row['step']:.2f}",
            str(row["pages"]),
            f"{row['page_median']:.2f}",
            f"{row['page_95']:.2f}",
            str(row["errors"]),
            "identical" if row["same_losses"] else "different",
        ]
        for row in result["beside"]
    ]
    head = [
        "visitors",
        "s a step",
        "speed",
        "pages",
        "median s a page",
        "95th percentile",
        "errors",
        "losses",
    ]
    first, *rounds = (f"{mebibytes:,.0f}" for mebibytes in result["memory"])
    return LOAD.format(
        table=markdown(head, rows),
        cores=result["machine"]["cores"],
        steps=result["steps"],
        first=first,
        rounds=", ".join(rounds),
    )
