"""Imports each public name as the first one of the package."""

from __future__ import annotations

import sys
from importlib import import_module

import tokenunlearn

for name in tokenunlearn.__all__:
    for module in [module for module in sys.modules if module.split(".")[0] == "tokenunlearn"]:
        del sys.modules[module]
    getattr(import_module("tokenunlearn"), name)
