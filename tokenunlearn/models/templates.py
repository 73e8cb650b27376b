"""How a model's chat template writes a conversation, and where in that text the messages stand."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tokenunlearn.datasets.samples import Span, Turn
from tokenunlearn.errors import TemplateError
from tokenunlearn.models.rendering import RenderProcess, render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Thinking is off unless asked for; templates that know no such switch ignore it.
TEMPLATE_KWARGS: Mapping[str, Any] = {"enable_thinking": False}
# Stands for a message where only the template around it matters: letters alone, which no template changes.
PLACEHOLDER = "TokenUnlearnMessage"
THINKING, THINKING_END = "<think>", "</think>"
# sha256 of the templates of our own models, which need no process of their own to be written safely.
SHIPPED = frozenset(
    {
        "813ce55fe248e27e878eeddf8523d9425b58d413b5fd9809347780d2cf5f3cb7",
        "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
    }
)


@dataclass(frozen=True)
class ChatFormat:
    """How conversations with a model are written.

    Attributes:
        tokenizer: The model's tokenizer, with its chat template if it has one.
        system_prompt: System turn before the first message, unless that is one itself; None leaves the
            template's own default.
        kwargs: Variables of the template, by name; thinking is off unless they say otherwise.
    """

    tokenizer: PreTrainedTokenizerBase
    system_prompt: str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def templated(self) -> bool:
        """Whether the tokenizer has a chat template; without, it is "Question: ...", "Answer: ..."."""
        return bool(self.tokenizer.chat_template)

    def conversation(self, messages: Sequence[Turn]) -> Conversation:
        """A conversation as the template writes it, with the place of every message.

        Raises:
            TemplateError: If the template fails, or changes a message.
        """
        marks = [f"{PLACEHOLDER}{i:03d}." for i in range(len(messages))]
        text, pieces = self._write(
            [(m.role, m.content) for m in messages],
            [(m.role, mark) for m, mark in zip(messages, marks, strict=True)],
        )
        for i, mark in enumerate(marks):
            if mark not in pieces:
                raise TemplateError(f"The chat template leaves out message {i + 1} ({messages[i].role}).")
        order = sorted(range(len(messages)), key=lambda i: pieces.index(marks[i]))
        frame = []
        for i in order:
            before, _, pieces = pieces.partition(marks[i])
            frame.append(before)
        places = dict(
            zip(order, _places(text, [*frame, pieces], [messages[i].content for i in order]), strict=True)
        )
        return Conversation(text, tuple(messages), tuple(places[i] for i in range(len(messages))))

    def _write(self, *conversations: Sequence[tuple[str, str]]) -> list[str]:
        """Each conversation, of roles and contents, as the template writes it."""
        prompt = self.system_prompt if self.system_prompt or self.templated else None
        system = [] if prompt is None else [("system", prompt)]
        begun = [[*c] if c and c[0][0] == "system" else [*system, *c] for c in conversations]
        if not self.templated:
            lead = {"user": "Question: ", "assistant": "Answer: "}
            return ["\n".join(lead.get(role, "") + content for role, content in c) for c in begun]
        turns = [[{"role": role, "content": content} for role, content in c] for c in begun]
        try:
            template = self.tokenizer.get_chat_template()
            shipped = sha256(template.encode()).hexdigest() in SHIPPED
            write = render if shipped else _process_of(os.getpid()).render
            return write(
                template, turns, {**self.tokenizer.special_tokens_map, **TEMPLATE_KWARGS, **self.kwargs}
            )
        except Exception as error:  # jinja raises its own kinds, templates any
            text = " ".join(str(error).split())[:200]
            raise TemplateError(f"The chat template failed: {text.rstrip('.')}.") from error


@cache
def _process_of(pid: int) -> RenderProcess:
    """The render process of a process; a fork must not share its parent's."""
    process = RenderProcess()
    atexit.register(process.close)
    return process


@dataclass(frozen=True)
class Place:
    """Where a message stands in a written conversation.

    Attributes:
        start: First character in the text.
        end: One past the last.
        skipped: Characters of the message that the template has stripped from its beginning.
    """

    start: int
    end: int
    skipped: int

    def within(self, offset: Span) -> Span:
        """A character range of the text as one of the message, cut to what lies inside."""
        start, end = (min(max(i, self.start), self.end) - self.start + self.skipped for i in offset)
        return start, end


@dataclass(frozen=True)
class Conversation:
    """A conversation as it is written.

    Attributes:
        text: All of it, what the template writes after the last message included.
        messages: The messages.
        places: Where each of them stands; a template may write them in another order.
    """

    text: str
    messages: tuple[Turn, ...]
    places: tuple[Place, ...]


def _places(text: str, frame: Sequence[str], contents: Sequence[str]) -> list[Place]:
    """Places of messages, stripped or not, in a text with a piece of a frame before each and after the last.

    Raises:
        TemplateError: With the first message that is not there.
    """
    # Where the text may go on after a message and its next piece -> places of the messages up to there.
    ways: dict[int, list[Place]] = {len(frame[0]): []} if text.startswith(frame[0]) else {}
    for number, (content, piece) in enumerate(zip(contents, frame[1:], strict=True), start=1):
        further: dict[int, list[Place]] = {}
        for start, places in ways.items():
            for written, skipped in _written(content):
                end = start + len(written)
                if text.startswith(written + piece, start):
                    further.setdefault(end + len(piece), [*places, Place(start, end, skipped)])
        ways = further if number < len(contents) or len(text) in further else {}
        if not ways:
            raise TemplateError(
                "The chat template rewrites a message, so its position cannot be found: "
                f'"{content[:60]}"; use a template that writes messages unchanged.'
            )
    return ways[len(text)]


def _written(content: str) -> tuple[tuple[str, int], ...]:
    """How a template may write a message: as it is or stripped, and how much is gone at the beginning."""
    left = len(content) - len(content.lstrip())
    return (content, 0), (content.strip(), left), (content.rstrip(), 0), (content.lstrip(), left)


def without_thinking(text: str) -> str:
    """What a model says after it has thought: all of it without thinking, nothing where thinking was cut."""
    said = text.rpartition(THINKING_END)[2].strip()
    return "" if said.startswith(THINKING) else said
