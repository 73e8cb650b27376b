"""Knowledge score by masking: what the prediction of each response token loses when the prompt is hidden."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.attribution.entropy import token_entropy
from tokenunlearn.attribution.masking_settings import MaskingSettings, Operator
from tokenunlearn.forward import TOKEN_BUDGET, Progress, output_head, response_hidden, token_nll
from tokenunlearn.models import LoadedModel
from tokenunlearn.samples import Batch, Encoding, Span, collate, overlaps, word_spans


@dataclass(frozen=True)
class Context:
    """Positions that are masked together, and the text they show."""

    text: str
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Masking:
    """What masking measured on one sample. C contexts, T response tokens.

    Attributes:
        contexts: The C contexts, in prompt order.
        losses: (C, T) loss of log-probability (signed) or KL (>= 0) of each response token, in nats.
        nll: (T,) token NLL without masking, in nats.
        entropy: (T,) entropy without masking, in nats.
    """

    contexts: tuple[Context, ...]
    losses: Float[np.ndarray, "contexts time"]
    nll: Float[np.ndarray, " time"]
    entropy: Float[np.ndarray, " time"]


def contexts_of(encoding: Encoding, settings: MaskingSettings) -> tuple[Context, ...]:
    """The contexts to mask: the question's tokens, never the template's own; in a document its own tokens."""
    content = encoding.content_positions
    if not content:
        return ()

    def text(positions: Sequence[int]) -> str:
        offsets = [encoding.content_offset(i) for i in positions]
        characters = sorted({c for start, end in offsets for c in range(start, end)})
        return "".join(encoding.content[c] for c in characters).strip()

    if settings.mask == "prompt":
        return (Context(text(content), content),)
    if settings.mask == "random":
        rng = random.Random(f"{settings.seed}:{encoding.sample_id}")
        half = max(1, len(content) // 2)
        subsets = [tuple(sorted(rng.sample(content, half))) for _ in range(settings.subsets)]
        return tuple(Context(text(subset), subset) for subset in subsets)
    if settings.unit == "token":
        return tuple(Context(encoding.texts[i], (i,)) for i in content)
    return tuple(Context(text(positions), positions) for positions in _words(encoding))


def _words(encoding: Encoding) -> list[tuple[int, ...]]:
    """Content positions grouped by the word they belong to; one without a word character stands alone."""
    spans = word_spans(encoding.content)
    groups: dict[object, list[int]] = {}
    for position in encoding.content_positions:
        offset = encoding.content_offset(position)
        word = next((span for span in spans if overlaps(offset, [span])), None)
        groups.setdefault(word if word is not None else position, []).append(position)
    return [tuple(positions) for positions in groups.values()]


def repeated_tokens(text: str, offsets: Sequence[Span]) -> np.ndarray:
    """Copy guard of a document: which tokens belong to a word that came earlier in it; bool (T,)."""
    seen: set[str] = set()
    repeated = []
    for start, end in word_spans(text):
        word = unicodedata.normalize("NFC", text[start:end]).casefold()
        if word in seen:
            repeated.append((start, end))
        seen.add(word)
    return np.array([overlaps(offset, repeated) for offset in offsets], dtype=bool)


def copied_tokens(question: str, answer: str, offsets: Sequence[Span]) -> np.ndarray:
    """Copy guard: which response tokens belong to a word that the question already contains; bool (T,).

    Such tokens lose much when the prompt is masked, but only because they repeat it: they are not the secret.
    """

    def word(text: str, span: Span) -> str:
        return unicodedata.normalize("NFC", text[span[0] : span[1]]).casefold()

    asked = {word(question, span) for span in word_spans(question)}
    repeated = [span for span in word_spans(answer) if word(answer, span) in asked]
    return np.array([overlaps(offset, repeated) for offset in offsets], dtype=bool)


@torch.no_grad()
def measure_masking(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    settings: MaskingSettings | None = None,
    *,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[Masking]:
    """Mask each context of each sample and measure every response token.

    Equals one forward pass per context and sample; here the passes of a sample travel in batches of at most
    ``token_budget`` tokens, and logits exist at response positions only.

    Args:
        lm: The model.
        encodings: Samples encoded for it.
        settings: What is masked, how, and what is measured.
        token_budget: Most tokens in one forward pass.
        progress: Called with samples done and samples in all.

    Returns:
        One :class:`Masking` per encoding, in order.
    """
    settings = settings or MaskingSettings()
    replacement = (
        _mean_embedding(lm.model.get_input_embeddings()) if settings.operator == "embedding" else None
    )
    results = []
    for done, encoding in enumerate(encodings, start=1):
        results.append(_measure_one(lm, encoding, settings, token_budget, replacement))
        if progress:
            progress(done, len(encodings))
    return results


def _measure_one(
    lm: LoadedModel,
    encoding: Encoding,
    settings: MaskingSettings,
    token_budget: int,
    replacement: Tensor | None,
) -> Masking:
    contexts = contexts_of(encoding, settings)
    head = output_head(lm.model)
    variants: list[tuple[int, ...]] = [(), *(c.positions for c in contexts)]  # the first row masks nothing
    rows_at_once = max(1, token_budget // len(encoding))
    base_log_p: Tensor | None = None
    nll = entropy = np.empty(0)
    losses: list[Tensor] = []
    for start in range(0, len(variants), rows_at_once):
        masked = variants[start : start + rows_at_once]
        hidden = _masked_hidden(lm, encoding, masked, settings.operator, replacement)  # (R, T, d)
        for row in hidden:
            logits = head(row)  # (T, V)
            labels = torch.tensor(encoding.input_ids[encoding.prompt_length :], device=logits.device)
            log_p = torch.log_softmax(logits, dim=-1)
            if base_log_p is None:
                base_log_p = log_p
                nll = token_nll(logits, labels).cpu().numpy()
                entropy = token_entropy(logits).cpu().numpy()
            elif settings.measure == "drop":
                losses.append((base_log_p - log_p).gather(-1, labels[:, None]).squeeze(-1).cpu())
            else:
                losses.append((base_log_p.exp() * (base_log_p - log_p)).sum(-1).clamp_min(0.0).cpu())
    matrix = (
        torch.stack(losses).numpy() if losses else np.zeros((0, encoding.response_length), dtype=np.float32)
    )
    return Masking(contexts, matrix, nll, entropy)


def _masked_hidden(
    lm: LoadedModel,
    encoding: Encoding,
    masked: Sequence[tuple[int, ...]],
    operator: Operator,
    replacement: Tensor | None,
) -> Float[Tensor, "rows time dim"]:
    """Final hidden states of the response under each masked variant, all in one forward pass."""
    batch: Batch = collate([encoding] * len(masked), lm.pad_id, lm.device)
    hidden_at = torch.zeros_like(batch.input_ids, dtype=torch.bool)
    for row, positions in enumerate(masked):
        hidden_at[row, list(positions)] = True
    if operator == "attention":
        batch.attention_mask[hidden_at] = 0
        return response_hidden(lm.model, batch)
    if operator == "token":
        batch.input_ids[hidden_at] = _mask_id(lm)
        return response_hidden(lm.model, batch)
    assert replacement is not None
    embeddings = lm.model.get_input_embeddings()(batch.input_ids)
    embeddings[hidden_at] = replacement.to(embeddings.dtype)
    return response_hidden(lm.model, batch, embeddings)


def _mask_id(lm: LoadedModel) -> int:
    """Id that stands for "nothing": mask, else unknown, else padding, else end of turn."""
    tokenizer = lm.tokenizer
    for token_id in (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id):
        if token_id is not None:
            return int(token_id)
    return lm.end_of_turn_id


def _mean_embedding(embed: torch.nn.Module, chunk: int = 8192) -> Float[Tensor, " dim"]:
    """Mean of the input embeddings over the vocabulary, as the layer gives them (scaled where it scales)."""
    weight = cast(Tensor, embed.weight)
    vocabulary = weight.shape[0]
    ids = torch.arange(vocabulary, device=weight.device)
    return torch.stack([embed(part).float().sum(0) for part in ids.split(chunk)]).sum(0) / vocabulary
