"""``tokenunlearn app``: the Streamlit app, out of a checkout or an installed wheel."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from tokenunlearn.commands.console import err
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.folders import APP

LOCAL = ("localhost", "127.0.0.1", "::1")
PORT = 8501
# Role -> variable that holds its access token; the app reads them.
TOKENS = {"runner": "TOKENUNLEARN_TOKEN", "viewer": "TOKENUNLEARN_VIEWER_TOKEN"}
SHORTEST_TOKEN = 16
# Variables that set up another sign-in than by a token of its own.
SIGN_IN = (*TOKENS.values(), "TOKENUNLEARN_RUNNERS", "TOKENUNLEARN_VIEWERS")


def serve(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: 8501, or the next free port.")
    ] = None,
    address: Annotated[
        str, typer.Option(help='Address to listen on; "0.0.0.0" needs --allow-remote.')
    ] = "localhost",
    allow_remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote",
            help="Accept connections from other machines. Visitors sign in: with TOKENUNLEARN_TOKEN, a token "
            "made and printed now, or OpenID Connect.",
        ),
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="For public showing: embedded models, no starts, no uploads.")
    ] = False,
) -> None:
    """Start the app; other options are passed to "streamlit run"."""
    if find_spec("streamlit") is None:
        raise TokenUnlearnError('The app needs Streamlit: pip install "tokenunlearn[app]".')
    options = list(context.args)
    if demo:
        os.environ["TOKENUNLEARN_DEMO"] = "1"
    if address not in LOCAL and not allow_remote:
        raise TokenUnlearnError(
            f'"{address}" lets other machines in; add --allow-remote, and visitors will have to sign in.'
        )
    if allow_remote:
        port = port or PORT
        if not any(option.startswith("--server.allowedHosts") for option in options):
            options += ["--server.allowedHosts", "*"]
        host = socket.gethostname() if address in ("0.0.0.0", "::") else address
        # Streamlit would otherwise ask a public service for the address.
        options += ["--browser.serverAddress", host, "--client.showErrorDetails", "none"]
        if not demo and not any(map(os.environ.get, SIGN_IN)):
            token = os.environ[TOKENS["runner"]] = secrets.token_urlsafe(24)
            # Once, and nowhere else.
            err.print(f"Open http://{host}:{port}/?token={token}", soft_wrap=True, markup=False)
    command = [sys.executable, "-m", "streamlit", "run", str(APP / "streamlit_app.py")]
    command += ["--server.address", address, *(["--server.port", str(port)] if port else []), *options]
    os.execv(sys.executable, command)
