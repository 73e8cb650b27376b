"""The table of gradient signal-to-noise, and the sentence that says whether the theory's prediction holds."""

import pytest

from benchmarks.snr_table import judgment, section, snr_table


def row(ratio, selected=5):
    figures = {"snr": [0.5, 0.25, 0.75], "to_uniform": ratio, "by_sample": [1.0, 0.5, 2.0]}
    return figures | {"selected": selected, "samples": 3}


def result(gold=(0.25, 0.2, 0.3), other=(0.1, 0.05, 0.15), ratio=(1.0, 0.5, 1.5)):
    return {
        "forget": "f",
        "samples": 3,
        "subjects": 2,
        "trained": "full",
        "parameters": 1000,
        "directions": 3,
        "threshold": 0.5,
        "tokens": {"gold": 4, "all": 9},
        "shares": {"gold": list(gold), "other": list(other)},
        "rules": {"default": row(list(ratio)), "gold": row([3.0, 2.0, 4.0])},
        "curves": {"hard": [{"at": 0.5, **row([1.0, 1.0, 1.0])}], "soft": []},
    }


def test_rules_then_thresholds_are_rows():
    header, rows = snr_table(result())
    assert header[1:3] == ["SNR", "to uniform"]
    assert [r[0] for r in rows] == ["default", "gold", "hard, threshold 0.5"]
    assert rows[0][1:3] == ["0.5000 (0.2500 to 0.7500)", "1.00 (0.50 to 1.50)"]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({}, "It holds here, and the gold tokens' gradients lie inside more; most of their length"),
        (
            {"other": (0.6, 0.55, 0.65)},
            "It does not hold here, but the gold tokens' gradients lie inside less",
        ),
        ({"other": (0.25, 0.1, 0.4)}, "It holds here, but the gold tokens' gradients do not differ"),
    ],
)
def test_whether_the_prediction_holds_is_said_either_way(shares, said):
    assert said in judgment(result(**shares))


@pytest.mark.parametrize(
    ("ratio", "said"),
    [((3, 2.1, 4), "at least twice"), ((1, 0.5, 1.5), "less than twice"), ((2, 1, 3), "not clearly twice")],
)
def test_whether_the_default_doubles_uniform_is_said_either_way(ratio, said):
    assert said in judgment(result(ratio=ratio))


def test_another_subspace_is_named_where_it_was_measured():
    one = result()
    assert "other half of the subjects" not in section("m", one, "")
    one["other_subjects"] = {"rules": one["rules"], "shares": one["shares"]}
    assert "3.00 (2.00 to 4.00)" in section("m", one, "")
