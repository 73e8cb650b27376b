"""Overview: what this is, where to start, an example, recent runs."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import access, controls, score_sets, services, token_view
from app.errors import show_error
from app.glossary import meaning
from app.numbers import measured
from app.unlearn import run_view
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.source import ModelSource

EXAMPLES = 3
# Page, icon, label and text of each way in; the first is that of a newcomer.
STARTS = (
    (
        "tokens",
        ":material/arrow_forward:",
        "Start here: try the example",
        "A small model knows 72 facts about invented authors. See which tokens carry them, then follow Next "
        "to a verdict, in a few minutes.",
    ),
    (
        "data",
        ":material/table_edit:",
        "Use your own data",
        "Enter or upload questions with answers that a model of yours must forget, and mark the facts.",
    ),
    (
        "present",
        ":material/slideshow:",
        "See a finished run",
        "What a model said before and after, as slides for any audience.",
    ),
)


def show_examples() -> None:
    """Three scored answers that open on the page Tokens."""
    try:
        path = score_sets.score_path(ModelSource("demo"), "authors:forget10", {})
        scores = score_sets.find_scores(path)
    except TokenUnlearnError as error:
        show_error(error)
        return
    if scores is None:
        st.info("The demo model has not been scored yet. Score it on the Tokens page; it takes seconds.")
        return
    st.html(token_view.legend_html("importance"))
    weights = scores.weights().weights
    step = len(scores) // EXAMPLES
    for index in range(0, EXAMPLES * step, step):
        sample, importance = scores.samples[index], scores.importance[index]
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(sample.question, width="stretch")
                st.page_link(
                    "pages/tokens.py",
                    label="Open on the Tokens page",
                    icon=":material/search_insights:",
                    query_params={"sample": controls.sample_name(scores, index)},
                )
            details = [
                {"importance": measured(s), "probability": measured(np.exp(-nll))}
                for s, nll in zip(importance, sample.nll, strict=True)
            ]
            st.html(
                token_view.response_html(
                    sample.labels,
                    token_view.shade(importance),
                    weights[index] > 0,
                    details,
                    gold=sample.gold,
                )
            )


access.admit()
st.title("Forget the secret, keep the sentence")
st.markdown(
    "Unlearning methods apply their loss to every token of an answer, although only a few carry the secret. "
    "TokenUnlearn finds these tokens, unlearns them alone, and checks what is gone and what was retained."
)
for column, (page, icon, label, text) in zip(st.columns(3), STARTS, strict=True):
    with column, st.container(border=True, height="stretch"):
        st.page_link(f"pages/{page}.py", label=f"**{label}**", icon=icon)
        st.caption(text)

st.subheader(
    "Three answers of the demo model, colored by importance",
    help=meaning("importance", "token", "masking", "entropy", "gold span"),
)
show_examples()

active = run_view.active_runs()
run_view.show_active(active)
table = run_view.run_table(services.store().runs()[:10])
if not table.empty:
    st.subheader("Recent runs")
    st.dataframe(table.drop(columns="id"), hide_index=True, width="stretch")
