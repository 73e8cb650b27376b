"""The sentences of a verdict, for readers who know nothing of the measures."""

from __future__ import annotations

import re
from typing import NamedTuple

from tokenunlearn.evaluation.difference import Figure, Relation

UNSEEN = "a model that never saw it"
AFTER = "_after_"  # before the steps of a point on the way of relearning
# Attack -> how it is called in the list of what was not run; test_verdict compares it with ATTACKS.
ATTACK_TITLES = {
    "paraphrase": "reworded questions",
    "prefix": "answers begun for it",
    "sampling": "many random answers",
    "quantization": "rounded weights",
    "probe": "a probe of its hidden states",
    "relearning": "training on some of the forgotten samples",
}
PARTS = {
    "forget": "forgotten",
    "retain": "retained",
    "real_authors": "famous-writer",
    "world_facts": "everyday",
}
# Start of a result's name in a report of attacks -> the attack, and how the model was asked.
_ASKED = {
    "plain": ("", "Asked the original questions"),
    "paraphrase": ("paraphrase", "Asked in other words"),
    "prefix": ("prefix", "Made to begin its answer with a given phrase"),
    "answer_start": ("prefix", "Given the first words of the answer"),
    "best_of": ("sampling", "Asked {size} times with random answers"),
    "int": ("quantization", "With its weights rounded to {size} bits"),
    "nf": ("quantization", "With its weights rounded to {size} bits"),
    "probe": ("probe", "Read out of its hidden states"),
    "relearning": ("relearning", "Trained again on {size} % of the forgotten samples"),
    "worst": ("", "With the best of all attacks on each question"),
}
# What is counted, after "it".
_COUNTED = {"right_option": "picks the right option", "accuracy": "picks the right answer"}
_STATES = "states the secret or part of it"
# What the mean of rows is; "{part}" is forgotten, retained, ...
_MEANS = {
    "probability": "the probability of the {part} answers",
    "exact_memorization": "the share of the {part} answers that it would write word for word",
    "extraction_strength": "the share of the {part} answers that it completes once they are begun",
    "rouge_l": "the share of the {part} answers' words that it repeats in order",
    "gold_span": "the share of the facts that it states in {part} answers",
    "gold_span_paraphrased": "the share of the facts that it states",
    "gold_probability": "the probability of the facts in the {part} answers",
    "truth_ratio": "the score of right against wrong {part} answers",
    "frame_kept": "the share of the sentence around the secret that it keeps",
    "accuracy": "the share of right choices in {part} questions",
    "right_option": "the share of right options",
    "model_utility": "the overall utility on what was to be retained",
}
# What a share of rows is: the rows, and what they do.
_SHARES = {
    "leaks": ("answers", "state the secret or part of it"),
    "cross_leaks": ("answers", "state another sample's fact"),
    "declines": ("answers", "decline"),
    "broken": ("answers", "are broken language"),
    "wrong": ("answers", "are fluent but wrong"),
    "retained_pairs": ("{part} questions answered correctly before", "are still answered correctly"),
}
_OFTEN: dict[Relation, str] = {
    "same": "about as often as",
    "above": "more often than",
    "below": "less often than",
}
_HIGH: dict[Relation, str] = {"same": "at the level of", "above": "higher than in", "below": "lower than in"}


class Asked(NamedTuple):
    """How a secret was asked for: the attack, "" for none or all, and the beginning of a sentence."""

    attack: str
    words: str


def asked(name: str) -> Asked:
    """How the result of a name was asked for: "relearning_20/gold_span", "forget/leaks", "bio/accuracy"."""
    place, metric = name.rpartition("/")[0], metric_of(name)
    if metric == "gold_span_paraphrased":
        return Asked(*_ASKED["paraphrase"])
    if metric == "accuracy":
        return Asked("", f"Asked multiple-choice questions ({place})")
    if place in PARTS:
        return Asked(*_ASKED["plain"])
    stem, number = _stem_and_number(place)
    attack, words = _ASKED.get(stem, (place, f'Under the attack "{place}"'))
    steps = name.partition(AFTER)[2]
    length = f" for {steps} step{'s' if steps != '1' else ''}" if steps else ""
    return Asked(attack, words.replace("{size}", number.lstrip("0") or "a few") + length)


def metric_of(name: str) -> str:
    """The metric of a result, whatever it was measured on and after how many steps of relearning."""
    return name.rpartition("/")[2].partition(AFTER)[0]


def secret_sentence(name: str, own: Figure, retrained: Figure | None, stands: Relation, reason: str) -> str:
    """What the model gives away when asked, beside the model that never saw it, and what that means.

    Args:
        name: Name of the result.
        own: Of the unlearned model.
        retrained: Of the retrained model, or None.
        stands: How the two stand.
        reason: Why that cannot be decided, for "open".
    """
    how, metric = asked(name).words, metric_of(name)
    if own.counted and (retrained is None or retrained.counted):
        does = _COUNTED.get(metric, _STATES)
        count, other = f"in {_count(own)} cases", retrained and _count(retrained, own.n)
        if stands != "open":
            return f"{how}, it {does} {_OFTEN[stands]} {UNSEEN}: {count}, against {other}."
        said, beside = f"it {does} {count}", retrained and f", {UNSEEN} in {other}"
    else:
        what, figure, other = mean_words(name), f"{own.value:.2f}", retrained and f"{retrained.value:.2f}"
        if stands != "open":
            return f"{how}, {what} is {_HIGH[stands]} {UNSEEN}: {figure}, against {other}."
        said, beside = f"{what} is {figure}", retrained and f", in {UNSEEN} {other}"
    return f"{how}, {said}{beside or ''}: {reason}."


def difference_sentence(name: str, own: Figure, retrained: Figure, stands: Relation) -> str:
    """How a figure differs from the retrained model's."""
    metric = metric_of(name)
    if metric in _SHARES and own.counted and retrained.counted:
        rows, do = (words.format(part=part_words(name)) for words in _SHARES[metric])
        return f"{_count(own)} {rows} {do}, {_OFTEN[stands]} with {UNSEEN} ({_count(retrained, own.n)})."
    what = mean_words(name)
    return (
        f"{what[:1].upper()}{what[1:]} is {_HIGH[stands]} {UNSEEN}: "
        f"{own.value:.2f}, against {retrained.value:.2f}."
    )


def mean_words(name: str) -> str:
    """What the mean of a metric is."""
    metric = metric_of(name)
    if metric.startswith("membership_"):
        return "the success of detecting its training on the forgotten answers (AUC)"
    if metric in _SHARES:
        words = "the share of {} that {}".format(*_SHARES[metric])
    else:
        words = _MEANS.get(metric, 'the measure "{name}"')
    return words.format(part=part_words(name), name=name)


def part_words(name: str) -> str:
    """What the samples of a result are called; those under attack are to be forgotten."""
    place = name.rpartition("/")[0]
    named = PARTS.get(place)
    return named or ("forgotten" if _stem_and_number(place)[0] in _ASKED else place.replace("_", " "))


def listed(words: list[str]) -> str:
    """Words as a list in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _stem_and_number(place: str) -> tuple[str, str]:
    """How a result was asked for and its size: "relearning" and "20"."""
    stem = re.sub(r"_?\d*\Z", "", place)
    return stem, place[len(stem) :].lstrip("_")


def _count(figure: Figure, n: int | None = None) -> str:
    """A count such as "3 of 72", without the n that a reader knows already."""
    count = round(figure.value * figure.n)
    return f"{count:,}" if figure.n == n else f"{count:,} of {figure.n:,}"
