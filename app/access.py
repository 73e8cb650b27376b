"""Who gets in and who may do what: sign-in by token or OpenID Connect, two roles, the demo.

The environment says who may enter: ``TOKENUNLEARN_TOKEN`` and ``TOKENUNLEARN_VIEWER_TOKEN`` hold the access
tokens, ``TOKENUNLEARN_RUNNERS`` and ``TOKENUNLEARN_VIEWERS`` list accounts, ``TOKENUNLEARN_DEMO`` makes
everybody a viewer.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import streamlit as st

from tokenunlearn import folders
from tokenunlearn.commands.app import LOCAL, SHORTEST_TOKEN, TOKENS
from tokenunlearn.errors import AccessError

Role = Literal["runner", "viewer"]
# ask: answers and tokens of models at hand; open: models and files by name; save: sets, selectors; push: to
# the Hub, with the token of the machine.
Action = Literal["ask", "start", "cancel", "delete", "rename", "upload", "save", "open", "push"]

MAY: dict[Role, frozenset[str]] = {"runner": frozenset(get_args(Action)), "viewer": frozenset({"ask"})}
ACCOUNTS: dict[Role, str] = {"runner": "TOKENUNLEARN_RUNNERS", "viewer": "TOKENUNLEARN_VIEWERS"}
SESSION, LINK = "access_role", "access_link"
DELAY = 1.0  # seconds that a wrong token costs


def may(action: Action) -> bool:
    """Whether the visitor may do something."""
    role = visitor_role()
    return role is not None and action in MAY[role]


def require(action: Action) -> None:
    """Refuse what the visitor may not do, whatever page or widget asks for it.

    Raises:
        AccessError: If they may not.
    """
    if not may(action):
        raise AccessError("The demo does not allow this." if is_demo() else "Your role does not allow this.")


def is_admitted() -> bool:
    """Whether the visitor may see the pages."""
    return setup_fault() is None and visitor_role() is not None


def admit() -> None:
    """Let the script go on for visitors who may see the pages; all others get the sign-in or one sentence.

    The door calls it, and so does every page, in case Streamlit executes it without the door.
    """
    token = st.query_params.get("token")
    if token is not None:
        del st.query_params["token"]  # out of the address bar
    fault = setup_fault()
    if fault:
        st.text(fault)
        st.stop()
    if visitor_role() is None:
        if token and _take(token):
            st.rerun()
        _sign_in(wrong=bool(token))
        st.stop()
    folders.confine(roots())
    st.session_state.setdefault(LINK, {name: st.query_params.get_all(name) for name in st.query_params})


def linked() -> Mapping[str, list[str]]:
    """Name -> values of the parameters of the address that this session began with."""
    parameters: Mapping[str, list[str]] = st.session_state.get(LINK, {})
    return parameters


def is_linked(*names: str) -> bool:
    """Whether the address that this session began with set one of these parameters."""
    return not linked().keys().isdisjoint(names)


def visitor_role() -> Role | None:
    """The role of the visitor; None for one who has not signed in, or whose account has no role."""
    role: Role | None = st.session_state.get(SESSION) if signs_in() else "runner"
    if role is None and has_accounts():
        role = role_of_claims(st.user.to_dict())
    return "viewer" if role and is_demo() else role


def is_demo() -> bool:
    """Whether the app is shown to the public."""
    return os.environ.get("TOKENUNLEARN_DEMO", "0") not in ("", "0")


def is_local() -> bool:
    """Whether only this machine reaches the app, under no other name."""
    return st.get_option("server.address") in LOCAL and set(st.get_option("server.allowedHosts")) <= set(
        LOCAL
    )


def signs_in() -> bool:
    """Whether visitors have to sign in."""
    return bool(tokens()) or has_accounts() or not (is_local() or is_demo())


def has_accounts() -> bool:
    """Whether visitors can sign in with OpenID Connect: secrets.toml has the section [auth]."""
    return bool(st.secrets.load_if_toml_exists() and "auth" in st.secrets)


def tokens() -> dict[Role, str]:
    """The access tokens by role."""
    return {role: token for role, name in TOKENS.items() if (token := os.environ.get(name))}  # type: ignore[misc]


def setup_fault() -> str | None:
    """One sentence on a setup that lets nobody in, or None."""
    secrets = tokens()
    for role, token in secrets.items():
        if len(token) < SHORTEST_TOKEN:
            return f"{TOKENS[role]} must have at least {SHORTEST_TOKEN} characters."
    if len(set(secrets.values())) < len(secrets):
        return f"{' and '.join(TOKENS.values())} must differ."
    if has_accounts():
        if find_spec("authlib") is None:
            return 'Signing in with OpenID Connect needs Authlib: pip install "tokenunlearn[sign-in]".'
    elif signs_in() and not secrets:
        return (
            'Other machines can reach this app, but it has no sign-in; start it with "tokenunlearn app '
            '--allow-remote" or set TOKENUNLEARN_TOKEN.'
        )
    return None


def role_of_token(token: str) -> Role | None:
    """The role that a token gives, compared in constant time."""
    given = token.encode("utf-8", "surrogatepass")
    equal = [role for role, secret in tokens().items() if hmac.compare_digest(given, secret.encode())]
    return equal[0] if equal else None


def role_of_claims(claims: Mapping[str, Any]) -> Role | None:
    """The role of an account, by what the identity provider says of it.

    An entry of the lists is an e-mail address, "@example.org" for all addresses of a domain, or CLAIM=VALUE.
    Addresses count only where the provider has verified them.
    """
    if not claims.get("is_logged_in"):
        return None
    for role, name in ACCOUNTS.items():
        entries = [entry.strip() for entry in os.environ.get(name, "").split(",")]
        if any(entry and _matches(entry, claims) for entry in entries):
            return role
    return None


def _matches(entry: str, claims: Mapping[str, Any]) -> bool:
    claim, equals, value = entry.partition("=")
    if equals:
        given = claims.get(claim)
        return value in (given if isinstance(given, list) else [given])
    email = str(claims.get("email", "")).lower()
    entry = entry.lower()
    return claims.get("email_verified") is True and (
        email.endswith(entry) if entry[0] == "@" else email == entry
    )


def _take(token: str) -> bool:
    """Remember the role of a valid token in this session, and nowhere else."""
    role = role_of_token(token)
    if role is None:
        time.sleep(DELAY)
        return False
    st.session_state[SESSION] = role
    return True


def _sign_in(*, wrong: bool) -> None:
    """The form that asks for the token, the button of OpenID Connect, or both."""
    with st.container(width=420):
        st.title("Sign in")
        if has_accounts():
            if st.user.is_logged_in:
                st.text(f"The account {st.user.get('email', '')} has no access to this app.")
                st.button("Sign out", on_click=st.logout)
            else:
                st.button("Sign in with your account", type="primary", on_click=st.login)
        if tokens():
            with st.form("sign_in", border=False):
                token = st.text_input("Access token", type="password", autocomplete="current-password")
                if (
                    st.form_submit_button("Sign in", type="secondary" if has_accounts() else "primary")
                    and token
                ):
                    if _take(token):
                        st.rerun()
                    wrong = True
            st.caption("Whoever started the app has the token. A reload of the page asks for it again.")
        if wrong:
            st.text("⚠ This token is not valid.")


def show_role() -> None:
    """One quiet line for visitors who may not do everything."""
    if is_demo():
        st.caption("Demo with the embedded models: nothing can be started, uploaded or changed.")
    elif not may("start"):
        st.caption("View only: nothing can be started, uploaded or changed.")


def roots() -> tuple[Path, ...]:
    """Folders that models and samples may be read from.

    What the app itself writes and ships always counts. The others are those of ``TOKENUNLEARN_ROOTS``;
    without it the working folder, ``TOKENUNLEARN_DATA``, and the home folder where nobody has to sign in.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    own: list[str | Path] = [
        folders.ASSETS,
        folders.cache_folder(),
        os.environ.get("TOKENUNLEARN_RUNS", "runs"),
        HF_HUB_CACHE,
    ]
    named = os.environ.get("TOKENUNLEARN_ROOTS")
    if named is not None:
        others = named.split(os.pathsep)
    else:
        home = [] if signs_in() or is_demo() else [str(Path.home())]
        others = [os.getcwd(), os.environ.get("TOKENUNLEARN_DATA", ""), *home]
    return tuple(folders.user_path(path).resolve() for path in (*own, *others) if path)
