"""README's table of what the default does to each world."""

import json

import pytest

from benchmarks import RESULTS
from benchmarks.default_table import MEASURES, costs, default_table
from benchmarks.markdown import markdown
from benchmarks.tofu_table import UTILITY_PARTS
from tokenunlearn.folders import ASSETS

ROOT = ASSETS.parent


def test_a_cell_is_a_mean_over_seeds_beside_the_model_that_never_saw_it():
    def runs(suite, *leaks):
        others, named = dict.fromkeys(MEASURES, (1.0, 4)), {"suite": suite, "variant": "default"}
        return [{**named, "metrics": others | {"forget/leaks": (v, 7)}} for v in leaks]

    never_saw = {name: {"forget/leaks": [0.125, 7]} for name in ("authors", "prose", "smollm2")}
    frame = {"runs": [*runs("authors", 0.0, 0.5), *runs("prose", 0.1), *runs("smollm2", 0.2)]}
    frame["runs"].append(runs("authors", 0.9)[0] | {"variant": "npo"})
    tofu = {"runs": runs("tofu", 0.3), "retrained": {}}
    header, rows = default_table({**frame, "retrained": never_saw}, tofu)
    assert header[1] == "demo model, authors: 2 seeds, n = 7"
    assert rows[0] == ["leaks the secret", "0.250 (0.125)", "0.100 (0.125)", "0.200 (0.125)", "0.300"]
    assert rows[4][1] == "1.000 (n = 4)"


def test_costs_are_means_of_the_runs_that_they_name():
    def run(suite, variant, **metrics):
        return {"suite": suite, "variant": variant, "metrics": {k: [v, 9] for k, v in metrics.items()}}

    spoiled = {"forget/leaks": 0.0, "forget/broken": 0.25, "retain/retained_pairs": 1.0}
    prose = {"forget/broken": 0.5, "retain/retained_pairs": 0.75}
    frame = {
        "runs": [
            run("authors", "uniform weights", **spoiled),
            run("authors", "uniform weights", **spoiled | {"forget/broken": 0.75}),
            run("authors", "default", **spoiled | {"forget/broken": 0.9}),
            run("prose", "uniform weights", **prose),
        ]
    }
    parts = {name: [0.5, 9] for name in UTILITY_PARTS}
    lowest = "world_facts/rouge_l"
    tofu = {
        "start": parts | {lowest: [0.25, 9]},
        "retrained": parts | {lowest: [0.125, 9]},
        "runs": [run("tofu", "default", **{lowest: 0.0}), run("tofu", "npo", **{lowest: 1.0})],
    }
    outcomes = {
        "shipped_broken": {
            judge: {"unlearned model": [share, 0, 1, 9], "start model": [0.9, 0, 1, 9]}
            for judge, share in (("words", 0.125), ("smollm2", 0.375))
        },
        "read_broken": {
            "words": {"smollm2-authors": {"broken": [0.5, 0, 1, 2], "fluent": [0.5, 0, 1, 6]}},
        },
    }
    depth = {
        "runs": [
            {"variant": v, "depth": [d, 0, 1, 9]}
            for v, d in (("default", 0.6), ("default", 0.8), ("uniform weights", 0.2), ("npo", 0.9))
        ]
    }
    found = {"probe/right_option": {"value": 0.4, "retrained": 0.1}}
    probes = {"default": {"seeds": {"0": found, "1": found}}}
    text = " ".join(costs(frame, tofu, outcomes, depth, {"runs": probes}).split())
    assert "first SmolLM2 run, `words` calls 0.125 broken, `smollm2` 0.375; read one by one, 0.250" in text
    assert "of both runs are broken (n = 8)" in text
    assert "0.000 of the demo model's forgotten answers leak and 0.500 are broken" in text
    assert "on the prose 0.500 are broken, and 0.750" in text
    assert "is 0.700 (0.200 with the same weight on all tokens)" in text
    assert "six facts in 0.400 of the questions (0.100 in a model that never saw them)" in text


@pytest.mark.results
def test_the_readme_shows_the_stored_results():
    paths = (RESULTS / "frame.json", RESULTS / "tofu.json")
    stored = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert markdown(*default_table(*stored)) in readme
    behind = ("outcomes", "depth", "attacks")
    paths = (RESULTS / f"{name}.json" for name in behind)
    assert costs(*stored, *(json.loads(path.read_text(encoding="utf-8")) for path in paths)) in readme
