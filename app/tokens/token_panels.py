"""The tabs of the page Tokens: each shows charts of one subject and says what to see in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app import charts, controls, state
from app.glossary import GLOSSARY
from app.numbers import TABLE, counted, measured
from app.tokens import answer_table, captions, score_charts
from tokenunlearn.attribution.score_set import ScoreSet
from tokenunlearn.attribution.selection import HardSelection, SoftWeighting
from tokenunlearn.attribution.sensitivity import SelectionStatistics, rank_agreement, selection_statistics
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc

SCATTER, SET = "scatter", "set_heatmap"
THRESHOLDS = tuple(np.linspace(0, 1, 41).round(3).tolist())
TEMPERATURES = tuple(np.geomspace(*state.TEMPERATURES, 19).tolist())
UNITS = {"knowledge score k": "nats", "entropy h": "nats"}
SIZES = {
    "hard": "Number of tokens that contribute to the loss. A loss summed over tokens shrinks with it; "
    "a mean loss does not.",
    "soft": "At a low temperature few tokens contribute, at a high one all of them. The summed weight, and "
    "so the scale of a summed loss, is the same as with uniform weights.",
}
ORDERS = {
    "set": "original",
    "mean": "highest mean first",
    "highest": "highest token first",
    "selected": "most selected tokens first",
    "length": "longest first",
}


def signals_of_set(scores: ScoreSet, weights: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Every score of every token by name, (T_i,) a sample."""
    return {
        "importance s": scores.importance,
        "knowledge score k": scores.knowledge,
        "entropy h": scores.entropy,
        "probability p": [np.exp(-x.nll) for x in scores.samples],
        "weight w": weights,
    }


def _draw(figure: go.Figure, key: str, see: str) -> None:
    st.plotly_chart(figure, width="stretch", key=key, config={"displaylogo": False})
    st.caption(see)


def answer(scores: ScoreSet, weights: list[np.ndarray], index: int) -> None:
    """One answer: tokens x signals, and context x response."""
    sample = scores.samples[index]
    rows = {
        name: (values[index].tolist(), UNITS.get(name, ""))
        for name, values in signals_of_set(scores, weights).items()
    }
    _draw(
        charts.signal_heatmap(sample.labels, rows),
        "signals",
        f"Each row is scaled by itself. {captions.highest(sample, scores.importance[index])}",
    )
    if len(sample.contexts) > 1:
        _draw(
            charts.context_matrix(sample.context_labels, sample.labels, sample.losses),
            "matrix",
            "How much masking one part of the question (row) lowers the log-probability of an answer token "
            "(column).",
        )
    else:
        st.info(
            "This score set has a single masked context. Leave-one-out and random masking show one row per "
            "context."
        )


def distribution(scores: ScoreSet, weights: list[np.ndarray], settings: state.TokenSettings) -> None:
    """How one score is spread over the set, and how concentrated importance is."""
    signals = signals_of_set(scores, weights)
    name = st.radio("Score", list(signals), horizontal=True, key="distribution")
    threshold = None
    if name == "importance s":
        threshold = _threshold(scores, settings)
    values = np.concatenate([*signals[name or "importance s"], np.empty(0)])
    gold = np.concatenate([*(x.gold for x in scores.samples), np.empty(0)]).astype(bool)
    _draw(
        score_charts.score_distribution(values, str(name), _unit(str(name)), threshold, gold),
        "histogram",
        captions.distribution(values, gold, threshold, _unit(str(name))),
    )
    importance = np.concatenate([*scores.importance, np.empty(0)])
    flat = np.concatenate([*weights, np.empty(0)])
    _draw(score_charts.importance_curve(importance, flat), "sorted", captions.concentration(importance, flat))


def _unit(name: str) -> str:
    return UNITS.get(name, "mean 1" if name == "weight w" else "")


def _threshold(scores: ScoreSet, settings: state.TokenSettings) -> float | None:
    rule = settings.rule
    if isinstance(rule, HardSelection) and rule.top_share is None:
        return rule.least(scores.importance)
    return None


def boxed() -> list[tuple[int, int]]:
    """Sample number and position of the tokens boxed in the scatter, from the session."""
    event = st.session_state.get(SCATTER)
    points = event.get("selection", {}).get("points", []) if event else []
    return [(int(p["customdata"][0]), int(p["customdata"][1])) for p in points if p.get("customdata")]


