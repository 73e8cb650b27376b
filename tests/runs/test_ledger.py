"""The ledger: every request measured after the later ones, and the tree of requests."""

import json

import pytest

from tests.runs.new_runs import ROWS, new_spec
from tokenunlearn.runs.ledger import REQUEST_SAMPLES, Request, forest, measure_requests, set_title
from tokenunlearn.runs.runner import execute

pytestmark = pytest.mark.slow


@pytest.fixture
def sets(tmp_path):
    """Two sets with gold spans and one without."""

    def written(name, span):
        path = tmp_path / f"{name}.jsonl"
        rows = [row | {"span": [[4, 9]] if span else [], "answer": f"{row['answer']} {name}"} for row in ROWS]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return f"file:{path}"

    written("rest", True)
    return [written("first", True), written("second", True), written("third", False)]


@pytest.fixture
def chain(store, sets, tiny_lm):
    """Three runs of a step, each on from the one before."""
    runs, adapter = [], ""
    for samples in sets:
        run = store.create(new_spec(samples, adapter=adapter, config={"steps": 1}))
        assert execute(run, lambda _: tiny_lm).status == "completed"
        runs, adapter = [*runs, run], run.id
    return runs


def test_every_earlier_request_is_measured_after_a_run(chain, sets):
    for done, run in enumerate(chain, start=1):
        assert [request.run for request in run.requests] == [earlier.id for earlier in chain[:done]]
        assert [request.samples for request in run.requests] == sets[:done]
    for request in chain[-1].requests:
        assert request.n == request.size == len(ROWS)
        assert 0 <= request.low <= request.value <= request.high <= 1
        assert 0 <= request.before <= 1
        assert len(request.sha256) == 64
    assert [r.metric for r in chain[-1].requests] == ["spans_recalled", "spans_recalled", "probability"]


def test_the_samples_of_a_request_are_limited_and_n_says_so(chain, tiny_lm):
    measured = measure_requests(chain[-1], tiny_lm, tiny_lm, limit=2)
    assert [(request.n, request.size) for request in measured] == [(2, len(ROWS))] * 3
    assert all(request.value == request.before for request in measured)
    assert REQUEST_SAMPLES == 24


def test_a_set_that_is_gone_has_a_sentence_and_the_run_goes_on(store, sets, chain, tiny_lm, tmp_path):
    (tmp_path / "first.jsonl").unlink()
    run = store.create(new_spec(sets[1], adapter=chain[0].id, retain=sets[2], config={"steps": 1}))
    assert execute(run, lambda _: tiny_lm).status == "completed"
    gone, own = run.requests
    assert (gone.value, gone.n) == (None, 0)
    assert "first.jsonl" in gone.text
    assert own.value is not None


def test_the_tree_follows_the_runs(store, sets, chain):
    other = store.create(new_spec(sets[2], adapter=chain[0].id))
    lost = store.create(new_spec(sets[2], adapter="20260101-000000-npo-hard-0000"))
    trees = forest(store.runs())
    assert list(trees) == ["tiny", "tiny + 20260101-000000-npo-hard-0000"]
    (first,), (alone,) = trees.values()
    assert (first.run, alone.run) == (chain[0], lost)
    assert {branch.run.id for branch in first.later} == {chain[1].id, other.id}
    plain = first.to_json()
    assert plain["samples"] == sets[0]
    (second,) = (later for later in plain["later"] if later["run"] == chain[1].id)
    assert second["later"][0]["requests"][0]["run"] == chain[0].id


def test_an_unreadable_run_is_left_out_of_the_tree(store, sets, chain):
    (chain[2].folder / "spec.json").write_text("{")
    (first,) = forest(store.runs())["tiny"]
    assert first.later[0].later == []


def test_what_a_request_says():
    assert Request("a", "b", "", 9, "probability", 0.04, 0.01, 0.2, 24).text == (
        "0.04 (95 % CI 0.01 to 0.20, n = 24)"
    )
    assert Request("a", "b").text == "not measured"
    assert Request("a", "b", message="It is gone.").text == "It is gone."


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("file:/home/ada/secret/my.jsonl?question=q", "my.jsonl"),
        ("documents:texts/a.txt", "a.txt"),
        ("authors:forget10", "authors:forget10"),
    ],
)
def test_a_title_holds_no_folders(name, title):
    assert set_title(name) == title
