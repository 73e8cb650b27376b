"""The view Depth: its charts, what it offers, and a damaged file."""

from __future__ import annotations

import numpy as np
import pytest

from app.compare import run_index
from app.compare.comparison import contenders
from app.compare.depth_view import depth_heatmap, figures, layer_curves
from tests.app.app_pages import start_anew, visit
from tests.stored_run import HOSTILE, write_run
from tokenunlearn.evaluation.depth_maps import DepthMap, save_depth
from tokenunlearn.runs.run_files import DEPTH
from tokenunlearn.runs.store import RunStore

ID = "20260101-100000-npo-hard-0001"


def depth_map(sample="authors-054-00", lost=((0.5, 0.0), (2.0, 4.0)), retrained=((1.0, 2.0), (2.0, 0.0))):
    nll = np.zeros(2)
    return DepthMap(sample, "Where?", ("Cal", "verra"), (0, 3), nll, np.array(lost), np.array(retrained))


@pytest.fixture
def one(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_RUNS", str(tmp_path))
    start_anew()
    write_run(tmp_path, ID, "run", steps=10, shift=1.0)
    return tmp_path / ID


def test_the_heatmap_has_layers_by_gold_tokens_and_gaps_where_nothing_was_to_lose():
    (heat,) = depth_heatmap(depth_map()).data
    assert heat.y == ("0", "3") and heat.z[0].tolist() == [0.5, 0.0] and heat.z[1][0] == 1.0
    assert np.isnan(heat.z[1][1]) and "depth –" in heat.text[1][1] and (heat.zmin, heat.zmax) == (0, 1)


def test_curves_average_the_questions_that_have_a_value():
    maps = {"A": [depth_map(), depth_map(lost=((0.0, 0.0), (0.0, 0.0)))]}
    (line,) = layer_curves(maps, {"A": "#123456"}).data
    assert line.x == (0, 3) and line.y == (pytest.approx(1 / 12), 0.5) and line.customdata == (2, 2)
    assert line.line.color == "#123456"


def test_token_texts_stay_text():
    hostile = DepthMap("1", "?", (HOSTILE,), (0,), np.zeros(1), np.ones((1, 1)), np.ones((1, 1)))
    figure = depth_heatmap(hostile)
    assert "<script" not in figure.data[0].text[0][0] + figure.layout.xaxis.ticktext[0]


def test_the_page_shows_measured_depth(one):
    save_depth([depth_map()], one / DEPTH)
    at = visit("compare", runs=ID, view="Depth")
    assert not at.exception
    (table,) = (frame.value for frame in at.dataframe if "depth" in frame.value)
    assert table["depth"].tolist() == [pytest.approx(0.5)] and table["questions"][0] == 1


def test_the_report_has_the_measured_depth(one):
    columns = contenders(run_index.entries([RunStore(one.parent).get(ID)]))
    assert figures(columns) == []
    save_depth([depth_map(), depth_map("authors-054-01", lost=((0.0, 0.0), (0.0, 0.0)))], one / DEPTH)
    ((heading, said, figure),) = figures(columns)
    assert heading == "Unlearning depth by layer" and figure.data[0].x == (0, 3)
    assert said.startswith("Over all layers: A 0.250 (95 % CI 0.000 to 0.500, n = 2). 0: the start model's")


def test_the_page_says_what_is_missing(one):
    at = visit("compare", runs=ID, view="Depth")
    assert not at.exception and "is not measured for these runs yet" in at.info[0].value


def test_a_damaged_file_is_one_sentence(one):
    (one / DEPTH).write_text("{")
    at = visit("compare", runs=ID, view="Depth")
    assert not at.exception and any(DEPTH in text.value for text in at.text)
