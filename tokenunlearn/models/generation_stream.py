"""Greedy generation token by token: what :func:`generate` answers, each piece with its surprise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from tokenunlearn.datasets.characters import PART_OF_A_CHARACTER
from tokenunlearn.models.forward import token_nll
from tokenunlearn.models.generation import MAX_NEW_TOKENS, end_ids, prompts_of

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import Turn
    from tokenunlearn.models.loaded_model import LoadedModel


class StreamedText(NamedTuple):
    """A piece of an answer: a token, or the tokens that share a character.

    Attributes:
        text: Its text.
        nats: Its surprise, -log p under the model that says it, at least 0.
    """

    text: str
    nats: float


@torch.no_grad()
def stream(
    lm: LoadedModel,
    question: str,
    *,
    history: Sequence[Turn] = (),
    prefix: str = "",
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> Iterator[StreamedText]:
    """The greedy answer to a question, piece by piece as the model says it.

    The pieces together are the answer of :func:`generate`, with the blanks around it, and with what a model
    thinks before it answers. Whoever stops asking for pieces ends the generation.

    Args:
        lm: The model.
        question: Put into the chat template like the samples' questions.
        history: Turns before the question.
        prefix: How the answer is made to begin, "" for freely; not part of what is yielded.
        max_new_tokens: Most tokens of the answer, cut where the context ends.

    Yields:
        The next piece.

    Raises:
        SampleTooLongError: If the prompt leaves no room for an answer in the model's context.
    """
    (prompt,) = prompts_of(lm, [question], [history], [prefix])
    context, ends = lm.context_length, end_ids(lm)
    room = max_new_tokens if context is None else min(max_new_tokens, context - len(prompt))
    ids: list[int] = []
    said, nats, cache, fed = "", 0.0, None, 0
    for _ in range(room):
        whole = [*prompt, *ids]
        past: dict[str, Any] = {} if cache is None else {"past_key_values": cache}
        output = lm.model(torch.tensor([whole[fed:]], device=lm.device), use_cache=True, **past)
        cache = getattr(output, "past_key_values", None)  # None in recurrent models, which read all again
        fed = len(whole) if cache is not None else 0
        logits = output.logits[0, -1:]  # (1, V)
        token = logits.argmax(-1)  # (1,)
        if int(token) in ends:
            break
        ids.append(int(token))
        nats += float(token_nll(logits, token))
        text = str(lm.tokenizer.decode(ids, skip_special_tokens=True))
        if len(text) > len(said) and not text.endswith(PART_OF_A_CHARACTER):
            yield StreamedText(text[len(said) :], nats)
            said, nats = text, 0.0
    rest = str(lm.tokenizer.decode(ids, skip_special_tokens=True))[len(said) :]
    if rest:
        yield StreamedText(rest, nats)
