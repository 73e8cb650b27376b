"""A contender of a benchmark; the one called slow takes long."""

from __future__ import annotations

import json
import sys

_, contender, *words = sys.argv[1:]
json.dump({"seconds": [9.0 if contender == "slow" else 1.0], "asked": words}, sys.stdout)
