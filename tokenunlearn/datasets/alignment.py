"""Gold spans for data that has none: which words state the fact, read off wrong answers of the same form."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from tokenunlearn.datasets.samples import Span, word_spans


def replaced_words(text: str, perturbed: Sequence[str]) -> list[Span]:
    """Character ranges of the words of a text that most of its perturbed forms replace or leave out.

    Words are compared without regard to case, aligned by the longest matching blocks of each pair of texts.

    >>> replaced_words("He is a chef.", ["He is a nurse.", "He is a smith.", "He was a chef."])
    [(8, 12)]
    """
    spans = word_spans(text)
    words = _words(text)
    replaced = [0] * len(words)
    for other in perturbed:
        aligned = SequenceMatcher(a=words, b=_words(other), autojunk=False)
        aligned_words = {block.a + i for block in aligned.get_matching_blocks() for i in range(block.size)}
        for i in range(len(words)):
            replaced[i] += i not in aligned_words
    return [span for span, count in zip(spans, replaced, strict=True) if 2 * count > len(perturbed)]


def aligned_spans(question: str, answer: str, paraphrased: str, perturbed: Sequence[str]) -> tuple[Span, ...]:
    """Gold character ranges of an answer's fact: words its paraphrase keeps and most wrong answers replace.

    A word of the answer counts where the paraphrase has it too, most perturbed forms of the paraphrase
    replace it there and have it nowhere else, the question does not say it, and it is no short word in lower
    case, as function words are. Words between two such words count if they are replaced there ("Scales of
    Justice"); neighbors form one range.

    These are labels to compare signals by, made without reading: a fact that the paraphrase says in another
    word ("engineering" for "engineer") is missed.

    Args:
        question: The question.
        answer: The answer.
        paraphrased: The same in other words; may be the answer itself.
        perturbed: The paraphrase with another fact, several times.

    >>> aligned_spans("Who is he?", "A chef is he.", "He is a chef.", ["He is a nurse.", "He is a smith."])
    ((2, 6),)
    """
    replaced = {paraphrased[start:end].casefold() for start, end in replaced_words(paraphrased, perturbed)}
    bags = [set(_words(other)) for other in perturbed]
    said = set(_words(question))
    facts = {word for word in replaced - said if 2 * sum(word not in bag for bag in bags) > len(perturbed)}
    spans = word_spans(answer)
    words = _words(answer)
    gold = [i for i, (a, b) in enumerate(spans) if words[i] in facts and not _short(answer[a:b])]
    for first, last in pairwise(gold[:]):
        between, gap = range(first + 1, last), answer[spans[first][1] : spans[last][0]]
        if all(words[i] in replaced for i in between) and _one_phrase(gap):
            gold.extend(between)
    return _joined([spans[i] for i in sorted(gold)], answer)


def _short(word: str) -> bool:
    """Whether a word is of at most three small letters, in a script that has capitals."""
    return len(word) <= 3 and word != word.upper() and word == word.lower()


def _one_phrase(text: str) -> bool:
    return not set(text) & set(".;!?\"“”'")


def _joined(spans: Sequence[Span], text: str) -> tuple[Span, ...]:
    """Ranges with neighbors made one where at most a blank, a hyphen or an apostrophe stands between them."""
    result: list[Span] = []
    for start, end in spans:
        if result and text[result[-1][1] : start] in ("", " ", "-", "'", "’"):
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return tuple(result)


def _words(text: str) -> list[str]:
    return [text[start:end].casefold() for start, end in word_spans(text)]
