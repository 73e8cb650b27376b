"""Answers of models to a prompt as they are said: the worker writes them, every page reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from app import sample_sets, tasks
from app.run_reader import Weights, as_stored
from app.tasks import Task
from tokenunlearn.evaluation.attack_prompts import Prompt
from tokenunlearn.models.source import ModelSource

if TYPE_CHECKING:
    from tokenunlearn.models.generation_stream import StreamedText

ANSWERS_HELD = 400


@dataclass
class StreamedAnswer:
    """An answer so far.

    Attributes:
        pieces: Its pieces, each with its surprise in nats.
        ended: Whether the model has ended it.
    """

    pieces: list[StreamedText] = field(default_factory=list)
    ended: bool = False

    @property
    def text(self) -> str:
        """All pieces together."""
        return "".join(piece.text for piece in self.pieces).strip()


@st.cache_resource
def answers() -> dict[tuple[Weights, Prompt], StreamedAnswer]:
    """Greedy answers by model as stored and prompt, for all visitors."""
    return {}


def task_key(models: Sequence[ModelSource], prompt: Prompt) -> str:
    """What the task that asks these models is found by."""
    return f"chat {hash((tuple(models), prompt))}"


def ask(models: Sequence[ModelSource], prompt: Prompt) -> Task:
    """Have the worker ask models that have not answered a prompt yet; they answer in turn, piece by piece.

    Raises:
        AccessError: If the visitor may not ask, or may not name these models.
    """

    def work(task: Task) -> None:
        from tokenunlearn.models.generation_stream import stream

        silent = [model for model in models if not is_answered(model, prompt)]
        speaking = {}
        for model in silent:
            task.label = f"Loading {model.name}"
            task.progress(0, 0)
            weights = as_stored(model)
            speaking[weights] = stream(tasks.worker().model(model), prompt.question, prefix=prompt.prefix)
            answers()[weights, prompt] = StreamedAnswer()
        task.label = "Answering"
        while speaking:
            for weights, pieces in list(speaking.items()):
                task.progress(len(silent) - len(speaking), len(silent))
                answer = answers()[weights, prompt]
                if (piece := next(pieces, None)) is not None:
                    answer.pieces.append(piece)
                else:
                    answer.ended = True
                    del speaking[weights]
        for oldest in list(answers())[:-ANSWERS_HELD]:
            del answers()[oldest]

    for model in models:
        sample_sets.check_offered(model)
    return tasks.start(task_key(models, prompt), "Asking the models", work, "ask")


def is_answered(model: ModelSource, prompt: Prompt) -> bool:
    """Whether a model's whole answer is there."""
    answer = answers().get((as_stored(model), prompt))
    return answer is not None and answer.ended
