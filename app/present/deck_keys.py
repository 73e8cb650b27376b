"""Keys and buttons turn slides: a component without a shape that counts presses in the browser.

A press that comes while the page is being drawn is kept: the browser knows which slide is wanted and says
which one, not "one further", and what the server answers to an older press changes nothing. A button of the
page itself would send the slide after the one it was drawn for, so that a double click turned once. It also
hides the controls while nobody moves the mouse, and prints the deck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

KEY = "deck_keys"
_JS = """
const heard = new WeakMap();
const TYPING = "input, textarea, select, [contenteditable], [role=combobox], [role=listbox], [role=slider]";
const STEPS = [[".st-key-back button", -1], [".st-key-next button", 1]];
const IDLE = 3000; // milliseconds

class DeckKeys {
  constructor() {
    this.sent = 0;
    this.pressed = (event) => {
      const other = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
      const typing = event.target.closest?.(TYPING);
      if (other) return;
      if (event.key === "Escape") {
        if (typing) typing.blur();
        else document.querySelector(".st-key-present-exit a")?.click();
        return;
      }
      const wanted = {
        ArrowLeft: this.number - 1, ArrowRight: this.number + 1, Home: 0, End: this.last,
      }[event.key];
      if (wanted === undefined || typing) return;
      event.preventDefault();
      this.turn(wanted);
    };
    this.clicked = (event) => {
      const step = STEPS.find(([button]) => event.target.closest?.(button));
      if (!step) return;
      event.stopPropagation();
      this.turn(this.number + step[1]);
    };
    this.moved = () => {
      delete document.documentElement.dataset.idle;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => { document.documentElement.dataset.idle = "yes"; }, IDLE);
    };
  }

  turn(wanted) {
    if (wanted < 0 || wanted > this.last || wanted === this.number) return;
    this.number = wanted;
    this.sent += 1;
    this.send("turn", { number: wanted, sequence: this.sent });
  }

  update(data, send) {
    this.send = send;
    this.last = data.last;
    this.sent = Math.max(this.sent, data.echo);
    if (data.echo === this.sent) this.number = data.number;
    document.addEventListener("keydown", this.pressed);
    document.addEventListener("click", this.clicked, true);
    document.addEventListener("pointermove", this.moved);
    if (!this.timer) this.moved();
  }

  stop() {
    document.removeEventListener("keydown", this.pressed);
    document.removeEventListener("click", this.clicked, true);
    document.removeEventListener("pointermove", this.moved);
    clearTimeout(this.timer);
    this.timer = undefined;
    delete document.documentElement.dataset.idle;
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".deck-keys");
  if (!heard.has(root)) heard.set(root, new DeckKeys());
  heard.get(root).update(data, setStateValue);
  root.dataset.listening = "yes";
  return () => heard.get(root).stop();
}
"""
_mount = st.components.v2.component(
    "tokenunlearn_deck_keys", html='<div class="deck-keys" hidden></div>', js=_JS
)
_PRINT_CSS = """
button { font: inherit; color: inherit; background: none; border: 1px solid var(--st-border-color);
  border-radius: var(--st-button-radius); padding: 0 0.75rem; min-height: 2.5rem; cursor: pointer;
  white-space: nowrap; }
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""
_mount_print = st.components.v2.component(
    "tokenunlearn_print_deck",
    html='<button type="button" title="Opens the print dialog: choose Save as PDF">Save as PDF</button>',
    css=_PRINT_CSS,
    js="export default ({ parentElement }) => {"
    ' parentElement.querySelector("button").onclick = () => window.print(); };',
)


def deck_keys(number: int, last: int, turn: Callable[[int], None]) -> None:
    """Have the arrow keys, Home, End and the buttons Back and Next turn slides, and Escape leave them.

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


def print_button() -> None:
    """A button that opens the browser's print dialog, which saves one page a slide."""
    _mount_print(key="print_deck", width="content")


def _state() -> Mapping[str, int]:
    """The last press that arrived."""
    known = st.session_state.get(KEY)
    pressed = known.get("turn") if isinstance(known, Mapping) else None
    return pressed if isinstance(pressed, Mapping) else {}
