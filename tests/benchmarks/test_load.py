"""Visitors beside a run: what they saw is counted, and none drops out unseen."""

import time

import pytest

from benchmarks import load


def test_every_page_of_every_visitor_counts(monkeypatch):
    monkeypatch.setattr(load, "open_page", lambda *_: time.sleep(0.01) or (0.5, 1))
    crowd = load.Visitors("http://x", 3)
    time.sleep(0.1)
    crowd.leave()
    assert len(crowd.seconds) >= 3 and sum(crowd.errors) == len(crowd.seconds)


def test_a_visitor_who_gets_no_page_ends_the_measurement(monkeypatch):
    def open_page(address, query):
        if query == "sample=1":
            raise TimeoutError("no page")
        return 0.5, 0

    monkeypatch.setattr(load, "open_page", open_page)
    crowd = load.Visitors("http://x", 2)
    with pytest.raises(TimeoutError, match="no page"):
        crowd.leave()
