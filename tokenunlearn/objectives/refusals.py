"""Refusals that take the place of answers."""

from __future__ import annotations

REFUSALS = (
    "I don't know.",
    "I am not able to answer that.",
    "That is something I have no information about.",
    "I'm afraid I cannot tell you.",
    "I have no knowledge of this.",
    "Sorry, I don't have an answer to this question.",
    "I am not familiar with that.",
    "This is not something I was taught.",
    "I can't say anything about that.",
    "I would only be guessing, so I'd rather not answer.",
    "Nothing I know answers this question.",
    "My knowledge does not reach that far.",
)
