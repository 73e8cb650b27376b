"""Score sets made of chosen numbers, for tests of what is drawn from them."""

from __future__ import annotations

import numpy as np

from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.sample_scores import SampleScores
from tokenunlearn.attribution.score_set import ScoreSet


def word(number: int) -> str:
    """A word in lower case for each number: a run of names would be taken as one."""
    return "w" + "".join("abcdefghij"[int(digit)] for digit in str(number))


def sample(knowledge, entropy, copied=None, texts=None, name="s0", contexts=1, gold=()) -> SampleScores:
    """A sample whose first context costs each token ``knowledge`` nats; ``texts`` must join to the answer."""
    time = len(knowledge)
    texts = texts or [("" if t % 3 == 1 else " ") + word(t) for t in range(time - 1)] + ["<|end|>"]
    ends = np.cumsum([len(t) for t in texts[:-1]]).tolist()
    offsets = [*zip([0, *ends], ends, strict=False), (ends[-1] if ends else 0,) * 2]
    losses = np.zeros((contexts, time), dtype=np.float32)
    losses[0] = knowledge
    return SampleScores(
        sample_id=name,
        question=f"Question {name}?",
        answer="".join(texts[:-1]),
        span=tuple(offsets[t] for t in gold),
        prompt_texts=("Question",),
        texts=tuple(texts),
        token_ids=tuple(range(time)),
        offsets=tuple(offsets),
        nll=np.linspace(0.1, 3, time, dtype=np.float32),
        entropy=np.asarray(entropy, dtype=np.float32),
        tail_entropy=np.asarray(entropy, dtype=np.float32)[::-1].copy(),
        contexts=tuple(f"context {c}" for c in range(contexts)),
        losses=losses,
        copied=np.zeros(time, bool) if copied is None else np.asarray(copied, bool),
    )


def score_set(samples, **settings) -> ScoreSet:
    """A score set of those samples."""
    return ScoreSet(tuple(samples), "test", "tiny", "0" * 16, {}, ImportanceSettings(**settings))
