"""Objectives, weightings and regularizers: pure functions of (batch, time) tensors, and parameters by name.

Nothing here imports torch before a loss is computed, so forms and help texts cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.objectives.alternative import Alternative, alternative
from tokenunlearn.objectives.altnpo import AltNPO, altnpo
from tokenunlearn.objectives.ceu import CEU, ceu
from tokenunlearn.objectives.complement import Complement, complement
from tokenunlearn.objectives.dpo import DPO, dpo
from tokenunlearn.objectives.graddiff import GradDiff
from tokenunlearn.objectives.gradient_ascent import GradientAscent, gradient_ascent
from tokenunlearn.objectives.idk import IDK, idk
from tokenunlearn.objectives.jensun import JensUn, jensun
from tokenunlearn.objectives.npo import NPO, npo
from tokenunlearn.objectives.objective import Objective
from tokenunlearn.objectives.pdu import PDU, pdu
from tokenunlearn.objectives.regularizers import (
    ActivationDistance,
    JSToReference,
    KLToReference,
    Regularizer,
    RetainNLL,
    activation_distance,
    kl_to_reference,
)
from tokenunlearn.objectives.rmu import RMU, rmu
from tokenunlearn.objectives.simnpo import SimNPO, simnpo
from tokenunlearn.objectives.step import ForgetStep, Refusals, RetainStep
from tokenunlearn.objectives.tpo import TPO, tpo
from tokenunlearn.objectives.undial import UNDIAL, undial
from tokenunlearn.objectives.weightings import (
    ETW,
    SU,
    TNPO,
    WTNPO,
    SatImp,
    Weighting,
    WGAWeighting,
    etw_weights,
    satimp_weights,
    su_weights,
    tnpo_weights,
    wga_weights,
    wtnpo_weights,
)
from tokenunlearn.objectives.wga import WGA, wga
from tokenunlearn.settings import shortened

# A new objective is one file and one line here; a new regularizer or weighting is one class and one line.
OBJECTIVES: dict[str, type[Objective]] = {
    "altnpo": AltNPO,
    "npo": NPO,
    "gradient_ascent": GradientAscent,
    "graddiff": GradDiff,
    "wga": WGA,
    "simnpo": SimNPO,
    "dpo": DPO,
    "rmu": RMU,
    "undial": UNDIAL,
    "ceu": CEU,
    "pdu": PDU,
    "tpo": TPO,
    "complement": Complement,
    "alternative": Alternative,
    "idk": IDK,
    "jensun": JensUn,
}
DEFAULT_OBJECTIVE = "altnpo"
WEIGHTINGS: dict[str, type[Weighting]] = {
    "selection": Weighting,
    "wga": WGAWeighting,
    "satimp": SatImp,
    "tnpo": TNPO,
    "wtnpo": WTNPO,
    "etw": ETW,
    "su": SU,
}
REGULARIZERS: dict[str, type[Regularizer] | None] = {
    "kl": KLToReference,
    "nll": RetainNLL,
    "js": JSToReference,
    "activation": ActivationDistance,
    "none": None,
}


def check_known(what: str, name: Any, known: Iterable[str]) -> None:
    """Refuse a name that is none of those known.

    Raises:
        TokenUnlearnError: If it is another text, or no text at all.
    """
    if name not in list(known):
        raise TokenUnlearnError(f'There is no {what} "{shortened(name)}"; use one of {", ".join(known)}.')


def _make(what: str, known: Mapping[str, type[Any]], name: str, parameters: Mapping[str, float]) -> Any:
    check_known(what, name, known)
    own = [f.name for f in fields(known[name])]
    for parameter in parameters:
        if parameter not in own:
            takes = f"takes {', '.join(own)}" if own else "takes no parameters"
            raise TokenUnlearnError(
                f'The {what} "{name}" has no parameter "{shortened(parameter)}"; it {takes}.'
            )
    return known[name](**parameters)


def make_objective(name: str, parameters: Mapping[str, float]) -> Objective:
    """An objective by name, with parameters by name.

    Raises:
        TokenUnlearnError: If the name is unknown or a parameter is not the objective's.
    """
    made: Objective = _make("objective", OBJECTIVES, name, parameters)
    return made


def make_weighting(name: str, parameters: Mapping[str, float]) -> Weighting:
    """A weighting by name, with parameters by name.

    Raises:
        TokenUnlearnError: If the name is unknown or a parameter is not the weighting's.
    """
    made: Weighting = _make("weighting", WEIGHTINGS, name, parameters)
    return made


def make_regularizer(name: str) -> Regularizer | None:
    """A regularizer by name; None for "none".

    Raises:
        TokenUnlearnError: If the name is unknown.
    """
    check_known("regularizer", name, REGULARIZERS)
    kind = REGULARIZERS[name]
    return kind() if kind else None


__all__ = [
    "CEU",
    "DPO",
    "ETW",
    "IDK",
    "NPO",
    "OBJECTIVES",
    "PDU",
    "REGULARIZERS",
    "RMU",
    "SU",
    "TNPO",
    "TPO",
    "UNDIAL",
    "WEIGHTINGS",
    "WGA",
    "WTNPO",
    "ActivationDistance",
    "AltNPO",
    "Alternative",
    "Complement",
    "ForgetStep",
    "GradDiff",
    "GradientAscent",
    "JSToReference",
    "JensUn",
    "KLToReference",
    "Objective",
    "Refusals",
    "Regularizer",
    "RetainNLL",
    "RetainStep",
    "SatImp",
    "SimNPO",
    "WGAWeighting",
    "Weighting",
    "activation_distance",
    "alternative",
    "altnpo",
    "ceu",
    "complement",
    "dpo",
    "etw_weights",
    "gradient_ascent",
    "idk",
    "jensun",
    "kl_to_reference",
    "make_objective",
    "make_regularizer",
    "make_weighting",
    "npo",
    "pdu",
    "rmu",
    "satimp_weights",
    "simnpo",
    "su_weights",
    "tnpo_weights",
    "tpo",
    "undial",
    "wga",
    "wga_weights",
    "wtnpo_weights",
]
