"""Measurements of quality and speed; each module writes a JSON file under ``benchmarks/results``."""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"
