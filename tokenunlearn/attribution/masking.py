"""Knowledge score by masking: what the prediction of each response token loses when the prompt is hidden."""

from __future__ import annotations

import itertools
import random
import unicodedata
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tokenunlearn.attribution.masking_engine import MaskingEngine, Variant
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.attribution.readout import read_kl, read_nll, read_nll_and_entropies
from tokenunlearn.datasets.samples import Span, first_spans, in_spans, unit_starts, word_spans
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.forward import Progress, output_head
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.models.token_budget import TokenBudget, rows_at_once


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
        tail_entropy: (T,) the same at temperature 4.
    """

    contexts: tuple[Context, ...]
    losses: Float[np.ndarray, "contexts time"]
    nll: Float[np.ndarray, " time"]
    entropy: Float[np.ndarray, " time"]
    tail_entropy: Float[np.ndarray, " time"]


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
    """Content positions grouped by the word that they hold some of, else by the visible character."""
    spans, starts = word_spans(encoding.content), unit_starts(encoding.content)
    offsets = [encoding.content_offset(position) for position in encoding.content_positions]
    groups: dict[int, list[int]] = {}
    for position, offset, word in zip(
        encoding.content_positions, offsets, first_spans(offsets, spans), strict=True
    ):
        place = offset[0] if word is None else spans[word][0]
        groups.setdefault(bisect_right(starts, place), []).append(position)
    return [tuple(positions) for positions in groups.values()]


def effective_settings(lm: LoadedModel, settings: MaskingSettings) -> MaskingSettings:
    """The settings, with the operator "token" where the model ignores the attention mask; then it warns."""
    if settings.operator != "attention" or not lm.ignores_mask:
        return settings
    warnings.warn(
        f'The model "{lm.name}" ignores the attention mask, so masked tokens are replaced by a mask id '
        "(operator token).",
        stacklevel=2,
    )
    return replace(settings, operator="token")


def repeated_tokens(text: str, offsets: Sequence[Span]) -> np.ndarray:
    """Copy guard of a document: which tokens belong to a word that came earlier in it; bool (T,)."""
    seen: set[str] = set()
    repeated = []
    for start, end in word_spans(text):
        word = unicodedata.normalize("NFC", text[start:end]).casefold()
        if word in seen:
            repeated.append((start, end))
        seen.add(word)
    return np.array(in_spans(offsets, repeated), dtype=bool)


def copied_tokens(question: str, answer: str, offsets: Sequence[Span]) -> np.ndarray:
    """Copy guard: which response tokens belong to a word that the question already contains; bool (T,).

    Such tokens lose much when the prompt is masked, but only because they repeat it: they are not the secret.
    """

    def word(text: str, span: Span) -> str:
        return unicodedata.normalize("NFC", text[span[0] : span[1]]).casefold()

    question_words = {word(question, span) for span in word_spans(question)}
    repeated = [span for span in word_spans(answer) if word(answer, span) in question_words]
    return np.array(in_spans(offsets, repeated), dtype=bool)


def measure_masking(
    lm: LoadedModel,
    encodings: Sequence[Encoding],
    settings: MaskingSettings | None = None,
    *,
    token_budget: int | None = None,
    progress: Progress | None = None,
) -> list[Masking]:
    """Mask each context of each sample and measure every response token.

    Equals one forward pass per context and sample, in far fewer; see :mod:`masking_engine`.

    Args:
        lm: The model.
        encodings: Samples encoded for it.
        settings: What is masked, how, and what is measured.
        token_budget: Most tokens in one forward pass; by default what suits the device.
        progress: Called after every pass with samples done and samples in all.

    Returns:
        One :class:`Masking` per encoding, in order.
    """
    return list(
        stream_masking(
            lm, encodings, settings, total=len(encodings), token_budget=token_budget, progress=progress
        )
    )


def stream_masking(
    lm: LoadedModel,
    encodings: Iterable[Encoding],
    settings: MaskingSettings | None = None,
    *,
    total: int = 0,
    token_budget: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Masking]:
    """As :func:`measure_masking`, for any number of samples: only a window of them is held at a time.

    Args:
        lm: The model.
        encodings: Samples encoded for it, read as they are needed.
        settings: What is masked, how, and what is measured.
        total: Number of samples, for the progress.
        token_budget: Most tokens in one forward pass; by default what suits the device.
        progress: Called after every pass with samples done and samples in all.
    """
    settings = effective_settings(lm, settings or MaskingSettings())
    budget = TokenBudget.of(lm, token_budget)
    measure = _Measure(lm, settings, budget)
    done = 0
    for window in windows(encodings, budget):
        for results in budget.run(window, partial(measure, progress=progress, done=done, total=total)):
            done += len(results)
            if progress:
                progress(done, total)
            yield from results


def windows(encodings: Iterable[Encoding], budget: TokenBudget) -> Iterator[list[Encoding]]:
    """Neighboring samples that stay within the budget's window together."""
    window: list[Encoding] = []
    for encoding in encodings:
        if window and (len(window) + 1) * max(map(len, [*window, encoding])) > budget.window:
            yield window
            window = []
        window.append(encoding)
    if window:
        yield window


