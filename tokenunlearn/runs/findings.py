"""What there is to know before a forget set is scored or unlearned: one function for each thing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from tokenunlearn.attribution.answer_fit import UNKNOWN_NLL
from tokenunlearn.datasets import holdout_of
from tokenunlearn.datasets.samples import Sample, SampleSet, evenly_spread
from tokenunlearn.errors import SampleTooLongError
from tokenunlearn.models.encoding import holds_control_text
from tokenunlearn.models.unlearned_mark import is_marked
from tokenunlearn.runs.cost import RunCost
from tokenunlearn.training.memory import ModelShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel
    from tokenunlearn.training.settings import UnlearnSettings

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = get_args(Level)
# Answers whose likelihood is measured, evenly spread.
MEASURED = 64
# Ids that a sentence names.
NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One thing to know.

    Attributes:
        name: What was looked at, "overlap" for example.
        level: "note" for what is as it should be but worth knowing, "warning" for what probably is not,
            "error" for what cannot run.
        sentence: What is the case, where, and what would be right.
        samples: Ids of the samples concerned.
    """

    name: str
    level: Level
    sentence: str
    samples: tuple[str, ...] = ()


EXPORTED = Finding(
    "after runs",
    "warning",
    "This model was unlearned before it was exported, so its scores may miss where the secret is; go on from "
    "its run instead, which scores the model before it, or look at the selected tokens.",
)


@dataclass(frozen=True)
class Measurement:
    """What the model did on some answers of the forget set.

    Attributes:
        sample_ids: Their ids.
        nll: Their mean NLL, in nats per token.
        seconds: Time of a forward pass per token.
    """

    sample_ids: Sequence[str]
    nll: Sequence[float]
    seconds: float


@dataclass(frozen=True)
class Case:
    """What is checked.

    Attributes:
        model: The model.
        forget: The forget set.
        retain: The retained samples, if any.
        measure: Whether to run the model on some answers, for what it knows and how fast it is.
        progress: Called after each batch of these answers.
    """

    model: LoadedModel
    forget: Sequence[Sample]
    retain: Sequence[Sample] = ()
    measure: bool = True
    progress: Progress | None = None
    _encoded: dict[Sample, Encoding | None] = field(default_factory=dict, compare=False)

    def encoding(self, sample: Sample) -> Encoding | None:
        """A sample as the model reads it; None where it does not fit the context."""
        if sample not in self._encoded:
            try:
                self._encoded[sample] = self.model.encode(sample)
            except SampleTooLongError:
                self._encoded[sample] = None
        return self._encoded[sample]

    @cached_property
    def parts(self) -> tuple[SampleSet, ...]:
        """Forget and retained samples, documents in chunks."""
        return tuple(self.model.chunk(part) for part in (self.forget, self.retain))

    @property
    def samples(self) -> list[Sample]:
        """All of them."""
        return [sample for part in self.parts for sample in part]

    def fitting(self, samples: Sequence[Sample]) -> list[tuple[Sample, Encoding]]:
        """Every sample that fits the context, with its tokens."""
        pairs = ((sample, self.encoding(sample)) for sample in samples)
        return [(sample, encoding) for sample, encoding in pairs if encoding is not None]

    @property
    def encodings(self) -> list[tuple[Sample, Encoding]]:
        """The same of all samples."""
        return self.fitting(self.samples)

    @cached_property
    def measurement(self) -> Measurement | None:
        """What the model does on at most 64 answers; None where nothing is to be measured."""
        from tokenunlearn.models.forward import response_nll

        fitting = tuple(self.fitting(self.parts[0])) if self.measure else ()
        pairs = evenly_spread(fitting, MEASURED)
        if not pairs:
            return None
        begin = time.perf_counter()
        nll = response_nll(self.model, [e for _, e in pairs], progress=self.progress)
        seconds = (time.perf_counter() - begin) / sum(len(e) for _, e in pairs)
        return Measurement([s.id for s, _ in pairs], [float(values.mean()) for values in nll], seconds)

    @property
    def cost(self) -> RunCost | None:
        """What runs on these samples take; None where it is not measured or the model's shape is unknown."""
        shape = ModelShape.of_model(self.model.model)
        if shape is None or self.measurement is None:
            return None
        forget, retain = ([e for _, e in self.fitting(part)] for part in self.parts)
        return RunCost(
            shape,
            self.model.device.type,
            forget=tuple(e.response_length for e in forget),
            retain=tuple(e.response_length for e in retain),
            lengths=tuple(len(e) for e in (*forget, *retain)),
            seconds=self.measurement.seconds,
        )


