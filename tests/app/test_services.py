"""What the pages share of runs and models."""

from __future__ import annotations

from app import services
from tokenunlearn.models import presets


def test_models_that_cannot_be_loaded_are_not_offered(home, monkeypatch):
    for available in (True, False):
        monkeypatch.setattr(presets, "smollm2_available", lambda available=available: available)
        names = services.model_names()
        assert ("smollm2" in names) is ("smollm2-authors" in names) is available
        assert names[:2] == ["demo", "demo-retrained"]
    monkeypatch.setitem(presets.PRESETS, "unbuilt", presets.ModelPreset("unbuilt", None, None, None, ""))
    assert "unbuilt" not in services.model_names()
