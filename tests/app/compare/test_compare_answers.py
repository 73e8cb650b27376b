"""Stored answers of every contender to the same questions."""

from __future__ import annotations

import json
import os

from app import model_work
from app.compare.compare_answers import keep_stored, stored_rows
from app.compare.comparison import Contender
from tests.stored_run import write_run


def test_answers_of_earlier_weights_are_not_those_of_a_run_that_went_on(home):
    model_work.answers.clear()
    run = write_run(home, "20260101-100000-npo-hard-0001", "run")
    (run.folder / "adapter").mkdir(exist_ok=True)
    column = Contender("A", run.result, run=run)

    def shown(after, seconds):
        row = {"sample_id": "0", "question": "Who?", "answer": "Bo.", "before": "Bo.", "after": after}
        (run.folder / "generations.json").write_text(json.dumps({"forget": [row]}))
        for name in ("adapter", "generations.json"):
            os.utime(run.folder / name, (seconds, seconds))
        keep_stored([column], {})
        (row,) = stored_rows([column])["forget"]
        return row["replies"]["A"]

    assert shown("Bo, half forgotten.", 1) == "Bo, half forgotten."
    assert shown("Nobody.", 2) == "Nobody."
    model_work.answers.clear()