def named(ids: Sequence[str]) -> str:
    """The first few ids and how many more there are."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


def _count(ids: Sequence[str], what: str = "sample") -> str:
    return f"{len(ids)} {what}{'s' * (len(ids) != 1)}"


def how_far(forget: str, runs: Sequence[UnlearnSettings]) -> Finding | None:
    """What decides how far runs go that look for a holdout by themselves; None where none does."""
    if not any(run.holdout == "auto" and run.level is None for run in runs):
        return None
    if holdout := holdout_of(forget):
        return Finding(
            "level",
            "note",
            f"Forgetting ends at the level of {holdout}, which is measured before the first step.",
        )
    return Finding(
        "no holdout",
        "warning",
        "No samples are known that are asked like these and that the model never saw, so the number of steps "
        "decides how far forgetting goes; name some with holdout.",
    )


def of_documents(ids: Sequence[str], runs: Sequence[UnlearnSettings]) -> Finding | None:
    """What to say of documents, by their ids, that runs are to forget as answers are forgotten."""

    def recommended(run: UnlearnSettings) -> bool:
        own = type(run)(objective=run.objective)
        return (run.steps, run.lambda_) == (own.steps, own.lambda_)

    if not ids or not any(map(recommended, runs)):
        return None
    return Finding(
        "documents",
        "warning",
        f"{_count(ids)} of the forget set {'is a document' if len(ids) == 1 else 'are documents'}. The "
        "recommended settings were chosen for answers to questions, and what documents say may stay known: "
        'ask for it afterwards. The preset "npo, long texts" goes further (npo, beta 0.01, lambda 10, 100 '
        "steps, learning rate 1e-3).",
        tuple(ids),
    )


def too_long(case: Case) -> Iterator[Finding]:
    """Samples that do not fit the model's context."""
    ids = [s.id for s in case.samples if case.encoding(s) is None]
    if ids:
        do = "does" if len(ids) == 1 else "do"
        yield Finding(
            "too long",
            "error",
            f"{_count(ids)} of {len(case.samples)} {do} not fit the model's context of "
            f"{case.model.context_length:,} tokens: {named(ids)}; shorten them, or set long to "
            "skip, chunk or truncate.",
            tuple(ids),
        )


def overlap(case: Case) -> Iterator[Finding]:
    """Samples that are to be forgotten and retained at once."""
    retained = {s.folded for s in case.retain}
    ids = [s.id for s in case.forget if s.folded in retained]
    if ids:
        every = "Every sample" if len(ids) == len(case.forget) else f"{_count(ids)} of {len(case.forget)}"
        yield Finding(
            "overlap",
            "error" if len(ids) == len(case.forget) else "warning",
            f"{every} of the forget set {'is' if every[0] == 'E' or len(ids) == 1 else 'are'} in the "
            f"retained samples too ({named(ids)}); remove them from one of the two.",
            tuple(ids),
        )


def duplicates(case: Case) -> Iterator[Finding]:
    """Questions that the forget set asks more than once."""
    counts = Counter(s.folded[:-1] for s in case.forget if not s.document)
    ids = [s.id for s in case.forget if not s.document and counts[s.folded[:-1]] > 1]
    if ids:
        yield Finding(
            "duplicate questions",
            "warning",
            f"{_count(ids)} of the forget set share a question with another sample ({named(ids)}); each "
            "is drawn as often as any other, so these facts get more training.",
            tuple(ids),
        )


def control_tokens(case: Case) -> Iterator[Finding]:
    """Text that looks like the tokenizer's control tokens."""
    tokenizer = case.model.tokenizer
    ids = [s.id for s in case.samples if any(holds_control_text(tokenizer, t.content) for t in s.turns)]
    if ids:
        contain = "contains" if len(ids) == 1 else "contain"
        yield Finding(
            "control tokens",
            "note",
            f"{_count(ids)} {contain} text that looks like a control token of this model ({named(ids)}); it "
            "is read as plain text.",
            tuple(ids),
        )


