"""What runs take: the tokens that they read, the largest memory, the time of all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tokenunlearn.runs.cost import PASSES_OF_A_SCORE, PASSES_OF_A_STEP, RunCost
from tokenunlearn.training.memory import ModelShape, Workload
from tokenunlearn.training.settings import UnlearnSettings

SHAPE = ModelShape(parameters=10**6, linear=10**4, layers=2, hidden=64, intermediate=256, vocabulary=1000)
COST = RunCost(SHAPE, "cpu", forget=(10, 20), retain=(30, 50, 10), lengths=(30, 40, 50, 70, 10), seconds=1e-3)
SMALL = UnlearnSettings(steps=5, batch_size=2, retain_batch_size=3)


def test_a_run_reads_the_forget_set_and_the_retained_samples_that_it_draws():
    assert COST.workload(SMALL) == Workload(forget=30, retain=90, length=70, response=50)
    assert COST.workload(replace(SMALL, steps=1, retain_batch_size=1)).retain == 30
    assert COST.workload(replace(SMALL, regularizer="none")) == Workload(30, 0, 70, 20)


def test_time_adds_up_and_memory_is_that_of_the_largest_run():
    large = replace(SMALL, batch_size=32, regularizer="none")
    alone = 5 * (2 + 3) * 40 * 1e-3 * PASSES_OF_A_STEP
    assert COST.time([SMALL]) == pytest.approx(alone)
    assert COST.time([SMALL, large]) == pytest.approx(alone + 5 * 32 * 40 * 1e-3 * PASSES_OF_A_STEP)
    assert COST.memory([SMALL, large]) == COST.memory([large])
    rescored = 2 * len(COST.forget) * 40 * 1e-3 * PASSES_OF_A_SCORE
    assert COST.time([replace(SMALL, rescore=2)]) == pytest.approx(alone + rescored)


def test_one_run_and_several_in_words():
    assert COST.sentence([SMALL]).startswith("A run of 5 steps takes about ")
    assert " and 3 s of training, estimated" in COST.sentence([SMALL])
    assert COST.sentence([SMALL, SMALL]).startswith("The 2 runs take at most about ")
    assert " and 6 s of training in all, estimated" in COST.sentence([SMALL, SMALL])
    assert " and 50 min of training" in replace(COST, seconds=1.0).sentence([SMALL])
