"""What fits: known answers, reached facts, the retained set, the time."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import tokenunlearn as tu
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import HardSelection
from tokenunlearn.folders import ASSETS
from tokenunlearn.runs.fit import fit
from tokenunlearn.runs.retained import fitting_retained, untrained


def answer(name, fact_nll, importance):
    made = sample(np.ones(6), importance, gold=(3,), name=name)
    nll = np.full(6, 0.1, dtype=np.float32)
    nll[3] = fact_nll
    return replace(made, nll=nll)


SCORES = score_set(
    [
        answer("known", 0.2, [0, 0, 0, 9, 0, 0]),
        answer("unreached", 0.2, [9, 9, 9, 1, 9, 0]),
        answer("unknown", 7, [0, 0, 0, 9, 0, 0]),
    ],
    reading="plain",
    granularity="token",
)


def sentences(own) -> str:
    return " ".join(finding.sentence for finding in own.findings)


def test_unknown_answers_and_missed_facts_are_told_apart():
    own = fit(SCORES, HardSelection(threshold=0.7))
    assert (own.unknown, own.unreached, own.half_reached) == (("unknown",), ("unreached",), ())
    assert "1 of 3 answers (unknown): its facts cost the model 7.0 nats a token" in sentences(own)
    assert "1 of 2 known facts has no selected token (unreached)" in sentences(own)
    assert own.covering.value <= own.reaching.value < 0.7
    assert fit(SCORES, HardSelection(threshold=own.reaching.value)).unreached == ()


def test_half_of_a_fact():
    both = replace(SCORES.samples[0], span=(SCORES.samples[0].offsets[3], SCORES.samples[0].offsets[2]))
    own = fit(replace(SCORES, samples=(both,)).with_override(both.sample_id, 2, False), HardSelection(0.0))
    assert own.half_reached == ("known",) and "only some of their tokens" in sentences(own)


def test_a_set_that_fits_is_said_to():
    own = fit(tu.ScoreSet.load(ASSETS / "scores" / "demo-authors-forget10.parquet"))
    assert own.unknown == ()
    assert "The model knows all 72 answers." in sentences(own)
    assert own.retained.name == "authors:retain90"


def test_nothing_selected_is_no_error():
    assert fit(SCORES, HardSelection(threshold=1.0)).unreached == ("known", "unreached")


def test_without_facts_that_is_said():
    bare = replace(SCORES, samples=tuple(replace(x, span=()) for x in SCORES.samples))
    own = fit(bare)
    assert own.reaching is None is own.covering and "No answer has a gold span" in sentences(own)


def test_it_is_plain_json_with_the_time():
    values = json.loads(json.dumps(fit(SCORES, seconds=840).to_json()))
    assert values["seconds"] == 840 and values["unknown"] == ["unknown"]
    assert values["findings"][-1]["sentence"] == "Training takes about 14 min."
    assert [a["known"] for a in values["answers"]] == [True, True, False]


@pytest.mark.parametrize(
    ("model", "samples", "name"),
    [
        ("demo", "authors:forget05", "authors:retain95"),
        ("demo", "file:own.jsonl", "authors:retain90"),
        ("demo-prose", "file:own.jsonl", "prose:retain"),
        ("smollm2-tofu", "file:own.jsonl", "tofu:retain90_first15"),
        ("smollm2", "file:own.jsonl", "authors:world_facts"),
        ("smollm2", "authors:forget10", "authors:world_facts"),
        ("org/model", "file:own.jsonl", "authors:world_facts"),
        ("org/model", "authors:forget10", "authors:retain90"),
    ],
)
def test_no_model_is_to_retain_what_it_never_learned(model, samples, name):
    retained = fitting_retained(model, samples)
    assert retained.name == name and retained.reason.endswith(".")


def test_presets_are_trained_but_for_smollm2():
    presets = ("demo", "demo-retrained", "smollm2-authors", "smollm2-tofu")
    assert not any(map(untrained, presets)) and untrained("smollm2") and untrained("./folder")
