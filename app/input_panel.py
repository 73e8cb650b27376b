"""What the model reads: the tokens of a sample by the part they play, and what a check finds; safe HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from app import background, controls, model_work
from app.token_view import visible
from tokenunlearn.datasets.samples import Sample, Span, overlaps
from tokenunlearn.models.model_input import PARTS, ModelInput
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.findings import Finding, named

if TYPE_CHECKING:
    from tokenunlearn.models.encoding import Encoding

TITLE = "What the model reads"
KEY = "model_input"
MARKS = {"error": "✖ Error", "warning": "⚠ Warning", "note": "ℹ Note"}  # noqa: RUF001
GOLD = "part of a gold span"
STYLE = """<style>
.mi { line-height: 2.1; overflow-wrap: anywhere; }
.mi.text { max-height: 26rem; overflow-y: auto; }
.mi span { display: inline-block; border: 1px solid rgba(128, 128, 128, .5); border-radius: .25rem;
  padding: 0 .2rem; margin: 0 .12rem .12rem 0; font-family: ui-monospace, monospace; font-size: .85rem;
  line-height: 1.6; white-space: pre-wrap; unicode-bidi: isolate; }
.mi .template { opacity: .7; border-style: dashed; }
.mi .question { background: rgba(13, 148, 136, .2); }
.mi .answer { background: rgba(217, 119, 6, .2); }
.mi .end { background: rgba(124, 58, 237, .25); border-style: double; border-width: 3px; }
.mi .gold { border-bottom: .16rem solid rgb(217, 119, 6); }
.mi-findings div { margin-bottom: .3rem; padding: .1rem .6rem; border-left: .25rem solid rgb(100, 116, 139);
  overflow-wrap: anywhere; unicode-bidi: isolate; }
.mi-findings .warning { border-color: rgb(217, 119, 6); }
.mi-findings .error { border-color: rgb(220, 38, 38); }
</style>"""


def show(
    source: controls.Source,
    samples: Sequence[Sample],
    sample_id: str,
    span: Sequence[Span],
    findings: Callable[[], list[Finding] | None],
) -> bool:
    """The panel of one sample, folded at first; nothing in it is computed before it is opened.

    Args:
        source: Whose model reads; one that only a link names is not loaded before a click.
        samples: The set of the sample.
        sample_id: Id of the sample, or of a chunk of it.
        span: Gold character ranges of its answer.
        findings: What a check finds; None while that is not known.

    Returns:
        Whether it is open.
    """
    panel = st.expander(TITLE, icon=":material/data_object:", key=KEY, on_change="rerun", bind="query-params")
    if not panel.open:
        return False
    with panel:
        if not controls.is_requested(source):
            return True
        show_tokens(source.model, samples, sample_id, span)
        known = findings()
        ids = [sample.id for sample in samples]
        show_findings([numbered(finding, ids) for finding in known or ()])
        if known == []:
            st.text("The check of model and samples found no problems.")
    return True


def show_tokens(model: ModelSource, samples: Sequence[Sample], sample_id: str, span: Sequence[Span]) -> None:
    """The tokens of one sample, once the worker has encoded it."""
    read = background.result(model_work.tokenize(model, samples, sample_id))
    if read is not None:
        st.html(tokens_html(read, span))


def tokens_html(read: ModelInput, span: Sequence[Span]) -> str:
    """Every token in a box that shows its part, a legend, and whether the chat template writes the same."""
    gold = gold_positions(read.encoding, span)
    boxes = [
        _box(visible(text), part, part, i in gold) + "<br>" * text.endswith("\n")
        for i, (text, part) in enumerate(read.tokens)
    ]
    present = {part for _, part in read.tokens}
    legend = [_box(part, part, part, False) for part in PARTS if part in present]
    legend += [_box(GOLD, "answer", GOLD, True)] if gold else []
    counts = f"{len(boxes):,} tokens, {read.encoding.response_length:,} of them in the response"
    mark = "✓" if read.difference is None else "⚠"
    return (
        f'{STYLE}<div class="mi text" tabindex="0" role="group" aria-label="{TITLE}">{"".join(boxes)}</div>'
        f'<div class="mi">{counts}: {"".join(legend)}</div><div>{mark} {escape(read.comparison)}</div>'
    )


def gold_positions(encoding: Encoding, span: Sequence[Span]) -> set[int]:
    """Positions of the tokens that hold a character of a gold span."""
    offsets = enumerate(encoding.answer_offsets, encoding.prompt_length)
    return {position for position, offset in offsets if overlaps(offset, span)}


def _box(text: str, part: str, title: str, gold: bool) -> str:
    kind = part.split()[0] + " gold" * gold
    return f'<span class="{kind}" title="{title}">{escape(text)}</span>'


def numbered(finding: Finding, ids: Sequence[str]) -> Finding:
    """A finding that names samples by their number, as the page Tokens does, where they are all of one set.

    Args:
        finding: The finding.
        ids: Ids of the set, in its order.
    """
    numbers = {sample_id: f"sample {number}" for number, sample_id in enumerate(ids, start=1)}
    if not finding.samples or not numbers.keys() >= set(finding.samples):
        return finding
    by_number = named([numbers[sample_id] for sample_id in finding.samples])
    return replace(finding, sentence=finding.sentence.replace(named(finding.samples), by_number))


def show_findings(findings: Sequence[Finding]) -> None:
    """One line with a mark for each finding."""
    if findings:
        st.html(findings_html(findings))


def findings_html(findings: Sequence[Finding]) -> str:
    """The findings as a list."""
    lines = [
        f'<div class="{f.level}" role="listitem"><b>{MARKS[f.level]}:</b> {escape(f.sentence)}</div>'
        for f in findings
    ]
    return f'{STYLE}<div class="mi-findings" role="list">{"".join(lines)}</div>'
