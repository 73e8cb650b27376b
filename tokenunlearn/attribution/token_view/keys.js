// Steps from sample to sample and back through overrides: buttons, and the keys J, K, Ctrl+Z and Ctrl+Shift+Z.

const TYPING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], [role=combobox]";

// What can be undone: the overrides before each change, as text.
class History {
  constructor() {
    this.past = [];
    this.future = [];
  }

  add(text) {
    this.past.push(text);
    this.future = [];
  }

  // The text to go back to, or on to; undefined where there is none.
  back(now) {
    return this.swap(this.past, this.future, now);
  }

  on(now) {
    return this.swap(this.future, this.past, now);
  }

  swap(from, to, now) {
    if (from.length) to.push(now);
    return from.pop();
  }
}

// Buttons and keys for the same four actions, by name.
class Keys {
  constructor(actions) {
    const button = (name, textContent, ariaKeyShortcuts) => {
      const node = element("button", { type: "button", textContent, title: `${textContent} (${ariaKeyShortcuts})` });
      node.setAttribute("aria-keyshortcuts", ariaKeyShortcuts);
      node.addEventListener("click", actions[name]);
      return node;
    };
    this.previous = button("previous", "Previous sample", "K");
    this.next = button("next", "Next sample", "J");
    this.undo = button("undo", "Undo", "Control+Z");
    this.redo = button("redo", "Redo", "Control+Shift+Z");
    this.steps = element("div", { className: "steps" }, this.previous, this.next);
    this.edits = element("div", { className: "edits" }, this.undo, this.redo);
    this.listener = (event) => {
      const name = Keys.action(event);
      if (!name || event.composedPath()[0].closest?.(TYPING)) return;
      event.preventDefault();
      actions[name]();
    };
  }

  static action(event) {
    const key = event.key.toLowerCase();
    if (event.altKey) return undefined;
    if (event.ctrlKey || event.metaKey) return key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : undefined;
    return { j: "next", k: "previous" }[key];
  }

  listen(on) {
    document[on ? "addEventListener" : "removeEventListener"]("keydown", this.listener);
  }
}
