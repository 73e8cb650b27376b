"""Imports modules."""

from __future__ import annotations

import sys

for name in sys.argv[1:]:
    __import__(name)