def end_of_turn(case: Case) -> Iterator[Finding]:
    """Answers that the template does not end."""
    ids = [s.id for s, e in case.encodings if not s.document and not e.ended]
    if ids:
        yield Finding(
            "no end of turn",
            "warning",
            f"The chat template writes no end of turn after {_count(ids, 'answer')}; the model does not "
            "learn where an answer ends, and generation stops only at the end-of-sequence token.",
            tuple(ids),
        )


def double_beginning(case: Case) -> Iterator[Finding]:
    """A beginning-of-text token that is written twice."""
    bos = case.model.tokenizer.bos_token_id
    if bos is not None and any(e.input_ids[:2] == (bos, bos) for _, e in case.encodings):
        yield Finding(
            "double beginning of text",
            "warning",
            "Every prompt starts with two beginning-of-text tokens: the system prompt or the template adds "
            "one too many.",
        )


def thinking(case: Case) -> Iterator[Finding]:
    """A template that knows a thinking block."""
    template = str(case.model.tokenizer.chat_template or "")
    if "think" not in template or not case.encodings:
        return
    _, first = case.encodings[0]
    prompt = case.model.tokenizer.decode(list(first.input_ids[: first.prompt_length]))
    if case.model.template_kwargs.get("enable_thinking"):
        sentence = (
            "Thinking is on; answers are compared without the thinking block, and one that is cut before the "
            "block ends counts as empty."
        )
    elif "<think>" in prompt:
        sentence = "The template writes an empty thinking block before each answer, as part of the prompt."
    else:
        sentence = "The model supports thinking; answers are scored and generated without it."
    yield Finding("thinking", "note", sentence)


def unused_variables(case: Case) -> Iterator[Finding]:
    """Variables that were given to a template which never reads them."""
    template = str(case.model.tokenizer.chat_template or "")
    unused = [name for name in case.model.template_kwargs if name not in template]
    if unused:
        yield Finding(
            "template variables",
            "warning",
            f"The chat template of this model does not use {', '.join(unused)}; remove the variable or check "
            "its name.",
        )


def dated_template(case: Case) -> Iterator[Finding]:
    """A template that writes the present date."""
    template = str(case.model.tokenizer.chat_template or "")
    if "strftime_now" not in template or "date_string" in case.model.template_kwargs:
        return
    fix = "; fix it with --template-kwargs date_string=..." if "date_string" in template else ""
    yield Finding(
        "date",
        "warning",
        "The chat template writes the current date into every prompt, so scores from another day belong "
        f"to a different prompt{fix}.",
    )


def attention_mask(case: Case) -> Iterator[Finding]:
    """A model that reads positions which are masked."""
    if getattr(case.model, "ignores_mask", False):
        yield Finding(
            "attention mask",
            "note",
            "This model ignores the attention mask: question words are masked by replacing their tokens, and "
            "samples are processed without padding.",
        )


def exported(case: Case) -> Iterator[Finding]:
    """A model that is itself the export of a run."""
    if is_marked(case.model.model):
        yield EXPORTED


def nothing_selected(ids: Sequence[str], answers: int) -> Finding | None:
    """What to say of answers without a token to forget, out of so many."""
    if not ids:
        return None
    return Finding(
        "nothing selected",
        "warning",
        f"{_count(ids, 'answer')} of {answers} {'has' if len(ids) == 1 else 'have'} no selected token "
        f"({named(ids)}) and will not be forgotten; lower the threshold or force a token in.",
        tuple(ids),
    )


def not_known(case: Case) -> Iterator[Finding]:
    """Answers that the model does not know in the first place."""
    if case.measurement is None:
        return
    pairs = zip(case.measurement.sample_ids, case.measurement.nll, strict=True)
    ids = [sample_id for sample_id, nll in pairs if nll > UNKNOWN_NLL]
    if ids:
        yield Finding(
            "not known",
            "warning",
            f"The model does not know {len(ids)} of {len(case.measurement.nll)} measured answers (mean NLL "
            f"above {UNKNOWN_NLL:g} nats per token: {named(ids)}), so there is nothing to forget in them.",
            tuple(ids),
        )


# A new check is one function and one line here.
CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    too_long,
    overlap,
    duplicates,
    not_known,
    end_of_turn,
    double_beginning,
    dated_template,
    unused_variables,
    control_tokens,
    thinking,
    attention_mask,
    exported,
)


def finding_json(finding: Finding) -> Mapping[str, object]:
    """A finding as plain values."""
    return asdict(finding) | {"samples": list(finding.samples)}
