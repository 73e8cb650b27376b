"""Renders a template as a person's program does that imports nothing else, and ends."""

from __future__ import annotations

import sys

sys.path.insert(0, sys.argv[1])

from rendering import RenderProcess

process = RenderProcess()
process.render("{{ 1 }}", [], {})
sys.stdout.write(f"{process._process.pid} {'torch' in sys.modules}")
