// The token view: one response as running text, tinted and underlined live. Tokens are untrusted text: textContent only.

const LEVELS = 64; // steps of tint, so that a token is restyled only when its color would differ
const THICKEST = 5; // pixels of the underline of the largest weight
const TINTS = Array.from({ length: LEVELS + 1 }, (_, level) => `rgba(217, 119, 6, ${(level / LEVELS) * 0.62})`);
const COMMIT_AFTER = 120; // ms without another change
const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/; // characters that set a writing direction
const number = (value, digits = 3) => (value === null || Number.isNaN(value) ? "n/a" : value.toFixed(digits));

class TokenView {
  constructor(host) {
    this.host = host;
    this.sent = 0;
    this.text = element("div", { className: "text", role: "listbox", ariaLabel: "Response tokens", dir: "auto" });
    this.text.setAttribute("aria-multiselectable", "true");
    this.tip = element("div", { className: "tip", id: "tip", role: "tooltip", hidden: true });
    this.count = element("p", { className: "count" });
    this.count.setAttribute("role", "status");
    this.legend = element("p", { className: "legend" });
    this.panel = new Controls((name, value, commit) => this.change(name, value, commit));
    this.controls = this.panel.controls;
    this.keys = new Keys({
      previous: () => this.step(-1),
      next: () => this.step(1),
      undo: () => this.restore(this.history.back(TokenMaths.encodeOverrides(this.overrides))),
      redo: () => this.restore(this.history.on(TokenMaths.encodeOverrides(this.overrides))),
    });
    const reading = element("div", { className: "reading" }, this.keys.steps, this.panel.viewBar(), this.text, this.count, this.legend);
    host.replaceChildren(reading, this.panel.panel(), this.tip);
    this.clear = this.panel.clear;
    this.clear.before(this.keys.edits);
    this.listen();
  }

  change(name, value, commit) {
    this.settings[name] = value;
    this.schedule();
    if (commit) this.commit();
  }

  // --- data in, commits out ---------------------------------------------------------------------------------------

  update(data, setStateValue) {
    this.send = (event, value) => setStateValue(event, { ...value, set: this.setKey });
    this.samples = data.samples;
    if (data.index === this.wanted) this.wanted = null;
    this.keys.listen(true);
    this.matchTheme();
    this.sent = Math.max(this.sent, data.echo);
    const otherSet = data.setKey !== this.setKey;
    if (otherSet) {
      this.setKey = data.setKey;
      this.set = TokenMaths.unpack(data.set);
      this.importance = new Float64Array(this.set.knowledge.length);
      this.weight = new Float64Array(this.set.knowledge.length);
      this.signalsKey = null;
      this.history = new History();
      for (const [name, help] of Object.entries(data.help)) if (this.controls[name]) this.controls[name].row.title = help;
    }
    // What comes back from the server is older than a drag in progress or a commit still on its way.
    if (otherSet || (data.echo >= this.sent && !this.panel.dragging && !this.timer)) this.adopt(data.settings, otherSet);
    const key = `${data.setKey} ${data.index}`;
    if (key !== this.sampleKey) {
      this.sampleKey = key;
      this.sample = data.sample;
      this.index = data.index;
      this.build();
    }
    this.marked = new Set(data.marked);
    this.pinned = data.pinned; // undefined where nothing can be pinned
    this.schedule();
  }

  // Tracks and arrows that the browser draws itself follow the app's theme, not the system's.
  matchTheme() {
    const ground = element("i", { hidden: true });
    ground.style.color = "var(--st-background-color)";
    this.host.append(ground);
    const [red, green, blue] = getComputedStyle(ground).color.match(/[\d.]+/g).map(Number);
    ground.remove();
    this.host.style.colorScheme = 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light";
  }

  adopt(text, otherSet) {
    if (!otherSet && text.overrides !== TokenMaths.encodeOverrides(this.overrides)) this.history.add(TokenMaths.encodeOverrides(this.overrides));
    const numbers = ["alpha", "threshold", "top_share", "quantile", "temperature"];
    this.settings = { ...text, copy_guard: text.copy_guard === "true", blanks: text.blanks === "true" };
    for (const name of numbers) this.settings[name] = Number(text[name]);
    this.overrides = TokenMaths.decodeOverrides(text.overrides);
    for (const [name, control] of Object.entries(this.controls)) control.set(this.settings[name]);
  }