@dataclass(frozen=True)
class _Plain:
    """A sample's unmasked pass: what masked ones are compared with."""

    hidden: Float[Tensor, "time dim"]
    labels: Int[Tensor, " time"]
    nll: Float[Tensor, " time"]
    entropy: Float[Tensor, " time"]
    tail_entropy: Float[Tensor, " time"]


class _Measure:
    """Measures one window of samples after another."""

    def __init__(self, lm: LoadedModel, settings: MaskingSettings, budget: TokenBudget) -> None:
        self.settings = settings
        self.device = lm.device
        self.engine = MaskingEngine(lm, settings.operator, budget)
        self.head = output_head(lm.model)
        self.chunk = rows_at_once(lm.model.config.get_text_config().vocab_size, lm.device.type)

    @torch.no_grad()
    def __call__(
        self, encodings: Sequence[Encoding], progress: Progress | None, done: int, total: int
    ) -> list[Masking]:
        """One :class:`Masking` per encoding; progress counts on from the samples done before."""
        contexts = [contexts_of(e, self.settings) for e in encodings]
        labels = [torch.tensor(e.response_ids, device=self.device) for e in encodings]
        losses = [[torch.empty(0)] * len(c) for c in contexts]
        plain: dict[int, _Plain] = {}

        def read(variants: Sequence[Variant], hidden: Sequence[Tensor]) -> None:
            pairs = list(zip(variants, hidden, strict=True))
            unmasked = {v.sample: h for v, h in pairs if v.context < 0}
            plain.update(self._unmasked(unmasked, labels))
            masked = [(v, h) for v, h in pairs if v.context >= 0]
            if masked:
                lost = self._losses(masked, [plain[v.sample] for v, _ in masked])
                for (v, _), loss in zip(masked, lost, strict=True):
                    losses[v.sample][v.context] = torch.nn.functional.pad(loss, (v.skip, 0))

        work, finished = sum(map(len, contexts)), 0
        for count in self.engine.run(encodings, [[c.positions for c in own] for own in contexts], read):
            finished += count
            if progress and finished < work:
                progress(done + len(encodings) * finished // work, total)
        return [
            Masking(
                contexts[i],
                torch.stack(losses[i]).numpy() if losses[i] else np.zeros((0, len(labels[i])), np.float32),
                plain[i].nll.cpu().numpy(),
                plain[i].entropy.cpu().numpy(),
                plain[i].tail_entropy.cpu().numpy(),
            )
            for i in range(len(encodings))
        ]

    def _unmasked(self, hidden: Mapping[int, Tensor], labels: Sequence[Tensor]) -> dict[int, _Plain]:
        """What each sample's unmasked pass predicts."""
        if not hidden:
            return {}
        sizes = [len(h) for h in hidden.values()]
        measured = read_nll_and_entropies(
            self.head, torch.cat([*hidden.values()]), torch.cat([labels[i] for i in hidden]), self.chunk
        )
        parts = zip(hidden, *(values.split(sizes) for values in measured), strict=True)
        return {i: _Plain(hidden[i], labels[i], *values) for i, *values in parts}

    def _losses(
        self, masked: Sequence[tuple[Variant, Tensor]], plain: Sequence[_Plain]
    ) -> list[Float[Tensor, " time"]]:
        """What each masked variant's tokens lost against their sample's unmasked pass, on the CPU."""
        rows, skips = torch.cat([h for _, h in masked]), [v.skip for v, _ in masked]
        if self.settings.measure == "drop":
            labels = torch.cat([p.labels[skip:] for p, skip in zip(plain, skips, strict=True)])
            nll = torch.cat([p.nll[skip:] for p, skip in zip(plain, skips, strict=True)])
            lost = read_nll(self.head, rows, labels, self.chunk) - nll
        else:
            references = {id(p): p.hidden for p in plain}
            ends = itertools.accumulate(len(h) for h in references.values())
            end = dict(zip(references, ends, strict=True))
            places = [
                torch.arange(end[id(p)] - len(h), end[id(p)]) for p, (_, h) in zip(plain, masked, strict=True)
            ]
            index = torch.cat(places).to(self.device)
            lost = read_kl(self.head, rows, torch.cat([*references.values()]), index, self.chunk)
        return [*lost.cpu().split([len(h) for _, h in masked])]
