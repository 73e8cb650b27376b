"""Names and titles taken whole: what joins, and what must not."""

from __future__ import annotations

import pytest

from tokenunlearn.attribution.phrases import is_cased, is_name, phrases
from tokenunlearn.datasets.samples import word_spans


def joined(text: str, *, titles: bool = False, apart: tuple[str, ...] = ()) -> list[str]:
    """The phrases of a text that have more than one word."""
    words = word_spans(text)
    numbers = phrases(text, words, [text[a:b] in apart for a, b in words], titles=titles)
    several = [n for n in dict.fromkeys(numbers) if numbers.count(n) > 1]
    ends = {n: [w for w, m in zip(words, numbers, strict=True) if m == n] for n in several}
    return [text[spans[0][0] : spans[-1][1]] for spans in ends.values()]


@pytest.mark.parametrize(
    ("text", "names", "titles"),
    [
        ("born to Ada Lee-Moor", ["Ada Lee-Moor"], ["Ada Lee-Moor"]),
        ("on 18 March 1956 she", ["18 March 1956"], ["18 March 1956"]),
        ("called Tales of the North", [], ["Tales of the North"]),
        ("in Lima, Peru", [], ["Lima, Peru"]),
        ("met Ada. Lee left", [], []),
        ("saw Ada (Lee too)", [], []),
        ("Ada knows the Lee", [], []),  # "knows" is no short word
        ("a b c", [], []),
        ("老舍写了书", [], []),  # a script without capitals has no names to join
        ("", [], []),
    ],
)
def test_what_is_taken_whole(text, names, titles):
    assert joined(text) == names
    assert joined(text, titles=True) == titles


def test_words_of_the_question_never_join():
    assert joined("by Ada Lee Moor", apart=("Ada",)) == ["Lee Moor"]


@pytest.mark.parametrize(
    ("word", "name", "cased"),
    [("Ada", True, True), ("iPhone", True, True), ("7b", True, True), ("ada", False, True)],
)
def test_names(word, name, cased):
    assert (is_name(word), is_cased(word)) == (name, cased)
    assert (is_name("老"), is_cased("老")) == (False, False)
