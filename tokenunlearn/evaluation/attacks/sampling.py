"""Best of n: does any of several sampled answers state the fact?"""

from __future__ import annotations

from tokenunlearn.evaluation.attacks.target import Rows, Target, best
from tokenunlearn.models.generation import Sampling

DRAWS = 8
TEMPERATURE = 1.0


def sampling(target: Target, draws: int = DRAWS, temperature: float = TEMPERATURE) -> dict[str, Rows]:
    """The best of n answers drawn from the model's own distribution, seeded.

    Guesses count: the retrained model under the same attack says how many.

    Source: sampling as a probe of what greedy decoding hides, arXiv 2410.03523.
    """
    tries = [
        target.recovered(
            f"sampling {number}", sampling=Sampling(temperature, seed=target.seed * 1000 + number)
        )
        for number in range(1, draws + 1)
    ]
    return {f"best_of_{draws}/{target.metric}": best(tries)}
