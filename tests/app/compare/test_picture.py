"""The picture of a comparison: its shares, sizes that differ, marks and names that stay text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from app.compare.comparison import RETRAINED_MARK, RUN_MARKS, Contender
from app.compare.picture import panels, picture_html, size_note
from tests.stored_run import HOSTILE
from tokenunlearn.models.source import ModelSource

COLUMNS = [
    Contender("start", ModelSource("demo")),
    Contender("A", ModelSource("demo"), "#3b82f6", f"run {HOSTILE}", mark=RUN_MARKS[0]),
    Contender("retrained", ModelSource("demo-retrained"), mark=RETRAINED_MARK),
]


def metric(rows, better="lower", first=0):
    known = [row for row in rows if row is not None]
    ids = [f"q{i}" for i in range(first, first + len(rows))]
    value = sum(known) / len(known)
    return {
        "value": value,
        "n": len(known),
        "interval": None,
        "better": better,
        "rows": rows,
        "sample_ids": ids,
    }


def report(**metrics):
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    return {
        "model": "demo",
        "revision": "",
        "suite": "authors",
        "settings": {"limit": None},
        "metrics": named,
    }


def of(secret, others=(1.0, 1.0), **more):
    return report(forget__leaks=metric(secret), retain__gold_span=metric(list(others), "higher"), **more)


class Text(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html.partition("</style>")[2])

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + " "


def test_the_secret_comes_first_then_its_sentence_then_everything_else():
    whole = report(
        world_facts__gold_span=metric([1.0], "higher"),
        forget__rouge_l=metric([0.5]),
        forget__leaks=metric([0.0]),
        forget__frame_kept=metric([0.5], "retrained"),
        retain__gold_span=metric([1.0], "higher"),
        holdout__probability=metric([0.1], "retrained"),
        model_utility=metric([0.5], "higher"),
    )
    drawn = panels({"A": whole})
    assert [p.title for p in drawn] == ["Secret", "Rest of the answer", "World facts", "Retained samples"]
    assert [p.share for p in drawn[:2]] == ["answers that state it or part of it", "other words repeated"]


def test_multiple_choice_parts_to_be_forgotten_come_first_by_their_names():
    drawn = panels({"A": report(mmlu__accuracy=metric([1.0], "higher"), wmdp_bio__accuracy=metric([0.0]))})
    assert [p.title for p in drawn] == ["Wmdp bio", "Mmlu"]


def test_models_are_compared_by_a_measure_that_all_have():
    drawn = panels(
        {
            "start": report(forget__gold_span=metric([1.0, 1.0])),
            "A": of([0.0, 0.0], forget__gold_span=metric([0.5, 0.0])),
        }
    )
    assert drawn[0].share == "facts stated"
    assert {name: figure.value for name, figure in drawn[0].figures.items()} == {"start": 1.0, "A": 0.25}


def test_evaluations_of_different_size_are_drawn_on_the_questions_that_all_have():
    drawn = panels({"start": of([1.0, 1.0, 0.0, 0.0]), "A": of([1.0, None])})
    secret = drawn[0]
    assert {name: (f.value, f.n) for name, f in secret.figures.items()} == {"start": (1.0, 1), "A": (1.0, 1)}
    assert secret.sizes == {"start": 4, "A": 1} and not secret.mixed and secret.n == "1"
    assert size_note(drawn) == (
        "Evaluated on different numbers of questions per split: start 4; A 1. "
        "The picture uses the questions that all models have."
    )


def test_equal_sizes_need_no_word():
    drawn = panels({"start": of([1.0, 1.0]), "A": of([0.0, 1.0])})
    assert size_note(drawn) == ""


def test_other_questions_of_the_same_number_are_called_not_comparable():
    other = report(forget__leaks=metric([0.0, 0.0], first=7))
    drawn = panels({"start": of([1.0, 1.0]), "A": other})
    assert drawn[0].mixed and size_note(drawn) == "Not the same questions, so not comparable: Secret."


def test_a_value_without_rows_keeps_its_own_n_and_does_not_pass_as_one_of_the_shared_questions():
    bare = metric([1.0, 1.0, 1.0]) | {"rows": [], "sample_ids": []}
    drawn = panels({"A": of([1.0, 0.0]), "retrained": report(forget__leaks=bare)})
    assert drawn[0].mixed and drawn[0].n == "2 to 3"
    same = panels({"A": of([1.0, 0.0, 0.0]), "retrained": report(forget__leaks=bare)})
    assert not same[0].mixed


@pytest.mark.parametrize("value", [None, 0])
def test_a_measure_without_value_or_rows_is_left_out(value):
    empty = metric([1.0]) | ({"value": None} if value is None else {"n": 0})
    assert panels({"A": report(forget__leaks=empty)}) == []


def test_every_model_has_its_mark_name_share_and_interval_in_every_panel():
    drawn = panels({"start": of([1.0] * 72), "A": of([0.0] * 71 + [1.0])})
    html = Text(picture_html(COLUMNS, drawn))
    marks = [dict(attrs) for tag, attrs in html.tags if attrs.get("class") == "mark"]
    assert len(marks) == 4 and marks[1]["style"].startswith("left: 1.39%")
    assert html.text.count("□") > html.text.count("◆") > 0
    assert "1 %" in html.text and "(0–7)" in html.text and "(95–100)" in html.text
    assert html.text.count("not evaluated") == 2  # the retrained model
    tips = [attrs["title"] for _, attrs in html.tags if attrs.get("class") == "lane" and "title" in attrs]
    assert tips[1].endswith("1 %, 95 % CI 0.2 to 7.5 %, n = 72")


def test_labels_are_text():
    html = picture_html(COLUMNS, panels({"A": of([1.0, 0.0])}))
    assert HOSTILE in Text(html).text and "<script>" not in html
