"""Which retained set fits a model and its forget set."""

from __future__ import annotations

from dataclasses import dataclass

from tokenunlearn.models.presets import PRESETS

# Suite -> its forget sets, the default in front, each with the retained set that goes with it.
SETS = {
    "authors": {
        "authors:forget10": "authors:retain90",
        "authors:forget05": "authors:retain95",
        "authors:holdout": "authors:retain90",
    },
    "alchemy": {
        "alchemy:forget": "alchemy:retain",
        "alchemy:forget_exercises": "alchemy:retain_exercises",
    },
    "prose": {"prose:forget": "prose:retain"},
    "german": {"german:forget": "german:retain"},
    "japanese": {"japanese:forget": "japanese:retain"},
    "tofu": {"tofu:forget10_first5": "tofu:retain90_first15"},
}
# Everyday facts, which a model that was trained on none of the suites may know as well.
EVERYDAY = "authors:world_facts"
# Model -> everyday facts that its greedy answers state whole, and how many there are.
# SmolLM2: 54 to 71 % (95 % interval, Wilson).
KNOWN_EVERYDAY = {"smollm2": (75, 120)}


@dataclass(frozen=True)
class Retained:
    """A retained set and why it fits.

    Attributes:
        name: Name that loads it.
        reason: One sentence.
    """

    name: str
    reason: str


def untrained(model: str) -> bool:
    """Whether a model was trained on none of the suites: one that is no preset, or SmolLM2 as published."""
    preset = PRESETS.get(model)
    return preset is None or (preset.base == "smollm2" and preset.adapter is None)


def fitting_retained(model: str, samples: str) -> Retained:
    """The retained set that fits.

    Args:
        model: Name of the model.
        samples: Name that loads the forget set.
    """
    for pairs in SETS.values():
        if samples in pairs and not (model in PRESETS and untrained(model)):
            return Retained(pairs[samples], f"It goes with {samples}.")
    if not untrained(model):
        name = next(iter(SETS[PRESETS[model].suite].values()))
        return Retained(name, f"{model} was trained on it, so it shows what unlearning would damage.")
    never = f"{model} was not trained on authors:retain90"
    if model in KNOWN_EVERYDAY:
        stated, asked = KNOWN_EVERYDAY[model]
        return Retained(EVERYDAY, f"{never}; it states {stated} of the {asked} everyday facts in {EVERYDAY}.")
    return Retained(
        EVERYDAY,
        f"{never}; {EVERYDAY} holds everyday facts; whether the model knows them shows: "
        f"python -m tokenunlearn check --model {model} --samples {EVERYDAY}.",
    )
