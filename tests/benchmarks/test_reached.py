"""How many facts a selection reaches, and the table of it."""

import numpy as np

from benchmarks.reached import reached
from benchmarks.reached_table import reached_table, section
from tests.app.scores import sample, score_set
from tokenunlearn.attribution.selection import TokenWeights


def test_a_fact_without_a_selected_token_is_missed_and_answers_without_a_fact_do_not_count():
    facts = {"a": (1, 2), "b": (2,), "c": ()}
    scores = score_set([sample(np.ones(4), np.ones(4), gold=gold, name=name) for name, gold in facts.items()])
    weights = TokenWeights(tuple(facts), tuple(np.eye(4)[[1, 0, 0]]), {"selection": "hard"})
    found = reached(scores, weights)
    assert (found["selected"], found["facts"]) == (3 / 12, 2)
    assert found["missed"][0] == 0.5
    assert found["coverage"][0] == (0.5 + 0) / 2


def test_models_are_rows_with_the_default_first():
    rule = {"selected": 0.2, "facts": 9, "missed": [0.1, 0.05, 0.2], "coverage": [0.8, 0.7, 0.9]}
    rules = {"default": rule, "0.15": rule | {"missed": [0.25, 0, 1], "coverage": [0.5, 0, 1]}}
    result = {"models": {"demo": {"forget": "x:y", "reading": "sharp", "rules": rules}}}
    header, rows = reached_table(result)
    assert header == ["model, reading", "n", "default", "15 %"]
    assert rows == [
        ["`demo`, sharp", "9", "20 %: 0.10 (0.05 to 0.20), 0.80 (0.70 to 0.90)", "0.25 (0.50)"],
    ]
    assert "0.25 (0.50)" in section(result)
