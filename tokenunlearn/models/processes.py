"""Work split over the processes that ``accelerate launch`` or ``torchrun`` started, on any machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tokenunlearn.errors import TokenUnlearnError

if TYPE_CHECKING:
    from accelerate import PartialState
    from torch.nn import Module

Result = TypeVar("Result")


def launched() -> bool:
    """Whether this process is one of several."""
    return process_count() > 1


def process_count() -> int:
    """How many processes work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def process_index() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def processes() -> PartialState:
    """What accelerate knows of the processes, which meet at the first call.

    Raises:
        TokenUnlearnError: If fewer met than were started; each would do all the work.
    """
    from accelerate import PartialState

    from tokenunlearn.models.devices import default_device

    state = PartialState(cpu=default_device() == "cpu")  # else processes without a GPU do not meet
    if state.num_processes != process_count():
        raise TokenUnlearnError(
            f"{process_count()} processes were started but only {state.num_processes} joined; "
            "start them with torchrun or accelerate launch, on devices of one kind."
        )
    return state


def any_process(condition: bool) -> bool:
    """Whether a condition holds in any of the processes, which must all ask."""
    return any(split(process_count(), lambda _: [condition]))


def is_main_process() -> bool:
    """Whether this process is the one that prints and writes."""
    return process_index() == 0


def leave(code: int = 0) -> NoReturn:
    """End one of several processes that have done their work.

    Threads of the communication backend may abort a process on an orderly way out, and its launcher would
    take that for a failure.
    """
    import torch.distributed

    if code == 0 and torch.distributed.is_initialized():
        torch.distributed.barrier()  # others may still need what this process serves
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def is_sharded(module: Module) -> bool:
    """Whether FSDP has sharded any of the parameters."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(p, DTensor) for p in module.parameters())


def split(count: int, work: Callable[[range], list[Result]]) -> list[Result]:
    """Results for the numbers 0 to ``count - 1``, in order, on every process.

    Each process is given every n-th number. All processes must call this; if one fails, all raise its error.

    Args:
        count: How many there are.
        work: Results for the numbers it is given, in their order.
    """
    if not launched():
        return work(range(count))
    from accelerate.utils import gather_object

    state = processes()
    own_result: list[Result] | Exception
    try:
        own_result = work(range(state.process_index, count, state.num_processes))
    except Exception as error:  # the others wait in gather, so they must hear of it
        own_result = error
    parts: list[Any] = gather_object([own_result])
    for part in parts:
        if isinstance(part, Exception):
            raise part
    return [parts[i % len(parts)][i // len(parts)] for i in range(count)]
