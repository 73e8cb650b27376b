"""The evidence page: fronts, paired differences, and that it claims no more than the intervals support."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import typer
from scipy.stats import ks_2samp

from benchmarks import study
from benchmarks.evidence import PAGE, claim, claims, gap_table, page, read, summary_table
from benchmarks.evidence_statistics import Front, Gap, World, ks_statistics
from benchmarks.study_plan import FOLDER, RULES, STUDIED, WORLDS
from benchmarks.tables import README_RULES

N = 40
RNG = np.random.default_rng(3)
RETRAINED = RNG.uniform(0, 0.3, N)
METRICS = dict.fromkeys(
    [
        *(f"forget/{name}" for name in ("leaks", "cross_leaks", "declines", "broken", "wrong")),
        "forget/exact_memorization",
        "forget_quality",
        "retain/retained_pairs",
        "model_utility",
    ],
    0.5,
)


def point(p, utility=0.6, **more):
    return {"utility": utility, "retain": 0.9, "p": list(p), "ratio": list(p), "metrics": METRICS, **more}


def head(name="demo"):
    return {
        "world": WORLDS[name].described(),
        "forget_ids": [f"authors-054-{i:02d}" for i in range(N)],
        "selection": {"selection": "hard", "selected": 90, "tokens": 600},
        "start": point(np.ones(N)),
        "retrained": point(RETRAINED),
    }


def cell(rule, above, seed=0, utility=0.6, objective="npo", broken=0):
    """A cell whose last model is so far above the retrained model's level."""
    noise = np.random.default_rng(seed).uniform(-0.01, 0.01, N)
    curve = [point(np.full(N, 0.9), step=6), point(RETRAINED + above + noise, utility, step=12)]
    named = {"kind": "cell", "objective": objective, "rule": rule, "seed": seed}
    outcomes = ["leaks", *["broken"] * broken, *["wrong", "cross_leaks", "declines"] * N][:N]
    cost = {"seconds": 90.0, "cpu_seconds": 30.0}
    return named | {"metrics": METRICS, "outcomes": outcomes, "step": 12, "curve": curve, **cost}


def test_the_statistic_is_the_one_of_forget_quality_for_every_resample():
    own, other = RNG.normal(size=N).round(1), RNG.normal(0.4, size=N).round(1)
    counts = np.stack([np.ones(N, int), RNG.multinomial(N, np.full(N, 1 / N))])
    expected = [ks_2samp(np.repeat(own, c), np.repeat(other, c)).statistic for c in counts]
    assert ks_statistics(own, other, counts) == pytest.approx(expected)


def test_a_front_takes_the_closest_model_that_keeps_the_utility():
    near = Front(cell("hard", 0.1, utility=0.597), head())  # 99.5 %
    assert near.at(0.98).tolist() == [0, 0, 1]
    assert near.at(1.0).tolist() == [0, 1, 0]


def test_between_two_measurements_a_front_is_in_proportion():
    costly = Front(cell("hard", 0.1, utility=0.576), head())  # 96 %
    assert costly.at(0.98) == pytest.approx([0, 0.5, 0.5])
    alone = cell("hard", 0.1, utility=0.576)
    alone["curve"] = alone["curve"][1:]
    assert Front(alone, head()).at(0.99) == pytest.approx([0.75, 0.25])


def test_the_area_is_one_where_the_retrained_model_is_reached_at_no_cost():
    free = cell("hard", 0.0)
    free["curve"][1]["p"] = list(RETRAINED)
    assert Front(free, head()).area == pytest.approx(1.0)
    nothing = cell("hard", 0.1)
    nothing["curve"] = []
    assert Front(nothing, head()).area == pytest.approx(0.0)
    costly = cell("hard", 0.0, utility=0.585)  # 97.5 %
    assert 0.6 < Front(costly, head()).area < 0.9


def world(*cells):
    return World([head(), *cells])


