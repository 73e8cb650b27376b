"""Tokens: which tokens of an answer carry the knowledge."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import charts, controls, token_view
from app.errors import show_error
from tokenunlearn.attribution.score_set import SampleScores, ScoreSet
from tokenunlearn.attribution.selection import TokenWeights
from tokenunlearn.errors import NothingSelectedError

SCORES = {
    "importance": "importance s",
    "masking": "knowledge score k",
    "entropy": "entropy h",
    "weight": "weight w",
}


def details(sample: SampleScores, signals: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """What hovering shows for each token."""
    ranks = np.empty(len(sample.texts), dtype=int)
    ranks[np.argsort(-signals["importance"], kind="stable")] = np.arange(1, len(sample.texts) + 1)
    rows = []
    for t, text in enumerate(sample.texts):
        row = {
            "token": token_view.visible(text),
            "id": str(sample.token_ids[t]),
            "position": f"{t + 1} of {len(sample.texts)}",
            "probability": f"{np.exp(-sample.nll[t]):.4f}",
            "entropy": f"{sample.entropy[t]:.4f} nats",
            "knowledge": f"{signals['masking'][t]:.4f} nats" + (" (copied)" if sample.copied[t] else ""),
            "importance": f"{signals['importance'][t]:.3f}, rank {ranks[t]}",
            "weight": f"{signals['weight'][t]:.3f}",
        }
        if len(sample.contexts) and sample.losses.size:
            strongest = int(np.argmax(sample.losses[:, t]))
            row["context"] = token_view.visible(sample.contexts[strongest])
        rows.append(row)
    return rows


def read_out(scores: ScoreSet, weights: TokenWeights | None, index: int) -> None:
    """K of n tokens and their share of importance, for the response and the whole set."""
    columns = st.columns(4)
    if weights is None:
        columns[0].metric("Selected here", "0")
        return
    w, s = weights.weights[index], scores.importance[index]
    all_w, all_s = np.concatenate(weights.weights), np.concatenate(scores.importance)
    columns[0].metric("Selected here", f"{int((w > 0).sum())} of {len(w)} tokens")
    columns[1].metric("Importance covered here", f"{_share(w, s):.0%}")
    columns[2].metric("Selected in the set", f"{int((all_w > 0).sum()):,} of {len(all_w):,}")
    columns[3].metric("Importance covered in the set", f"{_share(all_w, all_s):.0%}")


def _share(weights: np.ndarray, importance: np.ndarray) -> float:
    """Share of importance under the weights; uniform weights of mean 1 cover all of it."""
    total = importance.sum()
    return float((np.minimum(weights, 1.0) * importance).sum() / total) if total > 0 else 0.0


def show_sample(scores: ScoreSet, weights: TokenWeights | None, index: int) -> None:
    """The response as tinted text, the heatmap of its signals, the context matrix."""
    sample = scores.samples[index]
    weight = weights.weights[index] if weights else np.zeros(len(sample.texts))
    signals = {
        "importance": scores.importance[index],
        "masking": scores.knowledge[index],
        "entropy": sample.entropy,
        "weight": weight,
    }
    shown = st.segmented_control(
        "Tint",
        list(SCORES),
        default="importance",
        required=True,
        key="tint",
        bind="query-params",
        format_func=SCORES.get,
    )
    st.caption("Question")
    st.text(sample.question)
    st.caption("Answer")
    st.html(
        token_view.response_html(
            sample.texts,
            token_view.shade(signals[shown or "importance"]),
            weight > 0,
            details(sample, signals),
            gold=sample.gold,
            label=SCORES[shown or "importance"],
        )
    )
    read_out(scores, weights, index)
    heatmap, matrix = st.tabs(["Tokens × signals", "Context × response"])
    with heatmap:
        units = {"importance": "", "masking": "nats", "entropy": "nats", "weight": ""}
        figure = charts.signal_heatmap(sample.texts, {SCORES[n]: (v, units[n]) for n, v in signals.items()})
        st.plotly_chart(figure, width="stretch", key="signals", config={"displaylogo": False})
        st.caption(
            "Darker is higher within its row: a token dark in every row is uncertain, "
            "knowledge-bearing and weighted."
        )
    with matrix:
        if len(sample.contexts) > 1:
            figure = charts.context_matrix(sample.contexts, sample.texts, sample.losses)
            st.plotly_chart(figure, width="stretch", key="matrix", config={"displaylogo": False})
            st.caption(
                "What hiding one part of the question (row) costs the prediction "
                "of one answer token (column)."
            )
        else:
            st.info(
                "Leave-one-out and random masking give a row for each context; "
                "this score set has one context only."
            )


with st.sidebar:
    source, found, path = controls.scored_source()
st.title("Tokens")
if found is None:
    if path is not None:
        controls.offer_scoring(source, path)
else:
    with st.sidebar:
        mixed = controls.choose_mix(found)
        rule = controls.choose_rule()
    ids = [sample.sample_id for sample in mixed.samples]
    questions = {sample.sample_id: sample.question for sample in mixed.samples}
    chosen = st.selectbox("Sample", ids, key="sample", bind="query-params", format_func=questions.get)
    try:
        token_weights = mixed.weights(rule)
    except NothingSelectedError as fault:
        token_weights = None
        show_error(fault)
    show_sample(mixed, token_weights, ids.index(chosen) if chosen in questions else 0)
    with st.expander("This score set"):
        st.text(
            f"{len(mixed)} samples of {mixed.source}, model {mixed.model} {mixed.revision}\n"
            f"masking {mixed.masking}\nmix {mixed.settings}\nsha256 {mixed.hash}"
        )
        if path is not None:
            st.download_button(
                "Download (parquet)", path.read_bytes(), f"{path.stem}.parquet", icon=":material/download:"
            )
