"""Writes conversations with a chat template, a program that comes with a model and cannot be trusted to end.

Run as a script, this file answers requests, one line of JSON each, in a process whose memory is limited;
:class:`RenderProcess` starts it and limits its time. The script needs jinja2 alone, so it starts quickly.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from math import ceil
from threading import Lock, Timer
from time import process_time
from typing import IO, Any

# Processor time of one request, and time by the clock on a machine that is busy or cannot limit the former.
SECONDS, PATIENCE = 1.0, 10.0
MEMORY = 128 << 20
# Most characters of a written conversation: so many, and its messages so many times.
CHARACTERS, REPEATS = 1 << 20, 10

Turns = Sequence[Mapping[str, str]]


def render(template: str, conversations: Sequence[Turns], variables: Mapping[str, Any]) -> list[str]:
    """Each conversation as the template writes it, without a prompt for a further answer.

    Args:
        template: A chat template as transformers takes it.
        conversations: Messages with "role" and "content".
        variables: Variables of the template by name.

    Raises:
        Exception: Of jinja2, or any that the template runs into.
    """
    compiled = _compiled(template)
    fixed = {"tools": None, "documents": None, "add_generation_prompt": False, **variables}
    return [compiled.render(messages=[dict(turn) for turn in turns], **fixed) for turns in conversations]


@lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    """A template in the environment that transformers gives to chat templates."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
    from jinja2.utils import Namespace

    class Generation(Extension):
        """The tag around what the assistant says, which writes its content as it is."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)

        def _content(self, caller: Any) -> str:
            return str(caller())

    class PublicNamespace(Namespace):
        """A namespace without private names."""

        def __init__(self, *args: Any, **attributes: Any) -> None:
            super().__init__()
            for name, value in dict(*args, **attributes).items():
                self[name] = value

        def __setitem__(self, name: str, value: Any) -> None:
            if name.startswith("_"):
                raise SecurityError(f"the name {name} is private")
            super().__setitem__(name, value)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def as_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = as_json
    environment.globals |= {
        "raise_exception": refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
        "dict": lambda *args, **items: dict(*args, **items),
        "namespace": PublicNamespace,
    }
    return environment.from_string(template)


class RenderProcess:
    """Renders in a process of its own, started when it is needed and stopped when it does not end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    def render(
        self, template: str, conversations: Sequence[Turns], variables: Mapping[str, Any]
    ) -> list[str]:
        """As :func:`render`, within limits of time, memory and size.

        Raises:
            ValueError: In a few words, if the template fails or exceeds a limit.
        """
        request = json.dumps([template, conversations, variables])
        with self._lock:
            process = self._process = self._running()
            timer = Timer(PATIENCE, process.kill)
            timer.start()
            try:
                answer = _exchange(process, request)
            finally:
                timer.cancel()
            if not answer:
                self.close()
        if not answer:
            raise ValueError(f"it did not end within {SECONDS:g} s")
        written: list[str] | str = json.loads(answer)
        if isinstance(written, str):
            raise ValueError(written)
        return written

    def close(self) -> None:
        """End the process, if it runs."""
        if self._process is not None:
            with self._process:  # closes its pipes, at which it ends, and waits
                self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        _exchange(process, json.dumps(["", [], {}]))  # once it answers, it has started
        return process


def _exchange(process: subprocess.Popen[str], request: str) -> str:
    """The answer to a request; empty where the process has ended."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(request + "\n")
        process.stdin.flush()
    return process.stdout.readline()


def _answer(template: str, conversations: Sequence[Turns], variables: Mapping[str, Any]) -> list[str] | str:
    """The written conversations, or what went wrong in a few words."""
    try:
        texts = render(template, conversations, variables)
    except MemoryError:
        return f"it needs more than {MEMORY >> 20} MB"
    except Exception as error:  # jinja raises its own kinds, templates any
        return " ".join(str(error).split())[:200]
    said = sum(len(turn["content"]) for turns in conversations for turn in turns)
    if sum(map(len, texts)) > CHARACTERS + REPEATS * said:
        return f"it writes more than {CHARACTERS:,} characters beside the messages"
    return texts


def _limit() -> None:
    """Limit memory, and the processor time up to the end of the next request, where the system can."""
    with suppress(ImportError):  # on Windows
        import resource

        seconds = ceil(process_time() + SECONDS)  # counted from the start of the process, in whole seconds
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    for request in requests:
        _limit()
        answers.write(json.dumps(_answer(*json.loads(request))) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
