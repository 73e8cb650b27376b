"""A judge with an independent language model: how unlikely it finds an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.judges.word_forms import repeats

if TYPE_CHECKING:
    from tokenunlearn.models.forward import Progress
    from tokenunlearn.models.loaded_model import LoadedModel

# Characters that are read, the last of a question and the first of an answer. At up to four tokens each they
# fit SmolLM2's context of 8,192 tokens in any script.
QUESTION, ANSWER = 700, 1_300


class Perplexity:
    """Mean token NLL of an answer to its question under a model that took no part in the unlearning, in nats.

    A model finds repetition likely, so each run of three tokens that has occurred before is charged log V, V
    being the size of the vocabulary, as a token drawn at random would be. Of a long question only the end is
    read, of a long answer the beginning.

    Args:
        model: The judging model.
        progress: Called with the answers that are read and their number.
    """

    def __init__(self, model: LoadedModel, progress: Progress | None = None) -> None:
        self.name = model.name
        self.model, self.progress = model, progress

    def oddness(self, samples: Sequence[Sample], answers: Sequence[str]) -> Float[np.ndarray, " rows"]:
        """(rows,) nats per token."""
        from tokenunlearn.models.forward import response_nll

        encodings = [
            self.model.encode(Sample(s.id, s.question[-QUESTION:], s.answer), answer=a[:ANSWER])
            for s, a in zip(samples, answers, strict=True)
        ]
        charge = math.log(len(self.model.tokenizer))
        nlls = response_nll(self.model, encodings, progress=self.progress)
        return np.array(
            [
                (nll.sum().item() + charge * repeats([str(i) for i in e.input_ids[e.prompt_length :]]))
                / len(nll)
                for nll, e in zip(nlls, encodings, strict=True)
            ]
        )
