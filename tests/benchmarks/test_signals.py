"""The benchmark of signals: statistics against brute force, labels, rows on a model, tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import (
    RESULTS,
    methods_table,
    signals,
    signals_measurements,
    signals_rows,
    signals_tables,
    tables,
)
from benchmarks.function_words import FUNCTION_WORDS
from benchmarks.markdown import markdown
from benchmarks.signals_measurements import WORLDS, Measurements, NotMeasuredError, available_models, world_of
from benchmarks.signals_tables import DEFAULT, GROUPS, HELD_OUT, RETRAIN_GAP
from benchmarks.token_labels import (
    Labels,
    auroc_draws,
    average_precision,
    cluster,
    cluster_draws,
    content_tokens,
    row_auroc,
    top,
    with_interval,
)
from tests.app.scores import sample, score_set
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.metrics.token_auroc import token_auroc
from tokenunlearn.evaluation.result import draw_interval

RANDOM = np.random.default_rng(3)


def tokens(count=120, clusters=5, levels=6):
    """Values with many ties, gold tokens that tend to have high ones, and clusters."""
    gold = RANDOM.random(count) < 0.3
    values = RANDOM.integers(levels, size=count) + gold * RANDOM.integers(3, size=count)
    return values.astype(float), gold, np.sort(RANDOM.integers(clusters, size=count))


@pytest.mark.parametrize(
    ("values", "gold", "precision"),
    [
        ([3, 2, 1], [1, 0, 1], (1 + 2 / 3) / 2),
        ([1, 2, 3], [1, 0, 0], 1 / 3),
        ([1, 1, 1, 1], [0, 1, 0, 0], 1 / 4),  # one group of ties: the share of gold tokens
        ([2, 2, 1, 0], [1, 0, 0, 1], (1 / 2 + 2 / 4) / 2),
    ],
)
def test_average_precision_by_hand(values, gold, precision):
    assert average_precision(np.array(values, float), np.array(gold, bool)) == pytest.approx(precision)


def test_average_precision_is_the_area_under_all_thresholds():
    for _ in range(20):
        values, gold, _ = tokens()
        area, recall = 0.0, 0.0
        for threshold in sorted(set(values), reverse=True):
            chosen = values >= threshold
            area += ((chosen & gold).sum() / gold.sum() - recall) * gold[chosen].mean()
            recall = (chosen & gold).sum() / gold.sum()
        assert average_precision(values, gold) == pytest.approx(area)


def test_a_draw_is_the_auroc_of_the_tokens_it_holds():
    values, gold, clusters = tokens()
    draws = cluster_draws(5, draws=40, seed=7)
    assert (draws.sum(1) == 5).all() and (draws == 0).any()
    areas = auroc_draws(values, gold, clusters, draws)
    for area, draw in zip(areas, draws, strict=True):
        rows = np.concatenate([np.flatnonzero(clusters == c) for c in range(5) for _ in range(draw[c])])
        assert area == pytest.approx(token_auroc([values[rows]], [gold[rows]]))
    once = auroc_draws(values, gold, clusters, np.ones((1, 5), int))
    assert once[0] == pytest.approx(token_auroc([values], [gold]))


def test_intervals_resample_clusters_and_leave_out_draws_without_an_area():
    values, gold, clusters = tokens()
    draws = cluster_draws(5)
    area, low, high = with_interval(values, gold, clusters, draws)
    assert (low, high) == pytest.approx(draw_interval(auroc_draws(values, gold, clusters, draws)), abs=1e-4)
    assert low < area < high
    assert with_interval(values, gold, np.zeros_like(clusters), cluster_draws(1))[1:] == [None, None]
    assert with_interval(values, np.ones_like(gold), clusters, draws) == [None, None, None]
    rare = gold & (clusters == 0)  # draws without the first cluster have no gold token
    assert np.isnan(auroc_draws(values, rare, clusters, draws)).any()
    assert None not in with_interval(values, rare, clusters, draws)


def test_row_auroc_is_the_mean_over_answers_with_both_kinds_of_tokens():
    values = np.array([1.0, 2.0, 3.0, 3.0, 1.0, 5.0, 5.0])
    gold = np.array([0, 1, 0, 1, 0, 1, 1], bool)
    rows = np.array([4, 4, 7, 7, 7, 9, 9])  # 1; (0.5 + 1) / 2; no other token
    assert row_auroc(values, gold, rows) == pytest.approx((1 + 0.75) / 2)
    assert row_auroc(values, np.zeros_like(gold), rows) is None


def test_of_equal_values_the_first_are_selected():
    assert top(np.array([1.0, 3.0, 3.0, 2.0, 3.0]), 2).tolist() == [1, 2]
    assert top(np.zeros(4), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("sample_id", "key"),
    [
        ("authors-054-03", "authors-054"),
        ("prose-people-00-5", "prose-people-00"),
        ("tofu-0019", "tofu-0"),
        ("tofu-0020", "tofu-1"),
        ("tofu-3619", "tofu-180"),
    ],
)
def test_a_cluster_is_an_author_or_subject(sample_id, key):
    assert cluster(sample_id) == key


def test_content_words_are_neither_function_words_nor_in_the_question():
    texts = ["Ada", " didn", "'", "t", " live", " in", " Tur", "in", ".", "<|end|>"]
    copied = [True, *[False] * 9]
    x = sample([0.0] * 10, [0.0] * 10, copied, texts)
    assert [t for t, inside in zip(texts, content_tokens(x), strict=True) if inside] == [
        " live",
        " Tur",
        "in",
    ]
    assert all(w == w.lower().strip() for w in FUNCTION_WORDS) and 100 < len(FUNCTION_WORDS) < 200


def marked(authors=6, rows=3, time=12):
    """Answers of several authors, the gold tokens the uncertain ones; the last answer has no gold span."""
    samples = []
    for author in range(authors):
        for row in range(rows):
            entropy = RANDOM.gamma(1.0, 0.3, time)
            entropy[[2, 3]] += 2.0
            texts = [f" w{chr(97 + RANDOM.integers(26))}" for _ in range(time - 1)] + ["<|end|>"]
            gold = () if (author, row) == (authors - 1, rows - 1) else (2, 3)
            name = f"authors-{author:03d}-{row:02d}"
            samples.append(sample(RANDOM.random(time), entropy, texts=texts, name=name, gold=gold))
    return score_set(samples)


def test_judged_are_the_tokens_of_samples_with_a_span_less_the_end_of_turn():
    scores = marked()
    labels = Labels.of(scores)
    counts = labels.counts()
    assert (counts["n_samples"], counts["n_clusters"], counts["n_tokens"]) == (17, 6, 17 * 11)
    assert counts["gold_share"] == pytest.approx(2 / 11, abs=1e-4)
    perfect = labels.judge([x.gold.astype(float) for x in scores.samples])
    assert perfect["auroc"] == perfect["content_auroc"] == [1.0, 1.0, 1.0]
    assert perfect["average_precision"] == perfect["row_auroc"] == 1.0
    selected = np.concatenate([w[:-1] for w in scores.weights().weights[:-1]]) > 0
    gold = np.concatenate([x.gold[:-1] for x in scores.samples[:-1]])
    default = labels.judge(scores.importance)  # as many tokens as the rule selects are those it selects
    assert default["precision"] == pytest.approx(gold[selected].mean(), abs=1e-4)
    assert default["recall"] == pytest.approx(selected[gold].mean(), abs=1e-4)


def test_samples_without_a_value_are_left_out_of_a_row():
    scores = marked()
    inside = [i < 9 for i in range(len(scores))]
    values = signals_rows.where(scores.importance, inside)
    part = replace(scores, samples=scores.samples[:9])
    labels = Labels.of(scores)
    row, alone = labels.judge(values), Labels.of(part).judge(scores.importance[:9])
    assert row["n_samples"] == 9
    assert {k: row[k] for k in ("auroc", "row_auroc")} == {k: alone[k] for k in ("auroc", "row_auroc")}


def test_a_held_out_author_is_judged_by_a_selector_that_never_saw_its_spans():
    scores = marked()
    values = signals_rows.held_out_importance(scores)
    other = [
        replace(x, span=((0, 2),)) if cluster(x.sample_id) == "authors-002" else x for x in scores.samples
    ]
    changed = signals_rows.held_out_importance(replace(scores, samples=tuple(other)))
    same = [np.array_equal(a, b) for a, b in zip(values, changed, strict=True)]
    assert same[6:9] == [True] * 3 and not any(same[:6])
    assert Labels.of(scores).judge(values)["auroc"][0] > 0.9
    assert signals_rows.held_out_importance(replace(scores, samples=scores.samples[:3])) is None


def test_the_worlds_have_the_samples_that_they_name():
    authors = WORLDS["authors"]
    assert len(authors.samples()) == 72 and len(authors.retained()) == 648
    assert authors.forget_ids == {s.id for s in authors.samples()}
    assert world_of("smollm2-prose") == "prose"
    with pytest.raises(TokenUnlearnError, match='model "smollm2"'):
        world_of("smollm2")
    tofu = WORLDS["tofu"]
    if tofu.available:
        scored, retained = ({s.id for s in part} for part in (tofu.samples(), tofu.retained()))
        assert (len(scored), len(retained), len(scored & retained)) == (200, 200, 0)
        assert len({cluster(name) for name in scored}) == 20 and len(scored & tofu.forget_ids) == 100
    assert "demo" in available_models()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo model's result on six samples, the same from stored measurements, and the selectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENUNLEARN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(signals_rows, "available_presets", lambda: ["demo"])
        measurements = Measurements()
        selectors = signals_rows.fitted_selectors(measurements, 6)
        result = signals.judge_model("demo", measurements, selectors, 6)
        again = signals.judge_model("demo", Measurements(measure=False), selectors, 6)
        yield json.loads(json.dumps(result, default=str)), again, selectors


def test_every_group_has_rows_on_a_model_and_stored_measurements_give_the_same(demo):
    result, again, _ = demo
    rows = {row["signal"]: row for row in result["rows"]}
    assert list(dict.fromkeys(row["group"] for row in result["rows"])) == list(GROUPS)
    assert len(rows) == len(result["rows"]) > 30
    assert again["rows"] == result["rows"]
    assert (result["n_samples"], result["n_clusters"], result["n_retained"]) == (6, 6, 6)
    assert rows["selector, fitted on authors"]["own_world"] and HELD_OUT not in rows  # too few samples
    assert rows["TNPO: 1 at the start"]["auroc"] == [0.5, 0.5, 0.5]
    ranked_alike = [rows[name]["auroc"] for name in ("WGA: p", "WTNPO: p^1.5 at the start")]
    assert ranked_alike[0] == pytest.approx(ranked_alike[1], abs=2e-3)
    surprise = rows["1 - p"]["auroc"][0]
    assert rows["WGA: p"]["auroc"][0] == pytest.approx(1 - surprise, abs=2e-3)
    assert rows[DEFAULT]["auroc"][0] > 0.9 and rows[RETRAIN_GAP]["n_samples"] == 6
    assert rows["prefix masking"]["auroc"][0] > 0.7
    for row in result["rows"]:
        assert 0 <= row["auroc"][1] <= row["auroc"][0] <= row["auroc"][2] <= 1
    assert {"measuring", "table", "measurements"} == set(result["seconds"])


def test_without_measuring_what_is_not_stored_is_an_error(demo, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_CACHE", str(tmp_path))
    with pytest.raises(NotMeasuredError, match="run without --no-measure"):
        signals.judge_model("demo", Measurements(measure=False), demo[2], 6)


def test_stored_arrays_are_those_measured_and_a_damaged_file_is_measured_again(tmp_path):
    arrays = [np.arange(3.0), np.empty(0), np.arange(2.0)]
    path = tmp_path / "deep" / "a.npz"
    signals_measurements._write(path, arrays)
    assert [a.tolist() for a in signals_measurements._read(path)] == [a.tolist() for a in arrays]
    path.write_bytes(b"PK")
    assert signals_measurements._read(path) is None


def test_the_page_has_the_models_that_have_results(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    monkeypatch.setattr(methods_table, "METHODS", tmp_path / "methods")
    monkeypatch.setattr(tables, "PAGE", tmp_path / "results.md")
    tables.write()
    assert "`benchmarks/signals.py` has no stored result yet" in (tmp_path / "results.md").read_text()
    result = demo[0]
    other = result | {"model": "other", "world": "prose"}
    other["rows"] = [
        row | {"own_world": False} if "fitted_on" in row else row
        for row in result["rows"]
        if row["signal"] != RETRAIN_GAP
    ]
    (tmp_path / "signals").mkdir()
    for one in (other, result):
        (tmp_path / "signals" / f"{one['model']}.json").write_text(json.dumps(one))
    tables.write()
    page = (tmp_path / "results.md").read_text()
    assert page.count("| signal | `demo`, n = 6 | `other`, n = 6 |") == 2
    oracle = next(line for line in page.splitlines() if line.startswith(f"| {RETRAIN_GAP} |"))
    assert oracle.endswith("| – |")
    selector = next(line for line in page.splitlines() if line.startswith("| selector, fitted on other"))
    assert selector.split(" | ")[1] == "–" and selector.split(" | ")[2].startswith(("0.", "1."))
    assert "### demo: all signals" in page and "(fitted on this world's retained rows)" in page
    assert page.index("### demo") < page.index("### other") < page.index("`benchmarks/selection.py`")


def test_rows_on_fewer_samples_say_so():
    row = {
        "group": "g",
        "signal": RETRAIN_GAP,
        "auroc": [0.9, None, None],
        "average_precision": None,
        "content_auroc": [None] * 3,
        "row_auroc": 0.5,
        "precision": 1.0,
        "recall": 0.25,
        "n_samples": 87,
    }
    result = {"model": "m", "n_samples": 174, "rows": [row]}
    _, (cells,) = signals_tables.full(result)
    assert cells == ["g", f"{RETRAIN_GAP} (n = 87)", "0.900", "–", "–", "0.500", "1.000", "0.250"]
    _, rows = signals_tables.summary([result], "auroc")
    assert rows[-1] == [RETRAIN_GAP, "0.900 (n = 87)"] and rows[0] == [DEFAULT, "–"]


@pytest.mark.results
def test_the_readme_shows_the_stored_figures():
    results = signals_tables.stored(RESULTS / "signals")
    table = markdown(*signals_tables.headline(results))
    readme = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"<!-- signals: written by benchmarks.tables -->\n{table}\n<!-- end" in readme