@pytest.mark.parametrize(
    ("above", "relation"), [((0.05, 0.3), "closer"), ((0.3, 0.05), "farther"), ((0.1, 0.1), "open")]
)
def test_a_difference_is_paired_with_uniform_weights(above, relation):
    hard, uniform = above
    made = world(*(cell(r, a, s) for s in (0, 1) for r, a in (("hard", hard), ("uniform", uniform))))
    gap = made.gap("npo", "hard", "distance")
    assert (gap.relation, gap.seeds, gap.n) == (relation, 2, N)
    assert gap.value == pytest.approx(hard - uniform, abs=0.01)
    assert gap.low <= gap.value <= gap.high


def test_questions_without_a_value_do_not_count():
    without = [head(), *(cell(rule, above) for rule, above in (("hard", 0.05), ("uniform", 0.3)))]
    for found in (
        without[0]["start"],
        without[0]["retrained"],
        *(p for c in without[1:] for p in c["curve"]),
    ):
        found["p"] = [None, None, *found["p"][2:]]
        found["ratio"] = [None, *found["ratio"][1:]]
    made = World(without)
    measured = {measure: made.gap("npo", "hard", measure).n for measure in ("distance", "ks", "spoiled")}
    assert measured == {"distance": N - 2, "ks": N - 1, "spoiled": N}


def test_seeds_that_only_one_of_both_has_do_not_count():
    made = world(cell("hard", 0.1), cell("hard", 0.1, 1), cell("uniform", 0.3))
    assert made.gap("npo", "hard", "distance").seeds == 1
    assert made.gap("rmu", "hard", "distance") is None
    assert world(cell("hard", 0.1)).gap("npo", "hard", "distance") is None


def test_seeds_beyond_those_of_the_file_s_first_row_count():
    made = World([head(), *(cell(rule, 0.1, seed) for rule in ("uniform", "hard") for seed in (0, 7))])
    assert made.gap("npo", "hard", "distance").seeds == 2
    assert made.expected == 6 * len(RULES) * len(STUDIED)
    assert "(2 of 6 seeds begun)" in page([made])


def test_seeds_that_disagree_widen_the_interval():
    def gap(*above):
        cells = (cell(r, a, s) for s, a in enumerate(above) for r, a in (("hard", a), ("uniform", 0.2)))
        return world(*cells).gap("npo", "hard", "distance")

    agreeing, split = gap(0.15, 0.15, 0.15), gap(0.02, 0.15, 0.28)
    assert agreeing.relation == "closer" and split.relation == "open"


def test_nothing_is_claimed_without_an_interval_that_excludes_0():
    clear, unclear = Gap(-0.1, -0.2, -0.01, 1, N), Gap(-0.1, -0.2, 0.01, 1, N)
    said = claim({("hard", "npo"): clear, ("soft", "npo"): unclear}, "distance")
    assert said == (
        "- Distance at equal utility, compared with uniform weights on 40 questions and 1 seed. "
        "Closer to the retrained model: `hard` with npo. Open: 1 of 2 comparisons."
    )
    several = claim({(r, o): clear for r in ("hard", "gold") for o in ("npo", "rmu")}, "ks")
    assert "Better: `hard` with npo, rmu; `gold` with npo, rmu. Open: 0 of 4" in several
    only = claim({("soft", "npo"): unclear}, "distance")
    assert "Closer" not in only and "Open: 1 of 1 comparisons" in only
    assert claim({}, "ks").startswith("- Forget quality at equal utility: no method has run")
    worse = claim({("hard", "npo"): replace(clear, low=0.1, high=0.3)}, "ks")
    assert "Worse: `hard` with npo." in worse


def test_the_page_counts_what_is_missing_and_says_how_to_go_on():
    text = page([world(cell("hard", 0.05), cell("uniform", 0.3))])
    assert f"**2 of {5 * len(RULES) * len(STUDIED)} cells done** (1 of 5 seeds begun)" in text
    assert "python -m benchmarks.study --worlds demo" in text
    assert "| demo | 40 questions and 1 seed | 1 closer, 0 farther of 1 |" in text
    assert "| npo | `hard` | 1 |" in text
    assert "`hard` selects 90 of 600 tokens." in text
    assert all(
        len(line) <= 110
        for line in text.splitlines()
        if not line.startswith(("|", "- Distance", "- Forget quality", "- Answers"))
    )


