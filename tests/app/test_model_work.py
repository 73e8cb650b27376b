"""Work with a model on the worker's thread."""

from __future__ import annotations

import pytest

from app import model_work, tasks
from tokenunlearn.errors import Cancelled
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
