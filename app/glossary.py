"""The words of this field in plain sentences: as help beside the labels where they stand, and in the docs."""

from __future__ import annotations

GLOSSARY = {
    "alternative": (
        "What the model would say in place of a token if it did not know whom the question is about, for "
        "example another town. A forget loss can train the model to say it, so that sentences stay whole."
    ),
    "AltNPO": (
        "NPO together with the alternative: the answer becomes less probable, and something of the same "
        "kind takes its place."
    ),
    "complement": (
        "A forget loss: in place of each selected token the model learns what it would say there if it "
        "could not say that token. The target is fixed, so forgetting ends by itself."
    ),
    "copy guard": (
        "Tokens that only repeat the question look important although they are not secret; the guard "
        "lowers their importance."
    ),
    "entropy": (
        "How uncertain the model is about the next token, in nats: 0 if it is sure of one token, higher "
        "if many tokens are possible."
    ),
    "forget set": "The samples, questions with answers, that the model must no longer know.",
    "gold span": (
        "The part of an answer that states the fact. Evaluation and display use it, and learned selectors "
        "are fitted on it; scores and losses never read it."
    ),
    "holdout": (
        "Samples that the model never saw, of the same form as the forget set: they show what not knowing "
        "looks like."
    ),
    "importance": "A score from 0 to 1 that says how much of the secret a token carries.",
    "KL": (
        "Kullback-Leibler divergence: how far the model's predictions have moved from those of the start "
        "model, in nats; 0 if they are equal. As the retain loss, it keeps answers on retained samples as"
        " they were."
    ),
    "lambda": "Strength of the retain loss: the higher, the more is retained and the slower it forgets.",
    "level": (
        "How surprising the answers are to a model that never saw them, in nats per token: forgetting should "
        "reach this level and not go beyond it."
    ),
    "masking": (
        "Hiding words from the model to see how much less probable an answer's token becomes. Tokens that"
        " depend on the hidden words carry knowledge about them."
    ),
    "mix": "How masking and entropy are combined: 0 takes only entropy, 1 only masking.",
    "nats": (
        "Unit of surprise, with the natural logarithm. A token of probability p has -log p nats: 0.7 nats"
        " are 50 %, 2.3 are 10 %, 4.6 are 1 %."
    ),
    "NLL": (
        "Negative log-likelihood: how surprised the model is by the true tokens, in nats per token. It "
        "rises when an answer is forgotten."
    ),
    "NPO": (
        "Negative preference optimization: a forget loss that makes an answer less probable and fades out"
        " as it succeeds, so that the model is not destroyed."
    ),
    "objective": (
        "The forget loss: what is unlearned on the forget set, and how. AltNPO is the recommended one."
    ),
    "override": "A token that a person forced in or out; it wins over every rule.",
    "retained samples": (
        "Samples that the model must still know afterwards; the retain loss holds it in place on them."
    ),
    "retrained": (
        "A model trained in the same way without the forget set: what perfect unlearning would give."
    ),
    "regularizer": "The retain loss: what holds the model in place on the retained samples.",
    "rule": (
        "What turns importance into weights: hard takes the most important tokens, soft weights all of "
        "them by importance, uniform treats all alike."
    ),
    "steps": "How often the weights of the model are updated.",
    "temperature": (
        "How evenly soft weights are spread over an answer: near 0 the most important token gets "
        "everything, at high values all tokens get the same."
    ),
    "threshold": "Lowest importance of a selected token: the higher, the fewer tokens are unlearned.",
    "token": "A piece of text as the model reads it: a word, a part of a word or a character.",
    "utility": (
        "How well the model still answers everything else, from 0 to 1: the harmonic mean of several "
        "scores on retained samples."
    ),
    "verdict": (
        "What the evaluation supports saying: whether the secret is gone, hidden or still there, and what"
        " was not tested."
    ),
    "weight": (
        "How strongly a token is unlearned: 0 leaves it alone; the weights of an answer have mean 1, or "
        "are 0 and 1 in hard selection."
    ),
}


def meaning(*terms: str, after: str = "") -> str:
    """What terms mean, as the help of a label.

    Args:
        terms: Keys of the glossary.
        after: Help that stands before the meanings.
    """
    meanings = [f"**{_title(term)}**: {GLOSSARY[term]}" for term in terms]
    return "\n\n".join([*filter(None, [after]), *meanings])


def page() -> str:
    """The docs page ``docs/glossary.md``."""
    rows = [f"| {_title(term)} | {GLOSSARY[term]} |" for term in sorted(GLOSSARY, key=str.lower)]
    head = "# Glossary\n\nThe words of the app, as it explains them next to its labels (`app/glossary.py`)."
    return "\n".join([head, "", "| word | meaning |", "|---|---|", *rows, ""])


def _title(term: str) -> str:
    return term[0].upper() + term[1:]