@pytest.mark.parametrize("options", ["--worlds demo", "--model smollm2-prose --suite prose --retain full"])
@pytest.mark.parametrize("budget", ["", "--trials 1 --steps 7 --limit 4"])
def test_what_the_page_says_of_going_on_is_taken_by_the_study(options, budget, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "planned", lambda chosen, *_: worlds.append(chosen[0]) or [])
    app, worlds = typer.Typer(), []
    app.command()(study.main)

    def go_on(*words):
        app([*words, "--out", str(tmp_path)], standalone_mode=False)
        return worlds[-1].described()

    started = go_on(*options.split(), *budget.split())
    text = page([World([head() | {"world": started}])])
    command = re.search("Go on with\n`python -m benchmarks.study (.+?)`", text)
    assert go_on(*command[1].split()) == started


def test_a_stand_in_for_the_retrained_model_is_named():
    text = page([World([head("demo-qwen3")])])
    assert "no retrained model of its own: `demo-retrained`" in text
    assert "no method has run together with `uniform`" in text


def test_the_layers_that_runs_train_are_named_where_they_are_not_all():
    text = page([World([head("smollm2-tofu")])])
    assert "Runs train the layers from 18 on" in text
    assert "Runs train the layers" not in page([World([head()])])


def test_without_results_the_page_lists_what_is_planned(tmp_path):
    text = page(read(tmp_path))
    assert f"| smollm2-tofu | 0 of {3 * len(RULES) * len(STUDIED)} | 0 | – |" in text
    assert "## Summary" not in text


def test_hours_left_follow_from_the_hours_taken():
    trial = {
        "kind": "trial",
        "objective": "npo",
        "rule": "hard",
        "number": 0,
        "seconds": 200.0,
        "cpu_seconds": 60.0,
    }
    spent, left = world(cell("hard", 0.1), trial).hours()
    methods = len(RULES) * len(STUDIED)
    assert spent == pytest.approx(90 / 3600)
    assert left == pytest.approx(((5 * methods - 1) * 30 + (3 * methods - 1) * 60) / 3600)


@pytest.mark.results
def test_the_committed_page_is_that_of_the_committed_results():
    assert PAGE.read_text(encoding="utf-8") == page(read(FOLDER))


@pytest.mark.results
def test_the_tables_of_the_readme_are_those_of_the_committed_results():
    readme, worlds = (PAGE.parent.parent / "README.md").read_text(encoding="utf-8"), read(FOLDER)
    assert summary_table(worlds, rules=README_RULES) in readme
    assert summary_table(worlds, "spoiled", README_RULES) in readme
    tofu = next(world for world in worlds if world.plan["name"] == "smollm2-tofu")
    assert claims(tofu) in readme and gap_table(tofu) in readme


def test_answers_that_leak_or_are_broken_are_counted_in_pairs():
    found = world(cell("uniform", 0.1, broken=20), cell("hard", 0.1, broken=4)).gap("npo", "hard", "spoiled")
    assert found.value == (4 - 20) / N
    assert found.low <= found.value <= found.high < 0
    said = claim({("hard", "npo"): found}, "spoiled")
    assert said.startswith("- Answers that leak or are broken at the tuned step,") and "Fewer: `hard`" in said


def test_a_summary_says_how_much_it_rests_on():
    worlds = [World([head(), cell("uniform", 0.3), cell("hard", 0.1)]), World([head("demo-prose")])]
    table = summary_table(worlds)
    assert table.splitlines()[2:] == [
        "| demo | 40 questions and 1 seed | 1 closer, 0 farther of 1 |",
        "| demo-prose | – | – |",
    ]


def test_a_summary_shows_the_rules_that_are_asked_for():
    worlds = [World([head(), *(cell(rule, 0.1) for rule in ("uniform", "hard", "random"))])]
    assert summary_table(worlds).splitlines()[0] == "| world | measured on | `hard` | `random` |"
    shown = summary_table(worlds, rules=("gold", "random"))
    assert shown.splitlines()[0] == "| world | measured on | `random` |"
