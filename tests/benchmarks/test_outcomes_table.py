"""The table of outcomes: shares of what became of answers, and what judges call broken."""

from benchmarks.outcomes_table import outcomes_table, read_table


def test_what_a_judge_calls_broken_is_not_taken_for_the_outcome():
    outcomes = {"forget/broken": {"unlearned model": [0.125, 0.1, 0.2, 72]}}
    shares = {"words": 0.25, "other": 0.0}
    called = {judge: {"unlearned model": [share, 0.0, 0.5, 72]} for judge, share in shares.items()}
    lines = outcomes_table({"outcomes": outcomes, "shipped_broken": called}).splitlines()[2:]
    assert lines == [
        "| `forget/broken` | 0.125 (0.100 to 0.200, n = 72) |",
        "| called broken by the judge `words`, whatever is stated | 0.250 (0.000 to 0.500, n = 72) |",
        "| called broken by the judge `other`, whatever is stated | 0.000 (0.000 to 0.500, n = 72) |",
    ]


def test_read_answers_are_rows_by_model_and_label():
    figures = {"demo": {"broken": [0.75, 0.5, 0.9, 20], "fluent": [0.0, 0.0, 0.2, 18]}}
    assert read_table({"read_broken": {"words": figures, "smollm2": figures}}).splitlines()[2:] == [
        "| `demo`, broken | 0.750 (0.500 to 0.900, n = 20) | 0.750 (0.500 to 0.900, n = 20) |",
        "| `demo`, fluent | 0.000 (0.000 to 0.200, n = 18) | 0.000 (0.000 to 0.200, n = 18) |",
    ]
