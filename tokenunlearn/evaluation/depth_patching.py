"""Unlearning depth by activation patching: is a forgotten fact still in the hidden states, and where?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.depth_maps import DepthMap
from tokenunlearn.models.encoding import Batch, Encoding, batches_by_length, collate
from tokenunlearn.models.forward import TOKEN_BUDGET, Progress, final_hidden, output_head, token_nll
from tokenunlearn.models.layers import decoder_layers
from tokenunlearn.models.patching import LayerOutput, hidden_of, patched, recorded_layers, replayed_layers

if TYPE_CHECKING:
    from tokenunlearn.models.loaded_model import LoadedModel

# Layers that are read in deeper models, evenly spread, the last one among them.
MOST_LAYERS = 12


@torch.no_grad()
def unlearning_depth(
    model: LoadedModel,
    start: LoadedModel,
    retrained: LoadedModel,
    samples: SampleSet | Sequence[Sample],
    *,
    layers: Sequence[int] | None = None,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[DepthMap]:
    """Depth maps of the samples that have gold tokens, in order.

    All three models read question and true answer. At one layer at a time, the start model's residual stream
    at the positions that predict the gold tokens (one before each) is replaced by the unlearned model's, and
    the start model's layers above go on from there: they can read the fact wherever it is left, so what they
    no longer predict is gone below them. The same with the retrained model's states says how much there was
    to lose. States are patched into the start model and not into the retrained one, whose upper layers never
    learned to read the fact and would call it gone wherever it is. All gold tokens of a sample are patched
    at once; the positions before them stay the start model's, so what its upper layers still find there, in
    the question for example, counts as recoverable.

    Source: arXiv 2605.24614. A value for each token is this project's own.

    Args:
        model: The unlearned model.
        start: The model before unlearning.
        retrained: The model that never saw the samples.
        samples: Samples with gold spans; others are left out.
        layers: Layers to patch, counted from 0; by default all, or 12 of them in deeper models.
        token_budget: Most tokens in one batch.
        progress: Called with samples done and in all.

    Raises:
        TokenUnlearnError: If the models differ in layers, width or tokens.
    """
    depth = len(decoder_layers(start.model))
    if layers is None:
        layers = sorted({round(x) for x in np.linspace(0, depth - 1, min(depth, MOST_LAYERS))})
    known = [sample for sample in samples if sample.span]
    encodings = start.encode_all(known)
    _check_alike(start, (model, retrained), known, encodings)
    gold = [
        [t for t, held in enumerate(e.holds(sample.span)) if held]
        for e, sample in zip(encodings, known, strict=True)
    ]
    indices = [i for i, places in enumerate(gold) if places]
    cuts = [_cut(encodings[i], gold[i][-1] + 1) for i in indices]
    maps: dict[int, DepthMap] = {}
    for group in batches_by_length([len(e) for e in cuts], token_budget):
        chosen = [indices[k] for k in group]
        positions = _Positions.of([cuts[k] for k in group], [gold[i] for i in chosen])
        nll, (lost, lost_retrained) = positions.losses(start, (model, retrained), layers)
        ends = np.cumsum([len(gold[i]) for i in chosen])[:-1]
        columns = (np.split(values, ends, axis=-1) for values in (nll, lost, lost_retrained))
        for i, own, ours, theirs in zip(chosen, *columns, strict=True):
            texts = tuple(encodings[i].response_texts[t] for t in gold[i])
            maps[i] = DepthMap(known[i].id, known[i].question, texts, tuple(layers), own, ours, theirs)
        if progress:
            progress(len(maps), len(indices))
    return [maps[i] for i in indices]


def _cut(encoding: Encoding, tokens: int) -> Encoding:
    """The prompt and the first response tokens: what comes later reaches none of them."""
    ids, prompt = encoding.input_ids, encoding.prompt_length
    return Encoding.of_ids(encoding.sample_id, ids[:prompt], ids[prompt : prompt + tokens])


def _check_alike(
    start: LoadedModel,
    others: Sequence[LoadedModel],
    samples: Sequence[Sample],
    encodings: Sequence[Encoding],
) -> None:
    def shape(lm: LoadedModel) -> tuple[int, int]:
        return len(decoder_layers(lm.model)), lm.model.config.get_text_config().hidden_size

    ids = [e.input_ids for e in encodings]
    for lm in others:
        if shape(lm) != shape(start):
            raise TokenUnlearnError(
                "Unlearning depth needs models of the same size: "
                f'"{start.name}" has {shape(start)[0]} layers of width {shape(start)[1]}, '
                f'"{lm.name}" {shape(lm)[0]} of width {shape(lm)[1]}.'
            )
        if [e.input_ids for e in lm.encode_all(samples)] != ids:
            raise TokenUnlearnError(
                f'Unlearning depth needs models that read the same tokens; "{start.name}" and "{lm.name}" '
                "read different ones."
            )


@dataclass(frozen=True)
class _Positions:
    """Where the gold tokens of a batch are predicted: N positions.

    Attributes:
        encodings: The batch.
        rows: (N,) their rows.
        places: (N,) their places in the rows.
        labels: (N,) ids of the gold tokens.
    """

    encodings: Sequence[Encoding]
    rows: torch.Tensor
    places: torch.Tensor
    labels: torch.Tensor

    @classmethod
    def of(cls, encodings: Sequence[Encoding], gold: Sequence[Sequence[int]]) -> _Positions:
        pairs = [(row, t) for row, tokens in enumerate(gold) for t in tokens]
        rows, tokens = torch.tensor(pairs).T
        batch = collate(encodings, 0)
        return cls(encodings, rows, batch.predictors[rows, tokens], batch.labels[rows, tokens])

    def losses(
        self, start: LoadedModel, others: Sequence[LoadedModel], layers: Sequence[int]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """(N,) NLL of the start model, and for each other model the (R, N) losses of patching, in nats."""
        batch = collate(self.encodings, start.pad_id, start.device)
        with recorded_layers(start.model) as own:
            nll = self._nll(start, batch)
        lost = []
        for lm in others:
            with recorded_layers(lm.model) as outputs:
                final_hidden(lm.model, *_inputs(collate(self.encodings, lm.pad_id, lm.device)))
            rows = []
            for layer in layers:
                states, same = self._at(outputs[layer]), self._at(own[layer])
                if torch.equal(states.to(same), same):  # nothing below was trained
                    rows.append(np.zeros_like(nll))
                    continue
                below = [*own[:layer], patched(own[layer], self.rows, self.places, states)]
                with replayed_layers(start.model, below):
                    rows.append(self._nll(start, batch) - nll)
            lost.append(np.stack(rows))
        return nll, lost

    def _nll(self, lm: LoadedModel, batch: Batch) -> np.ndarray:
        states = self._at(final_hidden(lm.model, *_inputs(batch)))
        return token_nll(output_head(lm.model)(states), self.labels.to(states.device)).double().cpu().numpy()

    def _at(self, output: LayerOutput) -> torch.Tensor:
        """(N, d) hidden states at the positions."""
        hidden = hidden_of(output)
        return hidden[self.rows.to(hidden.device), self.places.to(hidden.device)]


def _inputs(batch: Batch) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    return {"input_ids": batch.input_ids}, batch.attention_mask
