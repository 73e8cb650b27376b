"""What can happen to a stored file: JSON with one place changed, bytes cut, doubled or flipped."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(10**400), 0, -1])
    | st.floats()
    | st.text(st.characters(), max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
GONE = object()


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A value with one place in it replaced by any other, taken away, or given a further field."""
    whole = [copy.deepcopy(value)]
    parent, key = whole, 0
    for _ in range(draw(st.integers(0, 5))):
        inner = parent[key]
        if not isinstance(inner, dict | list) or not inner:
            break
        parent, key = (
            inner,
            draw(st.sampled_from(list(inner) if isinstance(inner, dict) else range(len(inner)))),
        )
    other = draw(JSON | st.just(GONE))
    if other is not GONE:
        parent[key] = other
    elif parent is not whole:
        del parent[key]
    return whole[0]


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file's bytes, or its JSON or JSON lines, damaged at one place; or any bytes at all."""
    way = draw(st.sampled_from(["json", "json", "json", "cut", "put", "flip", "any"]))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    if way == "json":
        try:
            lines = content.splitlines(keepends=True)
            number = draw(st.integers(0, len(lines) - 1)) if content.count(b"\n{") else None
            value = json.loads(content if number is None else lines[number])
        except ValueError:
            way = "flip"
        else:
            text = json.dumps(draw(changed(value))).encode()
            if number is None:
                return text
            return b"".join([*lines[:number], text, b"\n", *lines[number + 1 :]])
    if way == "cut":
        return content[:place]
    if way == "put":
        return content[:place] + draw(st.sampled_from([b"\0", b"\n", b"\xff", b"[" * 5000, b"9" * 5000]))
    if way == "flip":
        return content[:place] + bytes([content[place] ^ draw(st.integers(1, 255))]) + content[place + 1 :]
    return draw(st.binary(max_size=200))