def scatter(scores: ScoreSet, weights: list[np.ndarray], index: int) -> None:
    """Knowledge against entropy; a box around tokens points them out in the text."""
    flat = signals_of_set(scores, weights)
    k, h = (np.concatenate([*flat[name], np.empty(0)]) for name in ("knowledge score k", "entropy h"))
    figure = score_charts.signal_scatter(
        k,
        h,
        np.concatenate([*weights, np.empty(0)]),
        [text for x in scores.samples for text in x.labels],
        [(i, t) for i, x in enumerate(scores.samples) for t in range(len(x.texts))],
        index,
    )
    st.plotly_chart(
        figure,
        width="stretch",
        key=SCATTER,
        on_select="rerun",
        selection_mode=("box", "lasso"),
        config={"displaylogo": False},
    )
    st.caption(
        "Filled markers are selected tokens. Drag a box to outline its tokens in the text above. "
        "Tokens high on both axes are uncertain and depend on the question."
    )
    chosen = boxed()
    if chosen:
        here = sum(1 for sample, _ in chosen if sample == index)
        st.text(f"{counted(len(chosen), 'token')} in the box, {here} in this answer")


def rule(scores: ScoreSet, settings: state.TokenSettings, index: int) -> None:
    """What the rule does to importance: the soft-weight curve, and shares against the threshold."""
    _draw(
        score_charts.weight_curve(scores.importance[index], settings.temperature),
        "curve",
        "Where the curve is steep, small differences in importance change the weight a lot; "
        "a flat curve is close to uniform weights.",
    )
    statistics = _over_thresholds(scores.hash, scores)
    _draw(
        score_charts.lines(
            THRESHOLDS,
            {"tokens": [x.tokens for x in statistics], "importance": [x.importance for x in statistics]},
            "threshold τ, 0 to 1",
            "share of the forget set, %",
            settings.threshold if settings.weights == "hard" and settings.criterion == "threshold" else None,
        ),
        "shares",
        captions.shares(selection_statistics(scores, settings.rule)),
    )


def forget_set(scores: ScoreSet, weights: list[np.ndarray]) -> None:
    """The whole set as a heatmap, in a chosen order."""
    signals = signals_of_set(scores, weights)
    left, right = st.columns(2)
    name = left.selectbox("Score", list(signals), key="heat")
    order = right.selectbox("Sample order", list(ORDERS), key="order", format_func=lambda name: ORDERS[name])
    values = signals[str(name)]
    keys: dict[str, Callable[[int], float]] = {
        "set": lambda i: 0.0,
        "mean": lambda i: -float(np.nanmean(values[i])),
        "highest": lambda i: -float(np.nanmax(values[i])),
        "selected": lambda i: -float((weights[i] > 0).sum()),
        "length": lambda i: -float(len(values[i])),
    }
    rows = sorted(range(len(scores)), key=keys[str(order)])
    names = [controls.sample_name(scores, i) for i in rows]

    def opened() -> None:
        points = st.session_state[SET]["selection"]["points"]
        if points:
            answer_table.open_sample(scores, rows[int(points[0]["customdata"])])

    st.plotly_chart(
        score_charts.set_heatmap(
            [values[i] for i in rows],
            names,
            [scores.samples[i].labels for i in rows],
            str(name),
            _unit(str(name)),
        ),
        width="stretch",
        key=SET,
        on_select=opened,
        selection_mode="points",
        config={"displaylogo": False},
    )
    st.caption(f"Click a row to open its sample. {captions.extremes([values[i] for i in rows], names)}")


