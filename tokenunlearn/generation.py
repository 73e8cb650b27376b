"""Greedy generation in batches, the same text as one prompt at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from tokenunlearn.errors import SampleTooLongError
from tokenunlearn.samples import Sample, batches_by_length

if TYPE_CHECKING:
    from tokenunlearn.forward import Progress
    from tokenunlearn.models import LoadedModel

MAX_NEW_TOKENS = 64
TOKEN_BUDGET = 8192


@torch.inference_mode()
def generate(
    lm: LoadedModel,
    questions: Sequence[str],
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[str]:
    """Greedy answers to questions, in order, without special tokens and without blanks at either end.

    Prompts of similar length travel together, padded on the left; an answer ends with the end-of-turn token.

    Args:
        lm: The model.
        questions: Put into the chat template like the samples' questions.
        max_new_tokens: Most tokens of one answer, cut where the context ends.
        token_budget: Most tokens, prompts and answers, in one batch.
        progress: Called with answers done and answers in all.

    Raises:
        SampleTooLongError: If a prompt leaves no room for an answer in the model's context.
    """
    from transformers import GenerationConfig

    prompts = []
    for number, question in enumerate(questions, start=1):
        encoding = lm.encode(Sample(f"question {number}", question, ""))
        prompts.append(list(encoding.input_ids[: encoding.prompt_length]))
        if lm.context_length is not None and len(prompts[-1]) >= lm.context_length:
            raise SampleTooLongError(
                f"Question {number} has {len(prompts[-1]):,} tokens and leaves no room for an answer in the model's "
                f"context of {lm.context_length:,}; shorten it."
            )
    answers = [""] * len(prompts)
    done = 0
    for group in batches_by_length([len(p) + max_new_tokens for p in prompts], token_budget):
        size = max(len(prompts[i]) for i in group)
        ids = torch.full((len(group), size), lm.pad_id)
        mask = torch.zeros((len(group), size), dtype=torch.long)
        for row, index in enumerate(group):
            ids[row, size - len(prompts[index]) :] = torch.tensor(prompts[index])
            mask[row, size - len(prompts[index]) :] = 1
        room = max_new_tokens if lm.context_length is None else min(max_new_tokens, lm.context_length - size)
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=room,
            pad_token_id=lm.pad_id,
            eos_token_id=lm.end_of_turn_id,
            bos_token_id=lm.tokenizer.bos_token_id,
        )
        output = lm.model.generate(
            input_ids=ids.to(lm.device), attention_mask=mask.to(lm.device), generation_config=config
        )
        for row, index in enumerate(group):
            answers[index] = _text(lm, output[row, size:].tolist())
        done += len(group)
        if progress:
            progress(done, len(prompts))
    return answers


def _text(lm: LoadedModel, ids: list[int]) -> str:
    """The tokens up to the end of turn as text."""
    end = lm.end_of_turn_id
    ids = ids[: ids.index(end)] if end in ids else ids
    return str(lm.tokenizer.decode(ids, skip_special_tokens=True)).strip()
