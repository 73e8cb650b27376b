"""The arrow keys turn slides: a component without a shape that counts presses in the browser.

A press that comes while the page is being drawn is kept: the browser knows which slide is wanted and says
which one, not "one further", and what the server answers to an older press changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

KEY = "arrow_keys"
_JS = """
const heard = new WeakMap();
const TYPING = "input, textarea, select, [contenteditable], [role=combobox], [role=listbox], [role=slider]";

class ArrowKeys {
  constructor() {
    this.sent = 0;
    this.listener = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const other = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
      if (!step || other || event.target.closest?.(TYPING)) return;
      event.preventDefault();
      const wanted = this.number + step;
      if (wanted < 0 || wanted > this.last) return;
      this.number = wanted;
      this.sent += 1;
      this.send("turn", { number: wanted, sequence: this.sent });
    };
  }

  update(data, send) {
    this.send = send;
    this.last = data.last;
    this.sent = Math.max(this.sent, data.echo);
    if (data.echo === this.sent) this.number = data.number;
    document.addEventListener("keydown", this.listener);
  }

  stop() {
    document.removeEventListener("keydown", this.listener);
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".arrow-keys");
  if (!heard.has(root)) heard.set(root, new ArrowKeys());
  heard.get(root).update(data, setStateValue);
  root.dataset.listening = "yes";
  return () => heard.get(root).stop();
}
"""
_mount = st.components.v2.component(
    "tokenunlearn_arrow_keys", html='<div class="arrow-keys" hidden></div>', js=_JS
)


def arrow_keys(number: int, last: int, turn: Callable[[int], None]) -> None:
    """Have the arrow keys turn slides.

    Args:
        number: Number of the slide in view, from 0.
        last: Number of the last one.
        turn: Called with the number of the slide that is wanted, before the page is drawn again.
    """

    def turned() -> None:
        wanted = _state().get("number")
        if isinstance(wanted, int) and 0 <= wanted <= last:
            turn(wanted)

    echo = _state().get("sequence", 0)
    _mount(key=KEY, data={"number": number, "last": last, "echo": echo}, on_turn_change=turned)


def _state() -> Mapping[str, int]:
    """The last press that arrived."""
    known = st.session_state.get(KEY)
    pressed = known.get("turn") if isinstance(known, Mapping) else None
    return pressed if isinstance(pressed, Mapping) else {}
