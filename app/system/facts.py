"""What the page System shows, as rows of a name and a text; no value of a secret is among them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import streamlit as st

from app import access, services, tasks
from tokenunlearn.evaluation import report
from tokenunlearn.files import size_text
from tokenunlearn.folders import cache_folder
from tokenunlearn.models.devices import default_device
from tokenunlearn.runs.doctor import size
from tokenunlearn.runs.export import TOKEN_VARIABLE
from tokenunlearn.runs.run import Run

Rows = list[tuple[str, str]]

SECRETS = (*access.TOKENS.values(), TOKEN_VARIABLE)
LISTED = 10


def device(task: tasks.Task) -> Rows:
    """The device that models go to; imports torch, so the worker does it."""
    import torch

    name = default_device()
    if not name.startswith("cuda"):
        return [("device", name), ("threads", str(torch.get_num_threads()))]
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    names = [(f"GPU {i}", f"{card.name}, {size_text(card.total_memory)}") for i, card in enumerate(cards)]
    return [("device", name), *names]


def memory(*, imported: bool) -> Rows:
    """Memory of this process, of the machine, and of each GPU in use.

    Args:
        imported: Whether torch has been imported; until then the worker may be in the middle of it.
    """
    import psutil

    machine = psutil.virtual_memory()
    rows = [
        ("this process", size_text(psutil.Process().memory_info().rss)),
        ("machine", f"{size_text(machine.available)} of {size_text(machine.total)} free"),
    ]
    if not imported:
        return rows
    import torch

    if torch.cuda.is_initialized():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            rows.append((f"GPU {number}", f"{size_text(free)} of {size_text(total)} free"))
    return rows


def queue(runs: Sequence[Run], short: Sequence[tasks.Task]) -> Rows:
    """Active runs, then the tasks of pages that have not ended, in the order in which they came."""
    rows: Rows = [(run.state.status, f"{run.label} ({run.id})") for run in runs]
    rows += [("page", task.label) for task in sorted(short, key=lambda task: task.started) if task.running]
    more = len(rows) - LISTED
    return [*rows[:LISTED], *([("", f"and {more:,} more")] if more > 0 else [])]


def disk() -> Rows:
    """What the cache and the runs take, and the space that is left where they are."""
    rows = []
    for name, folder in (("cache", cache_folder()), ("runs", services.store().root.absolute())):
        place = f", in {folder}" if access.may("open") else ""
        rows.append((name, size_text(folder_size(str(folder))) + place))
        there = next(path for path in (folder, *folder.parents) if path.exists())
        usage = shutil.disk_usage(there)
        rows.append((f"free for {name}", f"{size_text(usage.free)} of {size_text(usage.total)}"))
    return rows


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def folder_size(folder: str) -> int:
    """Bytes of the files in a folder; files that vanish meanwhile do not count."""
    return size(Path(folder))


def versions() -> Rows:
    """Python and the packages that results depend on."""
    return [*report.versions().items(), ("streamlit", version("streamlit"))]


def settings() -> Rows:
    """How the app is set up: who reaches it, how they sign in, and what it may read."""
    ways = [
        *(["access token"] if access.tokens() else []),
        *(["OpenID Connect"] if access.has_accounts() else []),
    ]
    rows = [
        ("address", f"{st.get_option('server.address')}:{st.get_option('server.port')}"),
        ("host names", ", ".join(st.get_option("server.allowedHosts")) or "any"),
        ("sign-in", " or ".join(ways) or "none"),
        ("your role", access.visitor_role() or ""),
        ("demo", "on" if access.is_demo() else "off"),
        ("upload limit", f"{st.get_option('server.maxUploadSize')} MB"),
        *((name, "set") for name in SECRETS if os.environ.get(name)),
    ]
    if access.may("open"):
        rows.append(("readable folders", ", ".join(map(str, dict.fromkeys(access.roots())))))
    return rows
