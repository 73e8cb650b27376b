"""Slides as HTML that fills a screen of any size; every text is escaped.

All lengths are multiples of u, a hundredth of the width of the largest 16:9 area of the screen, so that a
slide looks the same on every projector. It is 100 x 56.25 of them; its text is never smaller than SMALLEST.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from math import ceil, sqrt
from pathlib import Path
from textwrap import wrap
from unicodedata import east_asian_width

from app.present.slides import Attempt, Count, Counts, Exchange, Piece, Quote, Slide
from tokenunlearn.notebook import TINT

SMALLEST, LARGEST = 1.9, 3.4  # type of examples and lists, in u
LINE = 1.35  # height of a line
TITLE, COVER_TITLE = 4.6, 7.4
LETTER = 0.52  # width of a letter of its type, with its share of what wrapping leaves empty
WRAPPED_LETTER = 0.46  # the same without
STYLE = f"<style>{Path(__file__).with_name('present.css').read_text(encoding='utf-8')}</style>"


def deck_html(slides: Sequence[Slide], number: int) -> str:
    """The slide in view as safe HTML, and all slides for the printer.

    On the screen the chat takes the place of the questions to begin with.
    """
    shown = slides[number]
    if shown.key == "ask":
        shown = replace(shown, lead="", points=())
    paper = "".join(slide_html(slide) for slide in slides)
    return f'{STYLE}{slide_html(shown, f"sl {shown.key}")}<div class="paper" aria-hidden="true">{paper}</div>'


def slide_html(slide: Slide, classes: str = "") -> str:
    """One slide as safe HTML."""
    cards, groups, table = _cards(slide), _groups(slide.counts), _table(slide.attempts)
    body = "".join((groups, cards, table, _points(slide)))
    cover = " cover" if not body and slide.key != "ask" else ""
    size = min(COVER_TITLE, sqrt(90 * 22 / (0.7 * len(slide.title)))) if cover else TITLE
    notes = f'<p class="notes">{_sentence(" ".join(slide.notes))}</p>' if any(slide.notes) else ""
    parts = [
        f'<h1 style="{_type(size)}">{escape(slide.title)}</h1>',
        f'<p class="lead">{_sentence(slide.lead)}</p>' if slide.lead else "",
        f'<div class="body{" two" if groups and cards else ""}">{body}</div>' if body else "",
        notes,
    ]
    return f'<section class="slide {classes}{cover}">{"".join(parts)}</section>'


def _sentence(text: str) -> str:
    """Escaped, with no line break between a number and its unit."""
    return escape(text).replace(" %", "&nbsp;%")


def type_size(characters: int, width: float, height: float) -> float:
    """The size of type, in u, in which so many letters fill an area, width by height in u."""
    fitting = sqrt(width * height / (LETTER * LINE * max(characters, 1)))
    return max(SMALLEST, min(LARGEST, 0.9 * fitting))


def _type(size: float) -> str:
    return f"font-size: calc({size:.2f} * var(--u))"


def _body_height(slide: Slide) -> float:
    """What title, lead, notes and the gaps between them leave of a slide, in u."""
    lead, notes = ceil(len(slide.lead) / 62), ceil(len(" ".join(slide.notes)) / 88)
    return 37.5 - 3.4 * lead - SMALLEST * LINE * notes


def _cards(slide: Slide) -> str:
    if not slide.exchanges:
        return ""
    beside, body = bool(slide.counts), _body_height(slide)
    width = 43 if beside else 86 / len(slide.exchanges) - 4
    height = (body - 1.6) / len(slide.exchanges) if beside else body
    cards = "".join(_card(exchange, width, height - 2.6, slide.fades) for exchange in slide.exchanges)
    return f'<div class="cards">{cards}</div>'


def _card(exchange: Exchange, width: float, height: float, fades: bool) -> str:
    """A card whose type is as large as its texts allow; what does not fit even so is cut."""
    labels = sum(1 + SMALLEST * LINE * bool(q.label or q.verdict) for q in exchange.quotes)
    said = len(exchange.question) + sum(len(quote.text) for quote in exchange.quotes)
    size = type_size(said, width, height - labels)
    lines, letters = round((height - labels) / (LINE * size) - 0.4), int(width / (WRAPPED_LETTER * size))
    asked = min(_lines(exchange.question, letters), max(lines // 2, 1))
    shares = _shares([_lines(quote.text, letters) for quote in exchange.quotes], lines - asked)
    quotes = "".join(_quote(quote, n, fades) for quote, n in zip(exchange.quotes, shares, strict=True))
    question = f'<p class="q clamped" style="-webkit-line-clamp: {asked}">{escape(exchange.question)}</p>'
    return f'<div class="card typed" style="{_type(size)}">{question}{quotes}</div>'


def _lines(text: str, letters: int) -> int:
    """Lines of so many letters that a text takes; a wide letter has the room of two."""
    even = "".join(letter * (1 + (east_asian_width(letter) in "WF")) for letter in text)
    return max(len(wrap(even, letters)), 1)


def _shares(needs: Sequence[int], lines: int) -> list[int]:
    """Lines for each of some texts: at most what each needs, and the longest takes what the others leave.

    >>> _shares([2, 4], 5), _shares([9, 9], 5), _shares([4, 1, 2], 8)
    ([2, 3], [2, 3], [5, 1, 2])
    """
    shares = [1] * len(needs)
    shortest_first = sorted(range(len(needs)), key=needs.__getitem__)
    for left, i in zip(range(len(needs), 0, -1), shortest_first, strict=True):
        share = max(lines // left, 1)
        shares[i] = min(needs[i], share) if left > 1 else share
        lines -= shares[i]
    return shares


def _quote(quote: Quote, lines: int, fades: bool) -> str:
    said = "".join(_piece(piece, fades) for piece in quote.pieces) or "(empty)"
    judged = f" <b>→ {escape(quote.verdict)}</b>" if quote.verdict else ""
    who = f'<p class="who"><span>{escape(quote.label)}</span>{judged}</p>' if quote.label or judged else ""
    return f'<div>{who}<p class="said clamped" style="-webkit-line-clamp: {lines}">{said}</p></div>'


def _piece(piece: Piece, fades: bool) -> str:
    if piece.strength <= 0:
        return escape(piece.text)
    tint = f"background: rgba({TINT}, {0.12 + 0.33 * piece.strength:.2f})"
    text = escape(piece.text)
    if fades:
        text = f'<span class="vanish" style="--left: {1 - 0.95 * piece.strength:.2f}">{text}</span>'
    return f'<mark style="{tint}">{text}</mark>'


def _groups(groups: Sequence[Counts]) -> str:
    parts = [f"<div><h2>{escape(g.title)}</h2>{''.join(map(_row, g.bars))}</div>" for g in groups]
    return f'<div class="groups">{"".join(parts)}</div>' if parts else ""


def _row(count: Count) -> str:
    return f'<div class="row"><span>{escape(count.label)}</span>{_track(count)}{_amount(count)}</div>'


def _amount(count: Count) -> str:
    return f'<span class="count">{count.count:,} of {count.n:,}</span>'


def _track(count: Count) -> str:
    low, high = (100 * bound for bound in count.interval)
    return (
        f'<div class="track" role="img" aria-label="{escape(count.words())}">'
        f'<div class="fill" style="width: {100 * count.share:.2f}%"></div>'
        f'<div class="sure" style="left: {low:.2f}%; width: {high - low:.2f}%"></div></div>'
    )


def _table(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return ""
    unseen = next((attempt.unseen.label for attempt in attempts if attempt.unseen), "")
    titles = ("It gives away the secret, or part of it, by", attempts[0].now.label, unseen, "")
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    rows = "".join(map(_attempt, attempts))
    return f'<table class="secret"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _attempt(attempt: Attempt) -> str:
    cells = "".join(
        f'<td data-who="{escape(count.label)}"><div class="cell">{_amount(count)}{_track(count)}</div></td>'
        if count
        else "<td>not measured</td>"
        for count in (attempt.now, attempt.unseen)
    )
    return f'<tr><th scope="row">{escape(attempt.title)}</th>{cells}<td>{escape(attempt.compared)}</td></tr>'


def _points(slide: Slide) -> str:
    if not slide.points:
        return ""
    height = _body_height(slide)
    size = type_size(max(map(len, slide.points)), 84, height / len(slide.points))
    lines, letters = int(height / (LINE * size)), 84 / (LETTER * size)
    shares = _shares([ceil(len(point) / letters) for point in slide.points], lines)
    items = "".join(
        f'<li><span class="clamped" style="-webkit-line-clamp: {n}">{escape(point)}</span></li>'
        for point, n in zip(slide.points, shares, strict=True)
    )
    return f'<ul class="points typed" style="{_type(size)}">{items}</ul>'
