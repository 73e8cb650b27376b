"""Measurements of quality and speed; each module writes a JSON file under ``benchmarks/results``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# The learning rate schedule of every run when most results were made, and NPO's length then.
CONSTANT: Mapping[str, Any] = {"lr_scheduler_type": "constant_with_warmup"}
CONSTANT_NPO: Mapping[str, Any] = {"objective": "npo", "steps": 40, **CONSTANT}


def of_then(objective: str) -> Mapping[str, Any]:
    """Settings of an objective as it was recommended when most results were made."""
    return CONSTANT_NPO if objective == "npo" else {"objective": objective, **CONSTANT}


if DATA.is_dir():
    os.environ.setdefault("TOKENUNLEARN_DATA", str(DATA))
