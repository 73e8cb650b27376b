"""Generation in batches: greedy, the same text as one prompt at a time, or sampled from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tokenunlearn.errors import SampleTooLongError
from tokenunlearn.models.encoding import batches_by_length, prompt_ids
from tokenunlearn.models.templates import without_thinking

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import Turn
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

MAX_NEW_TOKENS = 64
TOKEN_BUDGET = 8192


@dataclass(frozen=True)
class Sampling:
    """Draws each token from the model's own distribution, in place of the most probable one.

    Attributes:
        temperature: Divides the logits; above 0.
        seed: The same seed, questions and budget give the same answers.
    """

    temperature: float = 1.0
    seed: int = 0


def generate(
    lm: LoadedModel,
    questions: Sequence[str],
    *,
    histories: Sequence[Sequence[Turn]] | None = None,
    prefixes: Sequence[str] | None = None,
    sampling: Sampling | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[str]:
    """Answers to questions, in order, without special tokens and without blanks at either end.

    Prompts of similar length travel together, padded on the left; alone, where the model would read the
    padding. An answer ends with the end-of-turn token or the tokenizer's end of sequence. Settings that come
    with a model, such as a repetition penalty, are not used.

    Args:
        lm: The model.
        questions: Put into the chat template like the samples' questions.
        histories: Turns before each question; None for none.
        prefixes: How each answer is made to begin, "" for freely; not part of what is returned.
        sampling: How tokens are drawn; None is greedy.
        max_new_tokens: Most tokens of one answer, cut where the context ends.
        token_budget: Most tokens, prompts and answers, in one batch.
        progress: Called after each new token of a batch, and after each batch, with answers done and answers
            in all. What it raises ends the generation.

    Raises:
        SampleTooLongError: If a prompt leaves no room for an answer in the model's context.
    """
    prompts = prompts_of(lm, questions, histories or [()] * len(questions), prefixes or [""] * len(questions))
    ends = end_ids(lm)
    answers = [""] * len(prompts)
    done = 0
    with _seeded(lm, sampling):
        for room, group in _groups(lm, prompts, max_new_tokens, token_budget):
            beat = partial(progress, done, len(prompts)) if progress else None
            written = _continue(lm, [prompts[i] for i in group], room, ends, sampling, beat)
            for index, ids in zip(group, written, strict=True):
                stop = next((place for place, token in enumerate(ids) if token in ends), len(ids))
                text = str(lm.tokenizer.decode(ids[:stop], skip_special_tokens=True))
                answers[index] = without_thinking(text)
            done += len(group)
            if progress:
                progress(done, len(prompts))
    return answers


@contextmanager
def _seeded(lm: LoadedModel, sampling: Sampling | None) -> Iterator[None]:
    """Random numbers from the seed of the sampling, with those of everyone else left as they were."""
    if sampling is None:
        yield
        return
    devices = [lm.device] if lm.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(sampling.seed)
        yield


def end_ids(lm: LoadedModel) -> list[int]:
    """Ids that end an answer, ascending: the end of the turn and the tokenizer's end of sequence."""
    end = lm.end_of_turn_id
    return sorted({end, end if lm.tokenizer.eos_token_id is None else lm.tokenizer.eos_token_id})


def prompts_of(
    lm: LoadedModel,
    questions: Sequence[str],
    histories: Sequence[Sequence[Turn]],
    prefixes: Sequence[str],
) -> list[list[int]]:
    """Token ids of every prompt and prefix, exactly those of the samples' encodings.

    Raises:
        SampleTooLongError: If a prompt leaves no room for an answer in the model's context.
    """
    prompts = []
    turns = zip(questions, prefixes, histories, strict=True)
    for number, (question, prefix, history) in enumerate(turns, start=1):
        ids = prompt_ids(lm.chat, question, prefix, history)
        if lm.context_length is not None and len(ids) >= lm.context_length:
            raise SampleTooLongError(
                f"Question {number} has {len(ids):,} tokens and leaves no room for an answer in the model's "
                f"context of {lm.context_length:,}; shorten it."
            )
        prompts.append(ids)
    return prompts


def _groups(
    lm: LoadedModel, prompts: Sequence[Sequence[int]], max_new_tokens: int, token_budget: int
) -> Iterator[tuple[int, list[int]]]:
    """Room for new tokens, and the indices of the prompts that travel together with exactly that much room.

    So a long neighbor never shortens an answer.
    """
    context, budget = lm.context_length, 1 if lm.ignores_mask else token_budget
    by_room: dict[int, list[int]] = {}
    for index, prompt in enumerate(prompts):
        room = max_new_tokens if context is None else min(max_new_tokens, context - len(prompt))
        by_room.setdefault(room, []).append(index)
    for room, members in by_room.items():
        for group in batches_by_length([len(prompts[i]) + room for i in members], budget):
            yield room, [members[i] for i in group]


@torch.no_grad()
def _continue(
    lm: LoadedModel,
    prompts: Sequence[Sequence[int]],
    room: int,
    ends: Sequence[int],
    sampling: Sampling | None = None,
    beat: Callable[[], None] | None = None,
) -> list[list[int]]:
    """At most ``room`` new tokens after each prompt; what follows an end token is padding.

    ``beat`` is called after each token.
    """
    from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

    class Beat(StoppingCriteria):
        def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # type: ignore[override]
            beat()  # type: ignore[misc]
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    size = max(map(len, prompts))
    input_ids = torch.full((len(prompts), size), lm.pad_id)  # (B, L)
    mask = torch.zeros((len(prompts), size), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        input_ids[row, size - len(prompt) :] = torch.tensor(prompt)
        mask[row, size - len(prompt) :] = 1
    drawn = {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0} if sampling else {}
    config = GenerationConfig(
        do_sample=sampling is not None,
        **drawn,
        max_new_tokens=room,
        pad_token_id=lm.pad_id,
        eos_token_id=list(ends),
        bos_token_id=lm.tokenizer.bos_token_id,
    )
    own = lm.model.generation_config  # would fill in every setting that the one above leaves open
    lm.model.generation_config = GenerationConfig()
    try:
        output = lm.model.generate(  # type: ignore[operator]
            input_ids=input_ids.to(lm.device),
            attention_mask=mask.to(lm.device),
            generation_config=config,
            stopping_criteria=StoppingCriteriaList([Beat()] if beat else []),
        )
    finally:
        lm.model.generation_config = own
    new: list[list[int]] = output[:, size:].tolist()
    return new