def sensitivity(scores: ScoreSet, weights: list[np.ndarray], settings: state.TokenSettings) -> None:
    """What threshold and temperature would change, and whether the signals agree."""
    now = selection_statistics(scores, settings.rule)
    _numbers(now)
    length = float(np.mean([len(w) for w in weights]))
    hard, soft = _over_thresholds(scores.hash, scores), _over_temperatures(scores.hash, scores)
    for kind, statistics, x, title in (
        ("hard", hard, THRESHOLDS, "threshold τ, 0 to 1"),
        ("soft", soft, TEMPERATURES, "temperature, log scale"),
    ):
        st.subheader(
            "Hard selection" if kind == "hard" else "Soft weighting",
            help=GLOSSARY["threshold" if kind == "hard" else "temperature"],
        )
        at = settings.temperature if kind == "soft" else settings.threshold
        shown = settings.weights == kind and (kind == "soft" or settings.criterion == "threshold")
        left, right = st.columns(2)
        with left:
            _draw(
                score_charts.lines(
                    x,
                    {
                        "effective tokens": [s.effective for s in statistics],
                        **(
                            {"summed weight": [s.mass * length for s in statistics]} if kind == "soft" else {}
                        ),
                    },
                    title,
                    "tokens per response",
                    at if shown else None,
                    kind == "soft",
                    percent=False,
                ),
                f"size-{kind}",
                SIZES[kind],
            )
        with right:
            if now.recall is None:
                st.info("These samples have no gold spans, so there is no precision, recall or coverage.")
                continue
            _draw(
                score_charts.lines(
                    x,
                    {
                        "precision": [s.precision for s in statistics],
                        "recall": [s.recall for s in statistics],
                        "spans covered": [s.coverage for s in statistics],
                    },
                    title,
                    "share, %",
                    at if shown else None,
                    kind == "soft",
                ),
                f"gold-{kind}",
                "Precision: share of the weight on gold tokens. Recall: mean weight of gold tokens, capped "
                "at 1. Good settings keep both high.",
            )
    _agreement(scores, weights)


def _numbers(now: SelectionStatistics) -> None:
    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.0f} %"

    facts = (
        ("Selected tokens", percent(now.tokens), "Share of response tokens with a weight above 0."),
        ("Importance", percent(now.importance), "Share of the total importance covered by the weights."),
        ("Mean weight", measured(now.mass), "Mean over tokens; a loss summed over tokens scales with it."),
        (
            "Effective tokens",
            f"{now.effective:.1f}",
            "Per response: number of equally weighted tokens with the same effect, (Σw)² / Σw².",
        ),
        ("Gold precision", percent(now.precision), "Share of the weight on gold tokens."),
        ("Gold recall", percent(now.recall), "Mean weight of the gold tokens, capped at 1."),
        (
            "Spans covered",
            percent(now.coverage),
            "Share of samples in which every gold token has at least the mean weight of the response.",
        ),
    )
    with st.container(horizontal=True):
        for name, value, meaning in facts:
            st.metric(name, value, width=170, help=meaning)


def _agreement(scores: ScoreSet, weights: list[np.ndarray]) -> None:
    st.subheader("Agreement of the signals")
    signals = signals_of_set(scores, weights)
    flat = {name: np.concatenate([*values, np.empty(0)]) for name, values in signals.items()}
    _draw(
        score_charts.agreement(list(flat), rank_agreement(flat)),
        "agreement",
        "Spearman rank correlation. 1: two signals rank the tokens alike; 0: they are unrelated, so mixing "
        "them adds information; below 0: they disagree.",
    )
    rows = []
    gold = [x.gold for x in scores.samples]
    for name, values in signals.items():
        try:
            rows.append({"signal": name, "AUROC for gold tokens": token_auroc(_without_nan(values), gold)})
        except TokenUnlearnError:
            return
    st.dataframe(
        rows,
        hide_index=True,
        column_config={"AUROC for gold tokens": st.column_config.NumberColumn(format=TABLE)},
    )
    st.caption(
        "Probability that a gold token scores above another token: 0.5 is chance, 1 separates all of them."
    )


def _without_nan(values: list[np.ndarray]) -> list[np.ndarray]:
    return [np.nan_to_num(v, nan=-np.inf) for v in values]


@st.cache_data(max_entries=8, show_spinner=False)
def _over_thresholds(score_hash: str, _scores: ScoreSet) -> list[SelectionStatistics]:
    return [selection_statistics(_scores, HardSelection(threshold=x)) for x in THRESHOLDS]


@st.cache_data(max_entries=8, show_spinner=False)
def _over_temperatures(score_hash: str, _scores: ScoreSet) -> list[SelectionStatistics]:
    return [selection_statistics(_scores, SoftWeighting(x)) for x in TEMPERATURES]
