"""Work with a model on the worker's thread."""

from __future__ import annotations

import pytest

from app import model_work, tasks
from tests.stored_run import write_run
from tokenunlearn.errors import Cancelled, TokenUnlearnError
from tokenunlearn.models.source import ModelSource


def test_answers_are_cancelled_within_a_batch(home, model):
    task = model_work.ask_models("key", [ModelSource(model)], ["Who?", "Where?"])
    task.cancelled = True
    with pytest.raises(Cancelled):
        task.future.result(timeout=60)
    assert model_work.answers() == {}
    assert model_work.ask_models("key", [ModelSource(model)], ["Who?", "Where?"]) is task
    tasks.forget(task)
    model_work.ask_models("key", [ModelSource(model)], ["Who?", "Where?"]).future.result(timeout=60)
    assert len(model_work.answers()) == 2


@pytest.mark.parametrize("settings", [{"weighting": "wga"}, {"rescore": 2}], ids=str)
def test_weights_that_changed_in_training_are_not_made_again(home, tmp_path, settings):
    run = write_run(tmp_path, "20260101-100000-npo-hard-0001", "run", **settings)
    with pytest.raises(TokenUnlearnError, match=r'"(wga|rescore)" recomputes them while it trains'):
        model_work.measure_tokens(run)(None)
