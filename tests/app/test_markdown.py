"""Names and labels are never read as Markdown."""

from __future__ import annotations

import re

import pytest

from app.markdown import code
from tests.app.app_pages import visit
from tests.stored_run import write_run

HOSTILE = "**loud** :red[red] $x$ [link](http://example.org)"
RUN = "20260101-100000-npo-hard-0001"
READ = ("markdown", "caption", "title", "header", "subheader", "info", "warning", "error", "success")
LABELED = ("button", "toggle", "checkbox", "radio", "selectbox", "text_input", "expander", "metric")


def read_as_markdown(at) -> str:
    """Everything on a page that the browser reads as Markdown, code left out."""
    texts = [element.value for kind in READ for element in getattr(at, kind)]
    for kind in LABELED:
        for element in getattr(at, kind):
            texts += [element.label, *(element.options if kind == "radio" else [])]
    return re.sub("`[^`]*`", "", "\n".join(map(str, texts)))


@pytest.mark.parametrize(
    "text",
    ["**b**", "[a](javascript:b)", "`x` :red[y]", "$x$", ":material/home:", "![a](http://b)", "a\nb", ""],
)
def test_untrusted_text_is_one_piece_of_code(text):
    shown = code(text)
    assert shown.startswith("`") and shown.endswith("`") and len(shown) > 2
    assert "`" not in shown[1:-1] and "\n" not in shown


@pytest.mark.parametrize("view", ["Answers", "Outcome", "Questions", "Tokens", "Requests", "Settings"])
def test_compare_reads_no_label_model_or_split_of_a_run_as_markdown(home, view):
    run = write_run(home, RUN, HOSTILE)
    spec = run.spec.to_json()
    run.write("spec.json", spec | {"config": spec["config"] | {"weighting": HOSTILE}})
    report = run.report
    metrics = {f"{HOSTILE}/{name.rpartition('/')[2]}": value for name, value in report["metrics"].items()}
    run.write("report.json", report | {"metrics": report["metrics"] | metrics})
    text = read_as_markdown(visit("compare", view=view, runs=RUN))
    assert "Compare" in text and "loud" not in text and "http://example.org" not in text


@pytest.mark.parametrize("page", ["overview", "unlearn", "present", "system"])
@pytest.mark.slow
def test_other_pages_read_no_label_as_markdown(home, page):
    write_run(home, RUN, HOSTILE)
    assert "loud" not in read_as_markdown(visit(page))
