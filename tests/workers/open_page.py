"""Opens a page at an address."""

from __future__ import annotations

import sys

from streamlit.testing.v1 import AppTest

from tests.launch import ROOT

page, *parameters = sys.argv[1:]
at = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
for parameter in parameters:
    name, _, value = parameter.partition("=")
    at.query_params[name] = value
at.switch_page(f"pages/{page}.py").run()
assert not at.exception
