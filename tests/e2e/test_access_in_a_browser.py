"""Who gets in, seen from outside: the sign-in in a real browser, and WebSockets of other sites."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from benchmarks.served_app import find_chromium, served

pytestmark = pytest.mark.browser
RUNNER, VIEWER = "runner-token-of-16", "viewer-token-of-16"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Address of an app that listens on every interface and asks for a token."""
    if find_chromium() is None:
        pytest.skip("no Chromium: name one with CHROMIUM or install chromium")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENUNLEARN_TOKEN", RUNNER)
        patch.setenv("TOKENUNLEARN_VIEWER_TOKEN", VIEWER)
        options = ("--server.address", "0.0.0.0", "--server.allowedHosts", "*")
        with served(tmp_path_factory.mktemp("guarded"), *options) as address:
            yield address


def handshake(address: str, host: str, origin: str) -> int:
    """Status of a WebSocket's handshake under a name, from a page of an origin."""
    place = urlsplit(address)
    headers = {
        "Host": f"{host}:{place.port}",
        "Origin": f"http://{origin}:{place.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "streamlit",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall(f"GET /_stcore/stream HTTP/1.1\r\n{lines}\r\n".encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost", "localhost", 101),
        ("127.0.0.1", "127.0.0.1", 101),
        ("rebound.example", "rebound.example", 403),  # a name that its owner points at 127.0.0.1
        ("localhost", "elsewhere.example", 403),
    ],
)
def test_a_page_of_another_site_gets_no_websocket(app, host, origin, status):
    assert handshake(app, host, origin) == status


def test_the_first_visitor_of_any_page_is_asked_for_the_token_and_comes_back_to_it(guarded, page):
    page.goto(f"{guarded}/compare?view=Settings")
    page.get_by_role("heading", name="Sign in").wait_for()
    assert (
        page.get_by_test_id("stTopNavLink").count() == 0 and page.get_by_text("Runs to compare").count() == 0
    )
    page.get_by_label("Access token").fill("wrong-token-of-16ch")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This token is not valid.").wait_for()
    page.get_by_label("Access token").fill(VIEWER)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Compare").wait_for()
    page.get_by_text("View only").wait_for()
    page.wait_for_url("**view=Settings**")
    assert VIEWER not in page.url


def test_a_token_of_a_link_leaves_the_address_bar(guarded, page):
    page.goto(f"{guarded}/system?token={RUNNER}")
    page.get_by_role("heading", name="System").wait_for()
    page.wait_for_url(lambda url: "token" not in url)
    assert RUNNER not in page.content()


def test_started_for_everybody_without_a_sign_in_it_shows_one_sentence(tmp_path, page, monkeypatch):
    for name in ("TOKENUNLEARN_TOKEN", "TOKENUNLEARN_VIEWER_TOKEN"):  # of the server above
        monkeypatch.delenv(name, raising=False)
    with served(tmp_path, "--server.address", "0.0.0.0") as address:
        page.goto(f"{address}/tokens")
        page.get_by_text("Other machines can reach this app, but it has no sign-in").wait_for()
        assert page.get_by_role("heading").count() == page.get_by_test_id("stTopNavLink").count() == 0