  commit() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.sent += 1;
      const text = Object.fromEntries(Object.entries(this.settings).map(([name, value]) => [name, String(value)]));
      this.send("commit", { ...text, overrides: TokenMaths.encodeOverrides(this.overrides), sequence: this.sent });
    }, COMMIT_AFTER);
  }

  // --- text -------------------------------------------------------------------------------------------------------

  build() {
    const { texts, gold, special } = this.sample;
    this.base = this.set.bounds[this.index];
    this.hideTip();
    this.focus = 0;
    this.anchor = null;
    this.tokens = texts.map((text, t) => {
      const node = element("span", { className: "token", role: "option", tabIndex: t ? -1 : 0, dataset: { t } });
      // Tokens run in the direction of the text; what would turn the text around stays inside its token.
      if (special[t]) node.dir = "ltr";
      else if (TURNS.test(text)) node.dir = "auto";
      node.classList.toggle("gold", gold[t]);
      node.classList.toggle("special", special[t]);
      return node;
    });
    this.painted = texts.map(() => ({}));
    this.text.replaceChildren(...this.tokens);
  }

  // Numbers of the tokens that belong together with token t.
  unit(t) {
    const { pick } = this.settings;
    const { sentences } = this.sample;
    if (pick === "token") return [t];
    const label = pick === "word" ? (i) => this.set.words[this.base + i] : (i) => sentences[i];
    return this.tokens.map((_, i) => i).filter((i) => label(i) === label(t));
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  compute() {
    const { settings, set } = this;
    const key = ["normalizer", "scope", "copy_guard", "direction", "granularity", "reading"].map((name) => settings[name]).join();
    if (key !== this.signalsKey) {
      this.signalsKey = key;
      this.normalized = TokenMaths.signals(set, settings);
      this.knowledge = TokenMaths.guarded(set, settings);
      this.entropy = TokenMaths.entropyOf(set, settings);
    }
    if (set.learned) this.importance.set(set.learned);
    else TokenMaths.mix(this.normalized, settings, this.importance);
    TokenMaths.weights(this.importance, set.bounds, settings, this.overrides, this.weight);
  }

  // The chosen score of the sample's tokens; each token of a word or sentence shows the unit's mean.
  shown() {
    const [start, end] = [this.base, this.base + this.tokens.length];
    const kinds = { importance: this.importance, knowledge: this.knowledge, entropy: this.entropy, weight: this.weight };
    const { tint, pick } = this.settings;
    const values = Float64Array.from(tint === "probability" ? this.sample.probability : kinds[tint].subarray(start, end), (v) => v ?? NaN);
    if (pick === "token") return values;
    const sums = new Map();
    const label = (t) => (pick === "word" ? this.set.words[start + t] : this.sample.sentences[t]);
    values.forEach((v, t) => {
      const [sum, n] = sums.get(label(t)) ?? [0, 0];
      sums.set(label(t), Number.isNaN(v) ? [sum, n] : [sum + v, n + 1]);
    });
    return values.map((_, t) => sums.get(label(t))[0] / sums.get(label(t))[1]);
  }

  paint() {
    this.compute();
    const values = this.shown();
    const { settings, base } = this;
    const forced = this.overrides.get(this.index) ?? new Map();
    const top = SCORES[settings.tint].top ?? values.reduce((m, v) => (v > m && Number.isFinite(v) ? v : m), 0);
    let heaviest = 0;
    for (let t = 0; t < values.length; t++) heaviest = Math.max(heaviest, this.weight[base + t]);
    this.tokens.forEach((node, t) => {
      const weight = this.weight[base + t];
      const share = top > 0 && values[t] > 0 ? Math.min(values[t] / top, 1) : 0;
      const now = {
        level: Math.round(share * LEVELS),
        line: weight > 0 ? Math.max(1, Math.round((weight / heaviest) * THICKEST)) : 0,
        force: forced.has(t) ? (forced.get(t) ? "in" : "out") : "",
        marked: this.marked.has(t),
        pinned: this.pinned === t,
        blanks: settings.blanks,
      };
      const old = this.painted[t];
      if (now.level !== old.level) node.style.backgroundColor = TINTS[now.level];
      if (now.line !== old.line) {
        node.style.backgroundSize = `100% ${now.line}px`;
        node.setAttribute("aria-selected", now.line > 0);
      }
      if (now.force !== old.force) node.dataset.force = now.force;
      if (now.marked !== old.marked) node.classList.toggle("marked", now.marked);
      if (now.pinned !== old.pinned) node.classList.toggle("pinned", now.pinned);
      if (now.blanks !== old.blanks) {
        const text = this.sample.texts[t];
        node.textContent = now.blanks || this.sample.special[t] ? visible(text) : text || "∅";
        node.ariaLabel = visible(text);
        // A visible line end still ends the line, and a visible blank may still begin one.
        if (now.blanks && text.includes("\n")) node.append("\n");
        if (now.blanks && text.startsWith(" ")) node.prepend(document.createElement("wbr"));
      }
      this.painted[t] = now;
    });
    this.say(top);
    for (const [name, kind] of [["threshold", "hard"], ["top_share", "hard"], ["quantile", "hard"], ["temperature", "soft"]]) {
      this.controls[name].row.hidden = settings.weights !== kind || (kind === "hard" && settings.criterion !== name);
    }
    this.controls.criterion.row.hidden = settings.weights !== "hard";
    this.controls.alpha.row.hidden = this.panel.more.hidden = Boolean(this.set.learned);
    if (this.tipOf !== undefined) this.fillTip(this.tipOf);
  }

  say(top) {
    const here = TokenMaths.readOut(this.importance, this.weight, this.base, this.base + this.tokens.length);
    const whole = TokenMaths.readOut(this.importance, this.weight, 0, this.weight.length);
    const percent = (share) => `${(100 * share).toFixed(0)} %`;
    const effective = this.settings.weights === "soft" ? `, ${here.effective.toFixed(1)} effective tokens` : "";
    const gold = this.sample.gold.reduce((n, g) => n + g, 0);
    const selectedGold = this.sample.gold.reduce((n, g, t) => n + (g && this.weight[this.base + t] > 0), 0);
    const lines = [
      `This answer: ${here.selected} of ${here.tokens} tokens selected, ${percent(here.share)} of importance${effective}` + (gold ? `; ${selectedGold} of ${gold} gold tokens` : ""),
      `Forget set: ${whole.selected.toLocaleString("en")} of ${whole.tokens.toLocaleString("en")} tokens selected, ${percent(whole.share)} of importance`,
    ];
    if (!whole.selected) lines.push("No token is selected; lower the threshold.");
    if (lines.join() !== this.said) {
      this.said = lines.join();
      this.count.replaceChildren(...lines.map((textContent) => element("span", { textContent })));
    }
    const { label, unit } = SCORES[this.settings.tint];
    const forced = [...this.overrides.values()].reduce((n, map) => n + map.size, 0);
    const { past, future } = this.history;
    const shown = [label, top.toPrecision(3), gold > 0, forced, this.marked.size, this.pinned, past.length, future.length, this.index].join();
    if (shown === this.shownLegend) return;
    this.shownLegend = shown;
    const legend = [
      element("span", { textContent: "0" }),
      element("i", { className: "ramp" }),
      element("span", { textContent: `${Number(top.toPrecision(3))}${unit && ` ${unit}`} ${label}` }),
      element("span", { className: "key" }, element("b", { className: "sample line", textContent: "ab" }), " selected"),
    ];
    if (gold) legend.push(element("span", { className: "key" }, element("b", { className: "sample dots", textContent: "ab" }), " gold span"));
    if (forced) legend.push(element("span", { className: "key", textContent: "+ forced in, − forced out" }));
    if (this.marked.size) legend.push(element("span", { className: "key" }, element("b", { className: "sample box", textContent: "ab" }), " selected in the chart"));
    if (Number.isInteger(this.pinned)) legend.push(element("span", { className: "key" }, element("b", { className: "sample pin", textContent: "ab" }), " pinned"));
    this.legend.replaceChildren(...legend);
    this.clear.hidden = !forced;
    this.keys.undo.disabled = !this.history.past.length;
    this.keys.redo.disabled = !this.history.future.length;
    this.keys.edits.hidden = this.keys.undo.disabled && this.keys.redo.disabled;
    this.keys.previous.disabled = this.index === 0;
    this.keys.next.disabled = this.index === this.samples - 1;
    this.clear.textContent = `Clear ${forced} override${forced === 1 ? "" : "s"}`;
  }

  // --- hover and focus --------------------------------------------------------------------------------------------

  // What the text alone takes off a token's importance, in words.
  factor(at) {
    const { factors, unguarded } = this.normalized;
    if (this.set.learned || factors[at] === 1) return "";
    const why = factors[at] < unguarded[at] ? this.sample.repeats : unguarded[at] ? "lowercase" : "not a word";
    return ` (× ${factors[at]}: ${why})`;
  }

  fillTip(t) {
    const at = this.base + t;
    const importance = this.importance.subarray(this.base, this.base + this.tokens.length);
    const rank = 1 + importance.reduce((n, s, i) => n + (s > importance[t] || (s === importance[t] && i < t)), 0);
    const forced = this.overrides.get(this.index)?.get(t);
    const repeats = this.set.copied[at] ? ` (${this.sample.repeats})` : "";
    const rows = [
      ["token", visible(this.sample.texts[t])],
      ["id", String(this.sample.ids[t])],
      ["position", `${t + 1} of ${this.tokens.length}`],
      ["probability", number(this.sample.probability[t], 4)],
      ["entropy", `${number(this.entropy[at])} nats`],
      ["knowledge", `${number(this.knowledge[at])} nats${repeats}`],
      ["importance", `${number(this.importance[at])}, rank ${rank}${this.factor(at)}`],
      ["weight", number(this.weight[at]) + (forced === undefined ? "" : forced ? ", forced in" : ", forced out")],
    ];
    const contexts = this.sample.contexts[t].map(([text, loss]) => [visible(text), `${loss.toFixed(3)} nats`]);
    const list = (pairs) =>
      element("dl", {}, ...pairs.flatMap(([name, value]) => [element("dt", { textContent: name, dir: "auto" }), element("dd", { textContent: value, dir: "auto" })]));
    const parts = [list(rows)];
    if (contexts.length) parts.push(element("p", { textContent: "largest drops when masked" }), list(contexts));
    if (this.pinned !== undefined) parts.push(element("p", { textContent: "P or Alt+click pins this token" }));
    this.tip.replaceChildren(...parts);
  }

  showTip(t) {
    this.tipOf = t;
    this.fillTip(t);
    this.tip.hidden = false;
    const box = this.host.getBoundingClientRect();
    const token = this.tokens[t].getClientRects();
    const last = token[token.length - 1] ?? box;
    const left = Math.min(last.left - box.left, box.width - this.tip.offsetWidth);
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${last.bottom - box.top + 6}px`;
    this.tokens[t].setAttribute("aria-describedby", "tip");
  }

  hideTip() {
    if (this.tipOf !== undefined) this.tokens[this.tipOf]?.removeAttribute("aria-describedby");
    this.tipOf = undefined;
    this.tip.hidden = true;
  }

  // --- overrides --------------------------------------------------------------------------------------------------

  // The rule's choice -> forced to the opposite -> forced the other way -> back to the rule.
  next(t) {
    const forced = this.overrides.get(this.index)?.get(t);
    const plain = new Map([...this.overrides].filter(([sample]) => sample !== this.index));
    const ruled = TokenMaths.weights(this.importance, this.set.bounds, this.settings, plain)[this.base + t] > 0;
    if (forced === undefined) return !ruled;
    return forced === ruled ? undefined : ruled;
  }

  force(tokens, inside) {
    this.history.add(TokenMaths.encodeOverrides(this.overrides));
    const forced = new Map(this.overrides.get(this.index) ?? []);
    for (const t of tokens) inside === undefined ? forced.delete(t) : forced.set(t, inside);
    forced.size ? this.overrides.set(this.index, forced) : this.overrides.delete(this.index);
    this.schedule();
    this.commit();
  }

  // Takes overrides back from the history; undefined where it has none.
  restore(text) {
    if (text === undefined) return;
    this.overrides = TokenMaths.decodeOverrides(text);
    this.schedule();
    this.commit();
  }

  // The sample before or after; several presses before the server answers add up.
  step(by) {
    const to = (this.wanted ?? this.index) + by;
    if (to < 0 || to >= this.samples) return;
    this.wanted = to;
    this.opened = (this.opened ?? 0) + 1;
    this.send("open", { number: to, sequence: this.opened });
  }

  toggle(t, range) {
    if (range && this.anchor !== null) {
      const [from, to] = [Math.min(this.anchor, t), Math.max(this.anchor, t)];
      const units = new Set();
      for (let i = from; i <= to; i++) if (!units.has(i)) this.unit(i).forEach((u) => units.add(u));
      this.force(units, this.overrides.get(this.index)?.get(this.anchor));
      return;
    }
    this.anchor = t;
    this.force(this.unit(t), this.next(t));
  }

  pin(t) {
    this.pins = (this.pins ?? 0) + 1;
    if (this.pinned !== undefined) this.send("pin", { token: t, sequence: this.pins });
  }

  move(to) {
    const t = Math.max(0, Math.min(this.tokens.length - 1, to));
    this.tokens[this.focus].tabIndex = -1;
    this.focus = t;
    this.tokens[t].tabIndex = 0;
    this.tokens[t].focus({ preventScroll: false });
  }

  // The token above or below: on the next line, nearest in place.
  vertical(step) {
    const here = this.tokens[this.focus].getBoundingClientRect();
    let best = this.focus;
    let line = null;
    let distance = Infinity;
    for (let t = this.focus + step; t >= 0 && t < this.tokens.length; t += step) {
      const box = this.tokens[t].getBoundingClientRect();
      if (Math.abs(box.top - here.top) < 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > 2) break;
      if (Math.abs(box.left - here.left) < distance) [best, distance] = [t, Math.abs(box.left - here.left)];
    }
    return best;
  }

  listen() {
    const tokenOf = (event) => {
      const node = event.target.closest?.(".token");
      return node ? Number(node.dataset.t) : undefined;
    };
    this.text.addEventListener("pointerover", (event) => {
      if (event.pointerType !== "touch" && tokenOf(event) !== undefined) this.showTip(tokenOf(event));
    });
    this.text.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.hideTip());
    this.text.addEventListener("focusin", (event) => {
      const t = tokenOf(event);
      if (t === undefined) return;
      this.focus = t;
      this.showTip(t);
    });
    this.text.addEventListener("focusout", () => this.hideTip());
    this.text.addEventListener("scroll", () => this.hideTip());
    // A first tap shows what hovering shows; a tap on the same token takes it.
    this.text.addEventListener("pointerdown", (event) => {
      this.peek = event.pointerType === "touch" && this.tipOf !== tokenOf(event);
      if (event.shiftKey) event.preventDefault();
    });
    this.text.addEventListener("click", (event) => {
      const t = tokenOf(event);
      if (t === undefined) return;
      this.move(t);
      if (event.altKey) this.pin(t);
      else if (this.peek) this.showTip(t);
      else this.toggle(t, event.shiftKey);
    });
    this.text.addEventListener("keydown", (event) => {
      const right = getComputedStyle(this.text).direction === "rtl" ? -1 : 1;
      const moves = {
        ArrowRight: () => this.focus + right,
        ArrowLeft: () => this.focus - right,
        ArrowDown: () => this.vertical(1),
        ArrowUp: () => this.vertical(-1),
        Home: () => 0,
        End: () => this.tokens.length - 1,
      };
      if (moves[event.key]) this.move(moves[event.key]());
      else if (event.key === "Enter" || event.key === " ") this.toggle(this.focus, event.shiftKey);
      else if (event.key.toLowerCase() === "p" && !event.ctrlKey && !event.metaKey) this.pin(this.focus);
      else if (event.key === "Escape") this.hideTip();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.clear.addEventListener("click", () => {
      this.history.add(TokenMaths.encodeOverrides(this.overrides));
      this.restore("");
    });
  }

  destroy() {
    this.keys.listen(false);
    if (this.frame) cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }
}

const views = new WeakMap();

export default function mount({ parentElement, data: [data], setStateValue }) {
  const host = parentElement.querySelector(".token-view");
  if (!views.has(host)) views.set(host, new TokenView(host));
  views.get(host).update(data, setStateValue);
  return () => views.get(host).destroy();
}
