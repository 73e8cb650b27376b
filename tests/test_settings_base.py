"""Every settings class refuses what does not fit its annotations and ranges, in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pytest

from tokenunlearn.attribution.atwu import AtwuSettings
from tokenunlearn.attribution.importance import ImportanceSettings
from tokenunlearn.attribution.masking_settings import MaskingSettings
from tokenunlearn.errors import RunError, TokenUnlearnError
from tokenunlearn.evaluation.watch import WatchSettings
from tokenunlearn.objectives import OBJECTIVES, WEIGHTINGS
from tokenunlearn.settings import LARGEST, Settings, choices_of, kind_of, renamed, setting, with_old_names
from tokenunlearn.training.finetune_settings import FinetuneSettings, RetrainSettings
from tokenunlearn.training.settings import UnlearnSettings

EVERY = [
    *(AtwuSettings, FinetuneSettings, ImportanceSettings, MaskingSettings, RetrainSettings),
    *(UnlearnSettings, WatchSettings),
    *dict.fromkeys([*OBJECTIVES.values(), *WEIGHTINGS.values()]),
]
FIELDS = [(kind, f.name) for kind in EVERY for f in fields(kind)]


def named(sort):
    """Every field of a type in every settings class."""
    return [pytest.param(k, n, id=f"{k.__name__}.{n}") for k, n in FIELDS if kind_of(k, n)[0] is sort]


@dataclass(frozen=True)
class Oven(Settings):
    """One field of each kind."""

    heat: Literal["top", "bottom"] | None = setting(None, "Where it is hot.")
    fan: bool = setting(False, "Whether air moves.")
    minutes: int = setting(5, "How long.", minimum=1)
    degrees: float = setting(180, "How hot.", above=0, maximum=300)
    door: float = setting(0, "How far it is open.", minimum=0, maximum=1)
    name: str = setting("oven", "What it is called.")
    trays: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"heat": "left"}, 'heat is "left"; it must be one of top, bottom.'),
        ({"heat": ["top"]}, "heat is \"['top']\"; it must be one of top, bottom."),
        ({"fan": 1}, 'fan is "1"; it must be true or false.'),
        ({"minutes": 1.0}, 'minutes is "1.0"; it must be a whole number.'),
        ({"minutes": True}, 'minutes is "True"; it must be a whole number.'),
        ({"minutes": None}, 'minutes is "None"; it must be a whole number.'),
        ({"minutes": 0}, "minutes is 0; it must be at least 1."),
        ({"minutes": 2**32}, "minutes is 4294967296; it must be at most 4,294,967,295."),
        ({"degrees": "hot"}, 'degrees is "hot"; it must be a number.'),
        ({"degrees": math.nan}, "degrees is nan; it must be a finite number."),
        ({"degrees": math.inf}, "degrees is inf; it must be a finite number."),
        ({"degrees": 0}, "degrees is 0; it must be above 0."),
        ({"degrees": 301.0}, "degrees is 301.0; it must be at most 300."),
        ({"door": -0.5}, "door is -0.5; it must be between 0 and 1."),
        ({"name": 5}, 'name is "5"; it must be text.'),
    ],
)
def test_each_fault_has_its_sentence(values, sentence):
    with pytest.raises(TokenUnlearnError) as refused:
        Oven(**values)
    assert str(refused.value) == sentence


def test_what_fits_is_taken():
    oven = Oven("top", True, LARGEST, np.float64(20), 1, "", ("a",))
    assert (oven.minutes, oven.degrees, oven.door) == (LARGEST, 20.0, 1)
    assert Oven().heat is None


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 10**400], ids=["nan", "inf", "-inf", "huge"]
)
@pytest.mark.parametrize(("kind", "name"), named(float))
def test_no_real_setting_is_infinite(kind, name, value):
    with pytest.raises(TokenUnlearnError, match=rf"{name} is .*; it must be a finite number\."):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), named(int))
def test_no_whole_setting_is_absurd(kind, name):
    with pytest.raises(TokenUnlearnError, match=rf"{name} is 1(0{{30}}); it must be at most [\d,]+\."):
        kind(**{name: 10**30})


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_setting_says_what_it_does(kind, name):
    assert name == "questions" or kind.__dataclass_fields__[name].metadata["help"].endswith(".")


def test_what_is_watched_has_an_error_of_its_own():
    with pytest.raises(RunError, match=r'watch every is "1\.5"; it must be a whole number'):
        WatchSettings(every=1.5)


def test_types_and_choices_of_fields():
    assert kind_of(UnlearnSettings, "layer") == (int, True)
    assert kind_of(UnlearnSettings, "seed") == (int, False)
    assert choices_of(Oven, "heat") == ("top", "bottom")
    assert choices_of(Oven, "name") == ()


def test_a_function_takes_an_argument_under_its_old_name():
    @with_old_names(heat="warmth")
    def bake(bread, warmth=180):
        return bread, warmth

    assert bake("rye", 200) == bake("rye", warmth=200) == ("rye", 200)
    with pytest.warns(DeprecationWarning, match='"heat" is now called "warmth"') as seen:
        assert bake("rye", heat=220) == ("rye", 220)
    assert seen[0].filename == __file__
    with pytest.raises(TypeError, match="unexpected keyword argument 'cold'"):
        bake("rye", cold=1)


def test_old_names_are_read():
    assert renamed({"regulariser": "kl", "normaliser": "rank", "seed": 1}) == {
        "regularizer": "kl",
        "normalizer": "rank",
        "seed": 1,
    }
