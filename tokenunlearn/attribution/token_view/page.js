// A token view that stands alone: all its samples come with the page, and a line of Python repeats its settings.

const MIX = ["alpha", "fusion", "normalizer", "scope", "copy_guard", "direction", "granularity", "reading"];

// The overrides of every token, by "sample position".
function forcedTokens(text) {
  const entries = [...TokenMaths.decodeOverrides(text)].flatMap(([sample, forced]) => [...forced].map(([t, inside]) => [`${sample} ${t}`, inside]));
  return new Map(entries);
}

// The weights in view, as Python makes them from `scores`.
function pythonCode(page, settings) {
  const literal = (value) => (value === "true" ? "True" : value === "false" ? "False" : Number.isNaN(Number(value)) ? JSON.stringify(value) : value);
  const changed = MIX.filter((name) => settings[name] !== page.settings[name]).map((name) => `${name}=${literal(settings[name])}`);
  const [before, after] = [forcedTokens(page.settings.overrides), forcedTokens(settings.overrides)];
  const overrides = [...new Set([...before.keys(), ...after.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => {
      const [sample, t] = key.split(" ");
      const inside = after.has(key) ? literal(String(after.get(key))) : "None";
      return `.with_override(${JSON.stringify(page.ids[sample])}, ${t}, ${inside})`;
    });
  const rules = {
    hard: `tu.HardSelection(${settings.criterion}=${settings[settings.criterion]})`,
    soft: `tu.SoftWeighting(temperature=${settings.temperature})`,
    uniform: "tu.Uniform()",
  };
  return `scores${changed.length ? `.with_settings(${changed.join(", ")})` : ""}${overrides.join("")}.weights(${rules[settings.weights]})`;
}

function show(page) {
  let settings = page.settings;
  let echo = 0;
  const options = page.details.map((sample, i) => element("option", { value: i, textContent: `${i + 1}. ${page.questions[i] || sample.id}` }));
  const choice = element("select", { ariaLabel: "Sample" }, ...options);
  const question = element("p", { className: "question", dir: "auto" });
  const frame = element("div", { className: "frame" }, element("div", { className: "token-view" }));
  const code = element("pre", { className: "code", tabIndex: 0, ariaLabel: "Python code of these weights" });
  document.body.append(
    element("p", { className: "title", textContent: page.title }),
    element("label", { className: "choose" }, element("span", { textContent: "Sample" }), choice),
    question,
    frame,
    code,
  );
  function send(event, value) {
    if (event === "open") return open(value.number);
    const { sequence, set, ...committed } = value;
    [settings, echo] = [committed, sequence];
    code.textContent = pythonCode(page, settings);
  }
  function open(index) {
    choice.value = index;
    question.textContent = page.questions[index];
    const data = { set: page.set, setKey: "set", sample: page.details[index], index, samples: page.details.length, settings, marked: [], help: page.help, echo };
    mount({ parentElement: frame, data: [data], setStateValue: send });
  }
  choice.addEventListener("change", () => open(Number(choice.value)));
  code.textContent = pythonCode(page, settings);
  open(page.index);
}

show(JSON.parse(document.getElementById("page").textContent));
