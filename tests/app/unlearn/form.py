"""The form of the page Unlearn as a test fills it in, and the runs that it starts."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app import services, tasks
from tests.waiting import wait_until
from tokenunlearn.runs.run import Run


def buttons(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def press(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception


def runs() -> list[Run]:
    return services.store().runs()


def wait_for_all() -> None:
    wait_until(lambda: not any(run.state.active for run in runs()))


def wait_for_checks(at: AppTest) -> None:
    """Until the worker has looked at model and samples, which a link alone does not start."""
    if "Load model" in buttons(at):
        press(at, "Load model")
    wait_until(lambda: not any(task.running for task in tasks.known().values()))
    at.run()
    assert not at.exception
