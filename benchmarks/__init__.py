"""Measurements of quality and speed; each module writes a JSON file under ``benchmarks/results``."""

import os
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
if DATA.is_dir():
    os.environ.setdefault("TOKENUNLEARN_DATA", str(DATA))
