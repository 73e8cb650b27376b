"""What is watched while a run trains: facts still recalled, answers to a few questions, memory in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypedDict

from tokenunlearn.datasets.samples import Sample, SampleSet, evenly_spread
from tokenunlearn.errors import RunError
from tokenunlearn.evaluation.token_life import PredictionRecord, predictions
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.settings import Settings, setting

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

WATCHED_TOKENS = 40


@dataclass(frozen=True)
class WatchSettings(Settings):
    """What is measured between steps.

    Attributes:
        every: Steps between two measurements; 0 for none. Before the first step and after the last there is
            always one.
        samples: Forget and retained samples whose gold spans are measured.
        questions: Questions that are put to the model each time; by default one of a forget sample and one
            of a retained sample.
    """

    error: ClassVar[type[RunError]] = RunError
    prefix: ClassVar[str] = "watch "

    every: int = setting(
        0, "Measure the model every this many steps during training; 0 turns it off.", minimum=0
    )
    samples: int = setting(
        8, "Number of forget and of retained samples whose gold spans are measured.", minimum=1
    )
    questions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be watched, in one sentence."""
        super().__post_init__()
        if not all(question.strip() for question in self.questions):
            raise RunError("A watched question is empty; enter a question or remove it.")

    def described(self) -> dict[str, Any]:
        """The settings as plain values for a run's spec; {} for none."""
        return asdict(self) | {"questions": list(self.questions)} if self.every else {}

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> WatchSettings:
        """The settings behind a spec's description."""
        return cls(**{**described, "questions": tuple(described.get("questions", ()))})


class Recalled(TypedDict):
    """Mean teacher-forced gold-span accuracy, 0 to 1, and the number of samples behind it."""

    value: float | None
    n: int


class Answered(TypedDict):
    """A watched question, and what the model answers to it."""

    question: str
    answer: str


class MemoryUse(TypedDict):
    """Memory in use: "gpu" or "process", and bytes."""

    where: str
    bytes: int


class Watched(TypedDict):
    """What was measured after a step."""

    step: int
    gold_span: dict[str, Recalled]
    answers: list[Answered]
    memory: MemoryUse


class Watcher:
    """Measures a model between training steps; it changes neither weights nor random numbers.

    Args:
        settings: What is measured, and how often.
        model: The start model, which encodes the samples.
        forget: The forget set.
        retain: The retained samples, if there are any.
        steps: Steps of the run.
        record: Takes each measurement.
        record_predictions: Takes what the model predicts at each response token of the forget samples.
    """

    def __init__(
        self,
        settings: WatchSettings,
        model: LoadedModel,
        forget: SampleSet,
        retain: SampleSet | None,
        steps: int,
        record: Callable[[dict[str, Any]], None],
        record_predictions: Callable[[PredictionRecord], None] = lambda _: None,
    ) -> None:
        self.settings, self.steps, self.record = settings, steps, record
        self.record_predictions = record_predictions
        parts = {"forget": forget, **({"retain": retain} if retain is not None else {})}
        self.samples = {
            part: _with_facts(part_samples, settings.samples) for part, part_samples in parts.items()
        }
        self.encodings: dict[str, list[Encoding]] = {
            part: model.encode_all(part_samples) for part, part_samples in self.samples.items()
        }
        self.questions = settings.questions or default_questions(*parts.values())

    def due(self, step: int) -> bool:
        """Whether the model is measured after this many steps."""
        every = self.settings.every
        return every > 0 and (step % every == 0 or step == self.steps)

    def __call__(self, model: LoadedModel, step: int) -> None:
        """Measure the model after ``step`` steps if that is due."""
        if not self.due(step):
            return
        from tokenunlearn.models.devices import memory_in_use
        from tokenunlearn.models.generation import generate

        started = time.monotonic()
        training = model.model.training
        model.model.eval()
        try:
            answers = generate(model, self.questions, max_new_tokens=WATCHED_TOKENS)
            recalled = {part: self._recalled(model, part) for part in self.samples}
            predicted = predictions(model, self.encodings["forget"])
        finally:
            model.model.train(training)
        ids = [sample.id for sample in self.samples["forget"]]
        self.record_predictions({"step": step, "samples": dict(zip(ids, predicted, strict=True))})
        where, used = memory_in_use(model.device)
        self.record(
            {
                "step": step,
                "gold_span": {part: result for part, result in recalled.items() if result["n"]},
                "answers": [
                    {"question": q, "answer": a} for q, a in zip(self.questions, answers, strict=True)
                ],
                "memory": {"where": where, "bytes": used},
                "seconds": time.monotonic() - started,
            }
        )

    def _recalled(self, model: LoadedModel, part: str) -> dict[str, Any]:
        """Teacher-forced gold-span accuracy of a part: the mean over its samples, and how many there are."""
        from tokenunlearn.evaluation.recall import recalled_rows

        rows = recalled_rows(model, self.encodings[part], self.samples[part])
        values = [value for value in rows if value is not None]
        return {"value": sum(values) / len(values) if values else None, "n": len(values)}


def _with_facts(samples: Sequence[Sample], count: int) -> tuple[Sample, ...]:
    """Some samples with gold spans, evenly spread; a document has no place for its span among its chunks."""
    return evenly_spread(tuple(s for s in samples if s.span and not s.document), count)


class _Asked(Protocol):
    @property
    def question(self) -> str: ...


def default_questions(forget: Sequence[_Asked], retain: Sequence[_Asked] = ()) -> tuple[str, ...]:
    """The question of the first forget sample and of the first retained one, documents left out."""
    questions = (next((s.question for s in part if s.question.strip()), "") for part in (forget, retain))
    return tuple(filter(None, questions))
