"""An answer whose facts are marked by selecting text: a component of plain HTML, CSS and JavaScript.

The answer is untrusted text: it reaches the page through ``textContent`` only.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_HTML = '<div class="span-marker"></div>'
_CSS = """
.span-marker { font-family: var(--st-font); color: var(--st-text-color); font-size: 1.05rem;
  line-height: 1.9; }
.span-marker .answer { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; cursor: text;
  padding: .6rem .8rem; border: 1px solid var(--st-border-color); border-radius: .4rem; }
.span-marker mark { color: inherit; background: rgba(217, 119, 6, .3);
  border-bottom: .16rem solid rgb(217, 119, 6); }
.span-marker .tools { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .6rem; }
.span-marker button { font: inherit; font-size: .9rem; line-height: 1.4; color: inherit; cursor: pointer;
  padding: .3rem .8rem; border: 1px solid var(--st-border-color); border-radius: .4rem;
  overflow-wrap: anywhere; background: var(--st-secondary-background-color); }
.span-marker button:hover:enabled, .span-marker button:focus-visible { border-color: var(--st-primary-color);
  outline: 2px solid var(--st-primary-color); }
.span-marker button:disabled { opacity: .55; cursor: default; }
"""
# Positions are code points, as in Python; a DOM range counts UTF-16 units.
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".span-marker");
  const characters = Array.from(data.text);
  const slice = (start, end) => characters.slice(start, end).join("");
  const answer = document.createElement("div");
  answer.className = "answer";
  answer.dir = "auto";
  let at = 0;
  for (const [start, end] of data.spans) {
    answer.append(slice(at, start));
    const mark = document.createElement("mark");
    mark.textContent = slice(start, end);
    answer.append(mark);
    at = end;
  }
  answer.append(slice(at));

  const tools = document.createElement("div");
  tools.className = "tools";
  const add = document.createElement("button");
  add.type = "button";
  add.textContent = "Mark selected text";
  add.disabled = true;
  add.onmousedown = (event) => event.preventDefault(); // keeps the selection
  tools.append(add);
  // What is changed before the server has answered counts too.
  let spans = data.spans;
  const send = (changed) => setTriggerValue("spans", (spans = changed));
  data.spans.forEach((span) => {
    const [start, end] = span;
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = slice(start, end) + " ×";
    remove.setAttribute("aria-label", "Remove gold span " + slice(start, end));
    remove.onclick = () => send(spans.filter((other) => other !== span));
    tools.append(remove);
  });
  root.replaceChildren(answer, tools);

  let chosen = null;
  const read = () => {
    const selection = document.getSelection();
    chosen = null;
    if (selection.rangeCount && !selection.isCollapsed) {
      const range = selection.getRangeAt(0);
      if (answer.contains(range.startContainer) && answer.contains(range.endContainer)) {
        const before = document.createRange();
        before.setStart(answer, 0);
        before.setEnd(range.startContainer, range.startOffset);
        let start = Array.from(before.toString()).length;
        let end = start + Array.from(range.toString()).length;
        while (start < end && !characters[start].trim()) start += 1;
        while (end > start && !characters[end - 1].trim()) end -= 1;
        if (start < end) chosen = [start, end];
      }
    }
    add.disabled = chosen === null;
  };
  add.onclick = () => { if (chosen) send([...spans, chosen]); };
  root.stop?.();
  document.addEventListener("selectionchange", read);
  root.stop = () => document.removeEventListener("selectionchange", read);
  return root.stop;
}
"""
_component = st.components.v2.component("span_marker", html=_HTML, css=_CSS, js=_JS, isolate_styles=False)


def span_marker(text: str, spans: Sequence[Sequence[int]], key: str) -> list[list[int]] | None:
    """Show an answer with its marks; the new marks when a person changed them, else None.

    Args:
        text: The answer.
        spans: [start, end) of the marks, in characters, in order.
        key: Identity of the component; another answer needs another key.
    """
    result = _component(
        key=key, data={"text": text, "spans": [list(s) for s in spans]}, on_spans_change=lambda: None
    )
    changed: list[list[int]] | None = result.get("spans")
    return changed
