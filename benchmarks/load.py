"""A run beside visitors: seconds of a step and of a page, and the memory of a server that is used for long.

    python -m benchmarks.load [--visitors 10,20] [--steps 12] [--out FILE]

The same run is started in the browser on a server of its own each time: first alone, then beside visitors
who open the page *Tokens* at one sample after the other without a pause. A visitor is a connection that
speaks the protocol of the app's pages, a new session for each page, timed until the whole page has arrived;
ten browsers would need more processors than the server. Losses must not differ in a single bit. Memory is
what the server's process holds after its first page, and after each round of 50 pages and ten changes of the
model. Writes ``benchmarks/results/load.json`` and ``docs/reliability.md``.
"""

from __future__ import annotations

import itertools
import json
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from rich.console import Console
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from benchmarks import RESULTS, code_versions, reliability, write_result
from benchmarks.app import chromium, start_run
from benchmarks.contest import machine
from benchmarks.served_app import served

ROUNDS, PAGES, SWITCHES = 6, 50, 10
MODELS = ("demo", "demo-qwen3", "demo-neox")
PATIENCE = 600.0  # seconds that a page or a step may take


def open_page(address: str, query: str = "", page: str = "tokens") -> tuple[float, int]:
    """Open a page in a new session: seconds until it has arrived, and errors that it shows."""
    begun, errors = time.perf_counter(), 0
    with connect(
        f"{address.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        max_size=None,
        open_timeout=PATIENCE,
    ) as socket:
        request = BackMsg()
        request.rerun_script.page_name = page
        request.rerun_script.query_string = query
        socket.send(request.SerializeToString())
        while True:
            message = ForwardMsg.FromString(socket.recv(timeout=PATIENCE))  # type: ignore[arg-type]
            errors += message.delta.new_element.HasField("exception")
            if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY and message.HasField(
                "script_finished"
            ):
                return time.perf_counter() - begun, errors


class Visitors:
    """Visitors who open one page after the other until they are asked to leave."""

    def __init__(self, address: str, number: int) -> None:
        self.seconds: list[float] = []
        self.errors: list[int] = []
        self._gone = threading.Event()
        self._pool = ThreadPoolExecutor(number)
        self._visits = [self._pool.submit(self._visit, address, first) for first in range(number)]

    def _visit(self, address: str, first: int) -> None:
        for sample in itertools.count(first):
            if self._gone.is_set():
                return
            seconds, errors = open_page(address, f"sample={sample % 72}")
            self.seconds.append(seconds)
            self.errors.append(errors)

    def leave(self) -> None:
        """Let each end the page that it opens; what a visitor met that was no page is raised."""
        self._gone.set()
        self._pool.shutdown()
        for visit in self._visits:
            visit.result()


def steps(run: Path) -> list[dict[str, float]]:
    """The records of the steps that a run has done."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def seconds_of(records: list[dict[str, float]]) -> list[float]:
    """Seconds of each step but the first."""
    return np.diff([record["seconds"] for record in records]).tolist()


def beside(number: int, last: int) -> tuple[list[dict[str, float]], Visitors | None]:
    """The first steps of a run with visitors beside it, and what those saw."""
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch)) as address:
        with chromium() as browser:
            run = start_run(browser, address, Path(scratch))
        visitors = Visitors(address, number) if number else None
        while len(steps(run)) < last:
            time.sleep(0.2)
        if visitors is not None:
            visitors.leave()
        return steps(run)[:last], visitors


def memory() -> list[float]:
    """MiB of a server after its first page, and after each round of pages and models."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        (server,) = (p for p in psutil.Process().children() if "streamlit" in " ".join(p.cmdline()))
        open_page(address)
        used = [server.memory_info().rss / 2**20]
        for _ in range(ROUNDS):
            for k in range(PAGES):
                open_page(address, f"sample={k}")
            for model in itertools.islice(itertools.cycle(MODELS), SWITCHES):
                open_page(address, f"model={model}")
            used.append(server.memory_info().rss / 2**20)
    return [round(mebibytes, 1) for mebibytes in used]


def main(
    visitors: Annotated[str, typer.Option(help="Numbers of visitors, separated by commas.")] = "10,20",
    last: Annotated[int, typer.Option("--steps", help="Steps that are looked at.")] = 12,
    out: Annotated[Path, typer.Option(help="File of the result.")] = RESULTS / "load.json",
) -> None:
    """Measure a run alone and beside visitors, then memory."""
    before = machine()
    alone, _ = beside(0, last)
    result: dict[str, Any] = {
        "machine": before,
        "steps": last,
        "alone": {"step": statistics.median(seconds_of(alone))},
        "beside": [],
        **code_versions(),
    }
    for number in map(int, visitors.split(",")):
        records, crowd = beside(number, last)
        assert crowd is not None
        losses = [[record["loss"] for record in run] for run in (alone, records)]
        result["beside"].append(
            {
                "visitors": number,
                "step": statistics.median(seconds_of(records)),
                "pages": len(crowd.seconds),
                "page_median": statistics.median(crowd.seconds),
                "page_95": float(np.quantile(crowd.seconds, 0.95)),
                "errors": sum(crowd.errors),
                "same_losses": losses[0] == losses[1],
            }
        )
        Console().print(result["beside"][-1])
    result["memory"] = memory()
    write_result(out, result)
    reliability.write_page()


if __name__ == "__main__":
    typer.run(main)
