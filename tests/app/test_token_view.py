"""The response as tinted text: every token as text, tint and marks as the scores say."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

from app.token_view import legend_html, response_html, shade, visible


class Page(HTMLParser):
    """Tags, and the text a reader sees: without styles and without what only hovering shows."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.tips, self._open = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._open.append(attributes.get("class") or tag)

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        if "style" not in self._open:
            (self.tips if "tip" in self._open else self.text).append(data)

    def tokens(self):
        return [a for tag, a in self.tags if tag == "span" and (a.get("class") or "").startswith("tok")]


def page(texts, **changes):
    n = len(texts)
    given = {"strengths": [0.5] * n, "selected": [False] * n, "details": [{}] * n} | changes
    return Page(response_html(texts, **given))


def test_visible():
    assert visible(" a b") == "␣a␣b"
    assert visible("\n\t") == "↵⇥"
    assert visible("") == "∅"
    assert visible("größer") == "größer"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0, 1, 2], [0, 0.5, 1]),
        ([3, 3], [1, 1]),
        ([0, 0], [0, 0]),
        ([-1, -5], [0, 0]),
        ([-1, 4], [0, 1]),
        ([np.nan, 2, np.inf], [0, 1, 0]),
        ([np.nan, np.nan], [0, 0]),
        ([], []),
    ],
)
def test_shade(scores, expected):
    assert np.allclose(shade(scores), expected)


HOSTILE = [
    "<script>alert(1)</script>",
    "</span></div>",
    '" onmouseover="alert(1)',
    "<img src=x onerror=alert(1)>",
    "$x$",
    ":red[x]",
    "&lt;",
    "<|end|>",
]


def test_untrusted_text_is_shown_as_it_is_and_adds_no_tag():
    details = [{"token": text, text: "value"} for text in HOSTILE]
    shown = page(HOSTILE, details=details)
    plain = page(["a"] * len(HOSTILE), details=[{"token": "a", "b": "value"}] * len(HOSTILE))
    assert [tag for tag, _ in shown.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(a) for _, a in shown.tags] == [sorted(a) for _, a in plain.tags]
    text = "".join(shown.text)
    assert all(token in text for token in HOSTILE)
    assert "<b>score</b>" in "".join(Page(legend_html("<b>score</b>")).text)
    assert all(token in "".join(shown.tips) for token in HOSTILE)


def test_the_answer_reads_as_it_is():
    shown = page(["Ada", " Miller", " lives\n", "<|end|>"])
    assert "".join(shown.text).startswith("Ada Miller lives\n")


def test_selection_and_gold_span_are_marked_by_more_than_color():
    shown = page(["a", "b", "c"], selected=[True, False, False], gold=np.array([False, True, False]))
    assert [token["class"] for token in shown.tokens()] == ["tok sel", "tok gold", "tok special"]
    assert "gold span" in legend_html("score")


def test_tint_follows_the_strength_and_tokens_can_be_focused():
    strengths = [0.0, 0.5, 1.0]
    tokens = page(["a", "b", "c"], strengths=strengths).tokens()
    tint = [float(t["style"].rstrip(")").split(",")[-1]) for t in tokens]
    assert tint[0] == 0
    assert tint[1] == pytest.approx(tint[2] / 2)
    assert 0.4 < tint[2] < 1
    assert all(token["tabindex"] == "0" for token in tokens)


def test_hovering_shows_every_detail_in_a_column():
    shown = page(["a", "b"], details=[{"id": "7", "entropy": "0.1 nats"}, {"id": "8"}])
    assert shown.tips == ["id       7\nentropy  0.1 nats", "id  8"]
