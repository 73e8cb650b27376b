"""Measurements that a score set holds only where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenunlearn.attribution.prefix import prefix_knowledge
from tokenunlearn.attribution.sample_scores import OPTIONAL
from tokenunlearn.attribution.score_cache import ScoreCache, measurement_keys
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.entropy import response_nll_and_entropy
from tokenunlearn.models.forward import TOKEN_BUDGET, Progress
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.token_budget import TokenBudget

BLOCK = 64  # samples measured together; what was measured is stored after each block

Arrays = dict[str, Any]  # (T_i,) arrays by name


def measure_option(
    option: str,
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    token_budget: int | None,
    store: ScoreCache | None,
    progress: Progress,
) -> list[Arrays]:
    """The arrays of an option of :func:`score` for each encoding; those in the store are not measured.

    Args:
        option: A key of :data:`OPTIONAL`.
        lm: The model that is measured, for "base_model" the base model.
        encodings: Samples encoded for the model that is scored.
        token_budget: Most tokens in one forward pass; by default what suits the device.
        store: Where arrays are stored, or None.
        progress: Called with samples done and samples in all.
    """
    budget = min(TOKEN_BUDGET, TokenBudget.of(lm, token_budget).tokens)
    keys = measurement_keys(lm, encodings, option) if store else []
    stored: list[Arrays | None] = [None] * len(encodings)
    if store:
        stored = [store.read_arrays(key, OPTIONAL[option]) for key in keys]
    missing = [i for i, arrays in enumerate(stored) if arrays is None]
    known = len(encodings) - len(missing)
    if known:
        progress(known, len(encodings))
    for start in range(0, len(missing), BLOCK):
        block = missing[start : start + BLOCK]
        measured = _measured(option, lm, [encodings[i] for i in block], budget)
        for i, arrays in zip(block, measured, strict=True):
            stored[i] = arrays
            if store:
                store.write_arrays(keys[i], arrays)
        progress(known + start + len(block), len(encodings))
    return [arrays for arrays in stored if arrays is not None]


def _measured(option: str, lm: LoadedModel, encodings: Sequence[Encoding], token_budget: int) -> list[Arrays]:
    if option == "prefix":
        return [{"prefix_knowledge": k} for k in prefix_knowledge(lm, encodings, token_budget=token_budget)]
    measured = response_nll_and_entropy(lm, encodings, token_budget=token_budget)
    return [{"base_nll": nll, "base_entropy": entropy} for nll, entropy in measured]
