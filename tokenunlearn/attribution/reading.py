"""How entropy is read: where a model hesitates, or where a recited answer leaves room. Pure numpy.

A model that knows many answers of one form hesitates where they differ, and there alone: its entropies fall
into two groups. A model that recites free text by heart is certain everywhere: its entropies are one
featureless hump, and which of them is larger says little. Flattened by a high temperature, its predictions
still tell a place where much could stand from one where little could.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Reading = Literal["auto", "sharp", "tail", "plain"]
# The temperature at which the entropies of a recited answer still differ.
TAIL_TEMPERATURE = 4.0

# Share of the variance that two groups must explain before the entropies count as two groups. One hump
# explains less, whatever its form: 0.64 normal, 0.65 exponential, 0.55 lognormal.
TWO_GROUPS = 2 / 3
# What a word that repeats the question counts. A hesitating model repeats without hesitation, so there the
# guard may leave a little: a question that offers a choice holds the secret.
REPEATED = {"sharp": 0.3, "tail": 0.0, "plain": 1.0}
# What a word without capital letter or digit counts: in recited text, where the entropies tell least, names
# help.
LOWER_CASE = {"sharp": 1.0, "tail": 0.6, "plain": 1.0}
# Share of a set's tokens that is selected where the entropies do not fall into two groups. The scores order
# tokens less surely there: the 15 % highest, about as many as are gold in TOFU, miss a third of its facts.
TAIL_SHARE = 0.3
# In the other reading, tokens selected for each token of a word at which the model hesitates, and the share
# of a set's tokens that is selected even where it hesitates at fewer.
MARGIN = 1.25
LEAST_SHARE = 0.15


def separability(values: np.ndarray) -> tuple[float, float]:
    """The split in two groups that explains most of the variance: that share, 0..1, and the split.

    The split is the smallest value of the upper group. Constant values explain nothing: (0, that value);
    without values (0, 0). NaN is left out.

    Source: Otsu 1979, "A threshold selection method from gray-level histograms", on the values themselves.
    """
    values = np.sort(values[np.isfinite(values)].astype(np.float64))
    if not values.size or values[0] == values[-1]:
        return 0.0, float(values[0]) if values.size else 0.0
    n = len(values)
    below = np.arange(1, n)
    sums = np.cumsum(values - values.mean())[:-1]  # of the lower group, from the mean
    between = sums**2 / (below * (n - below))  # variance between the groups
    between[values[1:] == values[:-1]] = -1.0  # equal values stay together
    best = int(between.argmax())
    return float(between[best] / values.var()), float(values[best + 1])


def word_totals(
    scores: Sequence[np.ndarray], words: Sequence[np.ndarray], counts: Sequence[np.ndarray]
) -> np.ndarray:
    """(W,) summed scores of all words of a set that have a token that counts.

    Args:
        scores: (T_i,) a score of each sample's tokens.
        words: (T_i,) number of the word that each token belongs to.
        counts: (T_i,) bool, tokens that count.
    """
    totals = [np.bincount(w[c], s[c])[np.unique(w[c])] for s, w, c in zip(scores, words, counts, strict=True)]
    return np.concatenate([*totals, np.empty(0)])


def choose_reading(entropies: np.ndarray) -> Reading:
    """The reading that words ask for: "sharp" where their entropies fall into two groups, else "tail".

    Args:
        entropies: (W,) entropy at temperature 1 of the words that do not repeat the question, in nats.
    """
    share, _ = separability(entropies)
    return "sharp" if share > TWO_GROUPS else "tail"


def hesitation_split(entropies: np.ndarray) -> float:
    """Entropy from which on a model hesitates at a word, in nats: where ``log(1 + entropy)`` splits best.

    The logarithm keeps a few very uncertain words from being a group of their own.

    Args:
        entropies: (W,) entropy at temperature 1 of the words that do not repeat the question, in nats.
    """
    _, split = separability(np.log1p(entropies))
    upper = entropies[np.log1p(entropies) >= split]
    return float(upper.min(initial=np.inf))
