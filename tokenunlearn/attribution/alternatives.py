"""What a model would say in place of each token of an answer if it did not know whom it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokenunlearn.attribution.masking import copied_tokens, effective_settings, windows
from tokenunlearn.attribution.masking_engine import MaskingEngine, Variant
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import Progress, output_head
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.token_budget import TokenBudget, rows_at_once


def shared_positions(encoding: Encoding) -> tuple[int, ...]:
    """Positions of the words that question and answer share, in both; none in a document.

    Most often they name whom or what the answer is about. The last position is left out: nothing comes after
    it.
    """
    content = [] if encoding.document else encoding.content_positions
    in_question = copied_tokens(
        encoding.answer, encoding.question, [encoding.content_offset(i) for i in content]
    )
    in_answer = copied_tokens(encoding.question, encoding.answer, encoding.answer_offsets)
    response = range(encoding.prompt_length, len(encoding) - 1)
    return (*compress(content, in_question), *compress(response, in_answer))


@torch.no_grad()
def alternatives(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    *,
    token_budget: int | None = None,
    progress: Progress | None = None,
) -> list[Int[Tensor, " time"]]:
    """The most likely token in place of each response token, as the model predicts behind what was there.

    While it predicts, the words that question and answer share are hidden from it, as masking hides them
    (:class:`~tokenunlearn.attribution.masking_settings.MaskingSettings`). No token of the answer is taken,
    so that facts of one answer do not change places; the end of turn stays.

    Args:
        lm: The model.
        encodings: Samples encoded for it.
        token_budget: Most tokens in one forward pass; by default what suits the device.
        progress: Called after every pass with samples done and samples in all.

    Returns:
        Token ids (T_i,) of each sample, on the CPU.
    """
    budget = TokenBudget.of(lm, token_budget)
    engine = MaskingEngine(lm, effective_settings(lm, MaskingSettings()).operator, budget)
    say = progress or (lambda done, total: None)
    found: list[Int[Tensor, " time"]] = []
    for window in windows(encodings, budget):
        found += _of_window(engine, window, partial(say, len(found), len(encodings)))
    say(len(found), len(encodings))
    return found


def _of_window(
    engine: MaskingEngine, window: Sequence[Encoding], after_pass: Callable[[], None]
) -> list[Int[Tensor, " time"]]:
    lm, head = engine.lm, output_head(engine.lm.model)
    chunk = rows_at_once(lm.model.config.get_text_config().vocab_size, lm.device.type)
    ids = [torch.tensor(e.response_ids) for e in window]
    ends = [row == lm.end_of_turn_id for row in ids]
    masks = [[positions] if (positions := shared_positions(e)) else [] for e in window]

    def read(variants: Sequence[Variant], hidden: Sequence[Float[Tensor, "time dim"]]) -> None:
        for v, states in zip(variants, hidden, strict=True):  # a sample's unmasked variant first
            own = torch.tensor(window[v.sample].response_ids, device=lm.device).unique()
            best = [head(rows).index_fill(-1, own, -torch.inf).argmax(-1) for rows in states.split(chunk)]
            ids[v.sample][v.skip :] = torch.cat(best).cpu()

    for _ in engine.run(window, masks, read):
        after_pass()
    return [row.masked_fill(end, lm.end_of_turn_id) for row, end in zip(ids, ends, strict=True)]
