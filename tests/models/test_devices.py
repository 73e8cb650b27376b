"""Memory in use on a device."""

from __future__ import annotations

import mmap

import torch

from tokenunlearn.models.devices import memory_in_use


def test_memory_in_use_grows_with_what_is_held():
    where, before = memory_in_use(torch.device("cpu"))
    with mmap.mmap(-1, 200 << 20) as held:  # pages of its own: a buffer could land in memory freed before
        held.write(b"\x01" * len(held))
        assert where == "process"
        assert memory_in_use(torch.device("cpu"))[1] - before > 0.8 * len(held)
