// The token view's controls: sliders, choices and switches that act at once and commit on release.

const SCORES = {
  importance: { label: "Importance s", unit: "", top: 1 },
  knowledge: { label: "Knowledge score k", unit: "nats" },
  entropy: { label: "Entropy h", unit: "nats" },
  probability: { label: "Probability p", unit: "", top: 1 },
  weight: { label: "Weight w", unit: "" },
};
const INVISIBLE = /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u00ad\ufeff\u061c]/gu;

function element(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, dataset ?? {});
  node.append(...children);
  return node;
}

// Blanks, line ends and characters without a shape made visible.
function visible(text) {
  const shown = text.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\r", "␍").replaceAll("\t", "⇥");
  return shown.replace(INVISIBLE, (c) => `‹U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`) || "∅";
}

// Makes each control once, as `controls[name] = { set, row }`; `change(name, value, commit)` hears of every move.
class Controls {
  constructor(change) {
    this.controls = {};
    this.change = change;
    this.dragging = false;
  }

  viewBar() {
    return element(
      "div",
      { className: "bar" },
      this.select("tint", "Color by", Object.fromEntries(Object.entries(SCORES).map(([k, v]) => [k, v.label]))),
      this.select("pick", "Click selects", { token: "token", word: "word", sentence: "sentence" }),
      this.check("blanks", "Show whitespace"),
    );
  }

  panel() {
    this.more = element(
      "details",
      {},
      element("summary", { textContent: "Importance settings" }),
      this.select("fusion", "Fusion", { product: "product", sum: "sum" }),
      this.select("normalizer", "Normalizer", { rank: "rank", minmax: "minmax" }),
      this.select("scope", "Normalize over", { set: "the forget set", sample: "each sample" }),
      this.select("granularity", "Score per", { word: "word (sum of its tokens)", highest: "word (highest token)", token: "token" }),
      this.select("reading", "Entropy reading", { auto: "auto", sharp: "sharp (temperature 1)", tail: "tail (temperature 4)", plain: "plain (no text factors)" }),
      this.select("direction", "Favor", { uncertain: "uncertain tokens", certain: "certain tokens" }),
      this.check("copy_guard", "Copy guard"),
    );
    this.clear = element("button", { type: "button", className: "clear", textContent: "Clear overrides" });
    return element(
      "div",
      { className: "panel" },
      this.segments("weights", "Weights", ["hard", "soft", "uniform"]),
      this.select("criterion", "Select by", { threshold: "threshold τ", top_share: "top share per response", quantile: "quantile of the set" }),
      this.slider("threshold", "Threshold τ", 0, 1, 0.01),
      this.slider("top_share", "Top share", 0, 1, 0.01),
      this.slider("quantile", "Quantile", 0, 1, 0.01),
      this.slider("temperature", "Temperature", -2, 1, 0.02),
      this.slider("alpha", "Mix α", 0, 1, 0.01, ["entropy h", "knowledge k"]),
      this.more,
      this.clear,
    );
  }

  select(name, label, options) {
    const input = element("select", { ariaLabel: label }, ...Object.entries(options).map(([value, textContent]) => element("option", { value, textContent })));
    this.controls[name] = { set: (v) => (input.value = v), row: element("label", { className: "row" }, element("span", { textContent: label }), input) };
    input.addEventListener("change", () => this.change(name, input.value, true));
    return this.controls[name].row;
  }

  check(name, label) {
    const input = element("input", { type: "checkbox" });
    this.controls[name] = { set: (v) => (input.checked = v), row: element("label", { className: "check" }, input, element("span", { textContent: label })) };
    input.addEventListener("change", () => this.change(name, input.checked, true));
    return this.controls[name].row;
  }

  segments(name, label, options) {
    const inputs = options.map((value) => element("input", { type: "radio", name: `tv-${name}`, value }));
    const row = element("fieldset", { className: "segments" }, element("legend", { textContent: label }));
    inputs.forEach((input) => {
      input.addEventListener("change", () => this.change(name, input.value, true));
      row.append(element("label", {}, input, element("span", { textContent: input.value })));
    });
    this.controls[name] = { set: (v) => inputs.forEach((input) => (input.checked = input.value === v)), row };
    return row;
  }

  // The temperature's slider is logarithmic, from 10^min to 10^max.
  slider(name, label, min, max, step, ends) {
    const log = name === "temperature";
    const input = element("input", { type: "range", min, max, step, ariaLabel: label });
    const out = element("b", {});
    const value = () => (log ? Number((10 ** Number(input.value)).toPrecision(3)) : Number(input.value));
    const say = (v) => {
      out.textContent = log ? String(Number(v.toPrecision(3))) : v.toFixed(2);
      input.setAttribute("aria-valuetext", out.textContent);
      input.style.setProperty("--at", (input.value - min) / (max - min));
    };
    input.addEventListener("input", () => {
      this.dragging = true;
      say(value());
      this.change(name, value(), false);
    });
    input.addEventListener("change", () => {
      this.dragging = false;
      this.change(name, value(), true);
    });
    // A drag that ends where it began changes nothing, so no change event says that it has ended.
    for (const end of ["pointerup", "pointercancel", "blur"]) input.addEventListener(end, () => (this.dragging = false));
    const head = element("span", { className: "head" }, element("span", { textContent: label }), out);
    const row = element("div", { className: "row slider" }, head, input);
    if (ends) row.append(element("span", { className: "ends" }, ...ends.map((textContent) => element("span", { textContent }))));
    row.dataset.name = name;
    const set = (v) => {
      input.value = log ? Math.log10(v) : v;
      say(v);
    };
    this.controls[name] = { set, row };
    return row;
  }
}
