"""``tokenunlearn app``: the Streamlit app, out of a checkout or an installed wheel."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import APP


def serve(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: 8501, or the next free port.")
    ] = None,
    address: Annotated[
        str, typer.Option(help='Address to listen on; "0.0.0.0" accepts connections from other machines.')
    ] = "localhost",
) -> None:
    """Start the app; other options are passed to "streamlit run"."""
    if find_spec("streamlit") is None:
        raise TokenUnlearnError('The app needs Streamlit: pip install "tokenunlearn[app]".')
    command = [sys.executable, "-m", "streamlit", "run", str(APP / "streamlit_app.py")]
    command += ["--server.address", address, *(["--server.port", str(port)] if port else []), *context.args]
    os.execv(sys.executable, command)
