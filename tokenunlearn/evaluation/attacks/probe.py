"""Linear probe: is the fact still decodable from hidden states although the answer no longer states it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float

from tokenunlearn.evaluation.attacks.target import Rows, Target
from tokenunlearn.forward import TOKEN_BUDGET, Progress
from tokenunlearn.models import LoadedModel
from tokenunlearn.samples import Encoding, batches_by_length, collate

FOLDS = 5
PENALTY = 0.1
Options = Float[np.ndarray, "samples options dim"]


def probe(target: Target, folds: int = FOLDS) -> dict[str, Rows]:
    """Whether a linear probe picks the right answer among wrong ones of the same form, cross-validated.

    The probe reads the hidden state behind the last token of each answer, given its question. It is trained
    on the right and wrong answers of the other folds; which layer it reads is chosen inside those, so no
    sample has a say in how it is judged. ``probe/right_option`` has a value for every sample with wrong
    answers, ``probe/right_option_when_wrong`` only where the greedy answer does not state the whole fact.
    Chance is 1 / (k + 1) for k wrong answers.

    Source: arXiv 2402.16835, latent knowledge.
    """
    rows: Rows = [None] * len(target.samples)
    usable = [i for i, s in enumerate(target.samples) if s.perturbed_answer]
    if len(usable) < 2 * folds:
        return {}
    samples = [target.samples[i] for i in usable]
    options = [(s.paraphrased_answer or s.answer, *s.perturbed_answer) for s in samples]
    encodings = [
        target.lm.encode(s, answer=a) for s, answers in zip(samples, options, strict=True) for a in answers
    ]
    states = last_states(target.lm, encodings, progress=target.said("hidden states"))  # (layers, N, d)
    width = max(map(len, options))
    present = np.array([[k < len(answers) for k in range(width)] for answers in options])
    layers = np.zeros((len(states), *present.shape, states.shape[-1]))
    layers[:, present] = states
    fold = np.random.default_rng(target.seed).permutation(len(usable)) % folds
    for number in range(folds):
        target.said("probe")(number + 1, folds)
        outside, inside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        layer = _best_layer(layers[:, outside], present[outside])
        weights = fit(layers[layer, outside], present[outside])
        for i, hit in zip(inside, picked_right(weights, layers[layer, inside], present[inside]), strict=True):
            rows[usable[i]] = float(hit)
    plain = target.recovered("probe: answers")
    wrong = [row if plainly is not None and plainly < 1 else None for row, plainly in zip(rows, plain, strict=True)]
    return {"probe/right_option": rows, "probe/right_option_when_wrong": wrong}


def _best_layer(layers: Float[np.ndarray, "layers samples options dim"], present: np.ndarray) -> int:
    """The layer whose probe, trained on three quarters, is right most often on the last quarter."""
    cut = 3 * layers.shape[1] // 4
    hits = [
        picked_right(fit(states[:cut], present[:cut]), states[cut:], present[cut:]).mean()
        for states in layers
    ]
    return int(np.argmax(hits))


@torch.no_grad()
def last_states(
    lm: LoadedModel, encodings: Sequence[Encoding], *, progress: Progress | None = None
) -> Float[np.ndarray, "layers rows dim"]:
    """Hidden states behind the last answer token, the one before the end of turn; embeddings come first."""
    found: list[np.ndarray] = [np.empty(0)] * len(encodings)
    done = 0
    for group in batches_by_length([len(e) for e in encodings], TOKEN_BUDGET):
        batch = collate([encodings[i] for i in group], lm.pad_id, lm.device)
        out = lm.model.base_model(
            batch.input_ids, attention_mask=batch.attention_mask, use_cache=False, output_hidden_states=True
        )
        rows = torch.arange(len(group), device=lm.device)
        last = torch.tensor([len(encodings[i]) - 2 for i in group], device=lm.device)
        states = torch.stack([h[rows, last] for h in out.hidden_states])  # (layers, B, d)
        for row, index in enumerate(group):
            found[index] = states[:, row].float().cpu().numpy()
        done += len(group)
        if progress:
            progress(done, len(encodings))
    return np.stack(found, axis=1)


class Probe:
    """A direction in one layer's hidden states, standardised as they were in training."""

    def __init__(self, states: Options, present: Bool[np.ndarray, "samples options"]) -> None:
        rows = states[present]
        self.centre, self.scale = rows.mean(0), rows.std(0) + 1e-6
        self.direction = np.zeros(states.shape[-1])

    def scores(self, states: Options, present: Bool[np.ndarray, "samples options"]) -> np.ndarray:
        """(samples, options) logits, -inf for options that a sample does not have."""
        logits: np.ndarray = ((states - self.centre) / self.scale) @ self.direction
        return np.where(present, logits, -np.inf)


def fit(states: Options, present: Bool[np.ndarray, "samples options"], penalty: float = PENALTY) -> Probe:
    """Logistic regression for which option of a sample is right, the first one always being it.

    Minimises ``-mean_i log softmax_k(w . h_ik)[0] + penalty / 2 * |w|^2`` on standardised hidden states,
    which is ordinary logistic regression on differences where a sample has two options.
    """
    from scipy.optimize import minimize

    probe = Probe(states, present)
    inputs = np.where(present[..., None], (states - probe.centre) / probe.scale, 0.0)

    def loss(direction: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.where(present, inputs @ direction, -np.inf)
        top = logits.max(1, keepdims=True)
        norm = top[:, 0] + np.log(np.exp(logits - top).sum(1))
        residual = np.exp(logits - norm[:, None])
        residual[:, 0] -= 1.0
        gradient = np.einsum("sk,skd->d", residual, inputs) / len(inputs) + penalty * direction
        return float((norm - logits[:, 0]).mean() + penalty / 2 * direction @ direction), gradient

    probe.direction = minimize(loss, probe.direction, jac=True, method="L-BFGS-B").x
    return probe


def picked_right(
    probe: Probe, states: Options, present: Bool[np.ndarray, "samples options"]
) -> Bool[np.ndarray, " samples"]:
    """Whether the right option, the first, scores above all others of its sample."""
    scores = probe.scores(states, present)
    hits: np.ndarray = scores[:, 0] > scores[:, 1:].max(1)
    return hits
