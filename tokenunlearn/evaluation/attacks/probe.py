"""Linear probe: is the fact still decodable from hidden states although the answer no longer states it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from tokenunlearn.datasets.samples import Sample, overlaps
from tokenunlearn.evaluation.attacks.target import Rows, Target
from tokenunlearn.models.encoding import batches_by_length
from tokenunlearn.models.forward import TOKEN_BUDGET, Progress
from tokenunlearn.models.loaded_model import LoadedModel

FOLDS = 5
PENALTY = 0.01
# Variance of the weight of the plain cosine against that of every other direction of the probe.
LENS_PRIOR = 100.0


@dataclass(frozen=True)
class Question:
    """What the probe is asked about one sample.

    Attributes:
        ids: Prompt and the words that all options begin with; the probe reads the hidden state behind it.
        options: Ids of the token that comes next, the right option's first, each once.
    """

    ids: tuple[int, ...]
    options: tuple[int, ...]


def probe(target: Target, folds: int = FOLDS) -> dict[str, Rows]:
    """Whether a linear probe tells the right answer from wrong ones before it is written, cross-validated.

    The probe reads the hidden state where the right and the wrong answers of a sample part, and says which of
    the tokens that follow is right. It is trained on the other folds; which layer it reads is chosen inside
    those, so no sample has a say in how it is judged. ``probe/right_option`` has a value for every sample
    with wrong answers that part in their first differing token, ``probe/right_option_when_wrong`` only where
    the greedy answer does not state the whole fact, ``probe/chance`` 1 over the number of options.

    Source: arXiv 2402.16835, latent knowledge, with the probe a linear map to the output embeddings.
    """
    questions_of = {i: q for i, s in enumerate(target.samples) if (q := parting(target.lm, s)) is not None}
    if len(questions_of) < 2 * folds:
        return {}
    questions = list(questions_of.values())
    states = hidden_states(target.lm, [q.ids for q in questions], progress=target.said("hidden states"))
    options, present = option_embeddings(target.lm, [q.options for q in questions])
    fold = np.random.default_rng(target.seed).permutation(len(questions_of)) % folds
    right = np.zeros(len(questions_of))
    for number in range(folds):
        outside, inside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        layer = _best_layer(states[:, outside], options[outside], present[outside])
        fitted = LinearProbe(states[layer, outside], options[outside], present[outside])
        right[inside] = fitted.picks_right(states[layer, inside], options[inside], present[inside])
        target.said("probe")(number + 1, folds)
    rows: Rows = [None] * len(target.samples)
    chance: Rows = list(rows)
    for i, question, hit in zip(questions_of, questions, right, strict=True):
        rows[i], chance[i] = float(hit), 1.0 / len(question.options)
    plain = target.recovered("probe: answers")
    wrong = [None if said is None or said == 1 else row for row, said in zip(rows, plain, strict=True)]
    return {"probe/right_option": rows, "probe/right_option_when_wrong": wrong, "probe/chance": chance}


def parting(lm: LoadedModel, sample: Sample) -> Question | None:
    """Where a sample's right and wrong answers part, or None without a wrong one that ever differs.

    The options are the first tokens in which the paraphrased answer and the wrong ones, written in its form,
    differ. The state is read where the sample's own answer writes the right option, within its gold spans
    where it has some; where it never does, behind what the options have in common.
    """
    answers = (sample.paraphrased_answer or sample.answer, *sample.perturbed_answer)
    encodings = [lm.encode(sample, answer=answer) for answer in answers]
    shortest = min(map(len, encodings))
    same = next((i for i in range(shortest) if len({e.input_ids[i] for e in encodings}) > 1), shortest)
    options = tuple(dict.fromkeys(e.input_ids[same] for e in encodings if same < len(e)))
    if len(options) < 2:
        return None
    own = lm.encode(sample)
    for place, offset in enumerate(own.answer_offsets, start=own.prompt_length):
        if own.input_ids[place] == options[0] and (not sample.span or overlaps(offset, sample.span)):
            return Question(own.input_ids[:place], options)
    return Question(encodings[0].input_ids[:same], options)


def _best_layer(
    states: Float[np.ndarray, "layers samples dim"],
    options: Float[np.ndarray, "samples options dim"],
    present: Bool[np.ndarray, "samples options"],
) -> int:
    """The layer whose probe, trained on three quarters, is right most often on the last quarter."""
    cut = 3 * states.shape[1] // 4
    hits = [
        LinearProbe(layer[:cut], options[:cut], present[:cut])
        .picks_right(layer[cut:], options[cut:], present[cut:])
        .mean()
        for layer in states
    ]
    return len(hits) - 1 - int(np.argmax(hits[::-1]))


@torch.no_grad()
def hidden_states(
    lm: LoadedModel, prompts: Sequence[Sequence[int]], *, progress: Progress | None = None
) -> Float[np.ndarray, "layers rows dim"]:
    """Hidden states behind the last token of each text of token ids; the embeddings come first."""
    states_of: list[np.ndarray] = [np.empty(0)] * len(prompts)
    done = 0
    for group in batches_by_length([len(p) for p in prompts], TOKEN_BUDGET):
        size = max(len(prompts[i]) for i in group)
        ids = torch.full((len(group), size), lm.pad_id)
        mask = torch.zeros((len(group), size), dtype=torch.long)
        for row, i in enumerate(group):
            ids[row, : len(prompts[i])] = torch.tensor(prompts[i])
            mask[row, : len(prompts[i])] = 1
        out = lm.model.base_model(
            ids.to(lm.device), attention_mask=mask.to(lm.device), use_cache=False, output_hidden_states=True
        )
        for row, i in enumerate(group):
            states = [layer[row, len(prompts[i]) - 1] for layer in out.hidden_states]
            states_of[i] = torch.stack(states).float().cpu().numpy()
        done += len(group)
        if progress:
            progress(done, len(prompts))
    return np.stack(states_of, axis=1).astype(float)


def option_embeddings(
    lm: LoadedModel, options: Sequence[Sequence[int]]
) -> tuple[Float[np.ndarray, "samples options dim"], Bool[np.ndarray, "samples options"]]:
    """Output embeddings of the options of each sample, and which of them exist."""
    present = np.arange(max(map(len, options))) < np.array([[len(o)] for o in options])
    matrix = lm.model.get_output_embeddings().weight.detach()
    table = np.zeros((*present.shape, matrix.shape[1]))
    ids = torch.tensor([i for o in options for i in o], device=matrix.device)
    table[present] = matrix[ids].float().cpu().numpy()
    return table, present


class LinearProbe:
    """A linear map from hidden states to output embeddings that makes the right option's the likeliest.

    The logit of option k of sample i is ``w * (h_i . u_ik) + h_i' D u_ik`` for centered states h and
    embeddings u of length 1; the first option is the right one. Minimizes the mean cross-entropy over a
    sample's options plus ``penalty / 2 * (|D|^2 + w^2 / LENS_PRIOR)``: logistic regression, solved in its
    dual, whose size is the number of options and not of weights.
    """

    def __init__(
        self,
        states: Float[np.ndarray, "samples dim"],
        options: Float[np.ndarray, "samples options dim"],
        present: Bool[np.ndarray, "samples options"],
        penalty: float = PENALTY,
    ) -> None:
        from scipy.optimize import minimize

        self.centers = states.mean(0), options[present].mean(0)
        self.known = self._features(states, options, present)
        kernel = self._kernel(self.known)
        sample = np.nonzero(present)[0]
        target = np.zeros(present.shape)
        target[:, 0] = 1.0

        def loss(dual: np.ndarray) -> tuple[float, np.ndarray]:
            scores = np.full(present.shape, -np.inf)
            scores[present] = kernel @ dual
            top = scores.max(1, keepdims=True)
            norm = top[:, 0] + np.log(np.exp(scores - top).sum(1))
            residual = (np.exp(scores - norm[:, None]) - target)[present] / len(present)
            value = (norm - scores[:, 0]).mean() + penalty / 2 * dual @ kernel @ dual
            return float(value), kernel @ (residual + penalty * dual)

        self.dual = minimize(loss, np.zeros(len(sample)), jac=True, method="L-BFGS-B").x

    def picks_right(
        self,
        states: Float[np.ndarray, "samples dim"],
        options: Float[np.ndarray, "samples options dim"],
        present: Bool[np.ndarray, "samples options"],
    ) -> Bool[np.ndarray, " samples"]:
        """Whether the first option of each sample scores above all its others."""
        scores = np.full(present.shape, -np.inf)
        scores[present] = self._kernel(self._features(states, options, present)) @ self.dual
        hits: np.ndarray = scores[:, 0] > scores[:, 1:].max(1)
        return hits

    def _features(
        self, states: np.ndarray, options: np.ndarray, present: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """State and embedding of every option that exists, centered and of length 1; (pairs, dim) each."""
        sample = np.nonzero(present)[0]
        return _unit(states - self.centers[0])[sample], _unit(options[present] - self.centers[1])

    def _kernel(self, rows: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """(rows, known) inner products of ``h u'`` and of the plain cosine."""
        (h, u), (known_h, known_u) = rows, self.known
        lens = np.outer((h * u).sum(1), (known_h * known_u).sum(1))
        product: np.ndarray = (h @ known_h.T) * (u @ known_u.T) + LENS_PRIOR * lens
        return product


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
