"""Knowledge score by the prefix: what the question and the answer's last tokens tell of the next one.

In text learned by heart the answer's own words lead to the next one, so hiding the question changes little.
Here the prefix is hidden as well, down to a few tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import TOKEN_BUDGET, response_nll
from tokenunlearn.models.loaded_model import LoadedModel

NEAR_TOKENS = 3


def prefix_knowledge(
    lm: LoadedModel, encodings: Sequence[Encoding], *, token_budget: int = TOKEN_BUDGET
) -> list[Float[np.ndarray, " time"]]:
    """What the question and a short prefix tell of every response token: one float32 array (T_i,) each.

    ``log p(y_t | x, y_t-3..y_t-1) - log p(y_t | the token before it)``, in nats, signed. Both contexts are
    sequences of their own: their tokens stand side by side from position 0 on, as if nothing lay between the
    prompt and them. The token before the first response token is the prompt's last one. Contexts that occur
    several times, with the same next token, are read once.

    Args:
        lm: The model.
        encodings: Samples encoded for it.
        token_budget: Most tokens in one pass, padding included.
    """
    pairs = [[_contexts(e, i) for i in range(e.prompt_length, len(e))] for e in encodings]
    unique = list(dict.fromkeys(ids for own in pairs for pair in own for ids in pair))
    rows = [Encoding.of_ids("", ids[:-1], ids[-1:]) for ids in unique]
    nll = dict(zip(unique, map(float, response_nll(lm, rows, token_budget=token_budget)), strict=True))
    return [np.array([nll[bare] - nll[near] for near, bare in own], dtype=np.float32) for own in pairs]


def _contexts(encoding: Encoding, position: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token ids up to a response position: after the prompt and the last tokens, and after one token."""
    ids, start = encoding.input_ids, encoding.prompt_length
    near = ids[:start] + ids[max(start, position - NEAR_TOKENS) : position + 1]
    return near, ids[position - 1 : position + 1]
