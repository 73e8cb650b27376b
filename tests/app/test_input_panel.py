"""The panel is safe HTML: tokens by their part, gold spans, one line for each finding."""

from __future__ import annotations

from app.input_panel import findings_html, numbered, tokens_html
from tokenunlearn.models.encoding import Encoding
from tokenunlearn.models.model_input import ModelInput
from tokenunlearn.runs.findings import Finding

ENCODING = Encoding(
    "s", "q\n", "<b> x", (1, 2, 3, 4, 5, 6), 2, ("<|user|>", "q\n", "<b>", " x", "<|end|>", "\n"),
    (None, (0, 2)), ((0, 3), (3, 5), (5, 5)),
)  # fmt: skip
READ = ModelInput(ENCODING, "", None, 'All equal "<b>".')


def test_tokens_are_text_and_say_which_part_they_play():
    html = tokens_html(READ, [(4, 5)])
    assert '<span class="template" title="template">&lt;|user|&gt;</span>' in html
    assert '<span class="question" title="question">q↵</span><br>' in html
    assert '<span class="answer" title="answer">&lt;b&gt;</span>' in html
    assert '<span class="answer gold" title="answer">␣x</span>' in html
    assert '<span class="end" title="end of turn">&lt;|end|&gt;</span>' in html
    assert "6 tokens, 3 of them in the response" in html
    assert "<b>" not in html


def test_the_legend_names_what_is_there():
    assert ">part of a gold span</span>" in tokens_html(READ, [(4, 5)])
    assert ">part of a gold span</span>" not in tokens_html(READ, [])
    assert tokens_html(READ, []).count('class="question"') == 2


def test_a_difference_from_the_template_is_marked():
    assert "✓ All equal" in tokens_html(READ, [])
    assert "⚠ No." in tokens_html(ModelInput(ENCODING, "", 3, "No."), [])


def test_findings_have_their_mark_and_are_text():
    html = findings_html(
        [Finding("a", "error", "<i>x</i>"), Finding("b", "warning", "y"), Finding("c", "note", "z")]
    )
    assert '<div class="error" role="listitem"><b>✖ Error:</b> &lt;i&gt;x' in html
    assert "⚠ Warning:" in html and "ℹ Note:" in html  # noqa: RUF001


def test_samples_are_named_by_their_number_unless_one_is_of_another_set():
    ids = ["a-0000", "a-0001", "a-0002"]
    own = Finding("not known", "warning", "Not known: a-0000, a-0002.", ("a-0000", "a-0002"))
    assert numbered(own, ids).sentence == "Not known: sample 1, sample 3."
    mixed = Finding("too long", "error", "Too long: a-0000, b-0000.", ("a-0000", "b-0000"))
    assert numbered(mixed, ids) == mixed
