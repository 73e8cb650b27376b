"""Untrusted text, such as names and labels, where Streamlit reads Markdown."""

from __future__ import annotations

import re


def code(text: str) -> str:
    """The text as code on one line: nothing in it is markup, a link, an icon or a formula there."""
    return f"`{' '.join(text.replace('`', ' ').split()) or '-'}`"


def plain(text: str) -> str:
    """The text on one line in plain letters, every character that could be markup escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))
