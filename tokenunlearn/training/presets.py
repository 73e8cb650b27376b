"""Presets of an unlearning run by name: settings that belong together; all else is left to the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenunlearn.objectives import OBJECTIVES


@dataclass(frozen=True)
class RunPreset:
    """Settings of a run that belong together.

    Attributes:
        settings: Setting -> value, as :meth:`UnlearnSettings.from_settings` takes them; what is not named is
            filled from the objective's recommendation.
        summary: When to take it, in one sentence.
    """

    settings: Mapping[str, Any]
    summary: str


# Every objective as it is recommended, a quick look, and the published methods that bring their own weights.
RUN_PRESETS: dict[str, RunPreset] = {
    "quick look": RunPreset({"objective": "npo", "steps": 10}, "Ten steps of NPO, for a first look."),
    **{
        f"{name}, recommended": RunPreset(
            {"objective": name}, f"{name} with the selected token weights and its recommended settings."
        )
        for name in OBJECTIVES
    },
    "npo, sequence level": RunPreset(
        {"objective": "npo", "control": "uniform"},
        "NPO as published: all answer tokens have the same weight.",
    ),
    "npo, falling rate": RunPreset(
        {"objective": "npo", "steps": 80, "lr_scheduler_type": "linear"},
        "NPO for twice as long at a learning rate that falls to 0, which gives retained answers back.",
    ),
    "npo, secret alone": RunPreset(
        {"objective": "npo", "frame": 0.0},
        "NPO without the KL divergence on unselected answer tokens; nothing holds the rest of the sentence.",
    ),
    "npo, long texts": RunPreset(
        {"objective": "npo", "beta": 0.01, "lambda_": 10, "steps": 100, "learning_rate": 1e-3},
        "For documents: a small beta, because NPO with the default one stops too early on long texts.",
    ),
    "satimp, published weights": RunPreset(
        {
            "objective": "gradient_ascent",
            "weighting": "satimp",
            "regularizer": "nll",
            "published_scale": True,
        },
        "SatImp (arXiv 2505.11953): weights p^5 (1 - p), retain loss on the answers.",
    ),
    "tnpo weights": RunPreset(
        {"objective": "gradient_ascent", "weighting": "tnpo"},
        "Token-wise NPO (arXiv 2502.19301): NPO's sequence weight applied per token.",
    ),
}
