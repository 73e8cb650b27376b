// What the sliders of the token view compute, in the browser. tokenunlearn/attribution/importance.py and selection.py
// are the reference; tests/app/test_token_view_parity.py runs both on the same scores.
//
// A forget set travels flat: N tokens of S samples one after another, sample i from bounds[i] up to bounds[i + 1].

const TokenMaths = (() => {
  // Little-endian numbers from base64.
  function decode(kind, base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new kind(bytes.buffer);
  }

  // A forget set from its packed form: `reading` is the one that the scores would choose, and `readings` has for each
  // reading the units that are scored as one and what the text alone says of each token, with and without copy guard.
  // `learned` is the importance that a selector gives, or null.
  function unpack(packed) {
    const lengths = decode(Int32Array, packed.lengths);
    const bounds = new Int32Array(lengths.length + 1);
    lengths.forEach((length, i) => (bounds[i + 1] = bounds[i] + length));
    return {
      knowledge: decode(Float32Array, packed.knowledge),
      entropy: decode(Float32Array, packed.entropy),
      tailEntropy: decode(Float32Array, packed.tailEntropy),
      copied: decode(Uint8Array, packed.copied),
      words: decode(Int32Array, packed.words),
      bounds,
      learned: packed.learned && decode(Float64Array, packed.learned),
      reading: packed.reading,
      readings: Object.fromEntries(
        Object.entries(packed.readings).map(([name, r]) => [
          name,
          {
            units: decode(Int32Array, r.units),
            guarded: decode(Float64Array, r.guarded),
            unguarded: decode(Float64Array, r.unguarded),
          },
        ]),
      ),
    };
  }

  // Number of entries below `value` (or not above it) in ascending `sorted`.
  function count(sorted, value, orEqual) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < value || (orEqual && sorted[middle] === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Scores mapped to 0..1; NaN scores lowest, constant scores become 0.5.
  function normalize(values, normalizer) {
    const result = new Float64Array(values.length);
    let low = Infinity;
    let high = -Infinity;
    for (const v of values) {
      if (!Number.isFinite(v)) continue;
      if (v < low) low = v;
      if (v > high) high = v;
    }
    if (!(high > low)) return result.fill(0.5);
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      result[i] = Number.isNaN(v) ? low : Math.min(Math.max(v, low), high);
    }
    if (normalizer === "minmax") return result.map((v) => (v - low) / (high - low));
    const sorted = result.slice().sort();
    const last = 2 * (result.length - 1);
    return result.map((v) => (count(sorted, v, false) + count(sorted, v, true) - 1) / last);
  }

  // Every token takes the sum of its word's scores, or the highest; NaN only where the whole word has none.
  function overWords(score, words, bounds, granularity) {
    const result = new Float64Array(score.length);
    for (let i = 0; i + 1 < bounds.length; i++) {
      const totals = new Map();
      for (let t = bounds[i]; t < bounds[i + 1]; t++) {
        const known = totals.get(words[t]);
        if (known === undefined || Number.isNaN(known)) totals.set(words[t], score[t]);
        else if (granularity === "word") totals.set(words[t], known + (Number.isNaN(score[t]) ? 0 : score[t]));
        else if (score[t] > known) totals.set(words[t], score[t]);
      }
      for (let t = bounds[i]; t < bounds[i + 1]; t++) result[t] = totals.get(words[t]);
    }
    return result;
  }

  const readingOf = (set, settings) => (settings.reading === "auto" ? set.reading : settings.reading);

  function scoped(score, set, settings) {
    if (settings.granularity !== "token") {
      const { units } = set.readings[readingOf(set, settings)];
      score = overWords(score, units, set.bounds, settings.granularity);
    }
    if (settings.scope !== "sample") return normalize(score, settings.normalizer);
    const result = new Float64Array(score.length);
    for (let i = 0; i + 1 < set.bounds.length; i++) {
      result.set(normalize(score.slice(set.bounds[i], set.bounds[i + 1]), settings.normalizer), set.bounds[i]);
    }
    return result;
  }

  // Knowledge scores in nats, 0 where the copy guard holds.
  function guarded(set, settings) {
    return settings.copy_guard ? set.knowledge.map((k, t) => (set.copied[t] ? 0 : k)) : set.knowledge;
  }

  // Entropy in nats as it is read.
  function entropyOf(set, settings) {
    return readingOf(set, settings) === "tail" ? set.tailEntropy : set.entropy;
  }

  // 0..1, what the text alone says of each token, and what it would say without the copy guard.
  function factorsOf(set, settings) {
    const { guarded, unguarded } = set.readings[readingOf(set, settings)];
    return { factors: settings.copy_guard ? guarded : unguarded, unguarded };
  }

  // Normalized knowledge and entropy score, and factors: all that does not depend on alpha, threshold and temperature.
  function signals(set, settings) {
    const sign = settings.direction === "certain" ? -1 : 1;
    return {
      knowledge: scoped(guarded(set, settings), set, settings),
      entropy: scoped(entropyOf(set, settings).map((h) => sign * h), set, settings),
      ...factorsOf(set, settings),
    };
  }

  // Importance of every token, 0..1, mixed from the two signals.
  function mix(normalized, settings, out) {
    const { knowledge, entropy, factors } = normalized;
    const a = settings.alpha;
    for (let t = 0; t < out.length; t++) {
      out[t] =
        factors[t] *
        (settings.fusion === "sum"
          ? a * knowledge[t] + (1 - a) * entropy[t]
          : knowledge[t] ** a * entropy[t] ** (1 - a));
    }
    return out;
  }

  function importance(set, settings) {
    return set.learned ?? mix(signals(set, settings), settings, new Float64Array(set.knowledge.length));
  }

  const orZero = (v) => (Number.isNaN(v) ? 0 : v);

  function quantile(values, q) {
    if (!values.length) return 0;
    const sorted = Float64Array.from(values, orZero).sort();
    const place = q * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    const part = place - below;
    const step = sorted[above] - sorted[below];
    return part < 0.5 ? sorted[below] + step * part : sorted[above] - step * (1 - part);
  }

  // To the nearest whole number, halves to the even one.
  function roundHalfEven(value) {
    const floor = Math.floor(value);
    const part = value - floor;
    if (part !== 0.5) return Math.round(value);
    return floor % 2 === 0 ? floor : floor + 1;
  }

  function topOf(values, start, end, share, out) {
    const order = Array.from({ length: end - start }, (_, i) => start + i);
    order.sort((a, b) => orZero(values[b]) - orZero(values[a]) || a - b);
    const size = Math.min(order.length, Math.max(1, roundHalfEven(share * order.length)));
    out.fill(0, start, end);
    for (const t of order.slice(0, size)) out[t] = 1;
  }

  function softmax(values, start, end, temperature, out) {
    let top = -Infinity;
    for (let t = start; t < end; t++) top = Math.max(top, orZero(values[t]));
    let total = 0;
    for (let t = start; t < end; t++) total += out[t] = Math.exp((orZero(values[t]) - top) / temperature);
    for (let t = start; t < end; t++) out[t] = ((end - start) * out[t]) / total;
  }

  // Weights of every token under the rule, before overrides.
  function ruled(values, bounds, settings, out) {
    if (settings.weights === "uniform") return out.fill(1);
    if (settings.weights === "soft" || settings.criterion === "top_share") {
      for (let i = 0; i + 1 < bounds.length; i++) {
        if (settings.weights === "soft") softmax(values, bounds[i], bounds[i + 1], settings.temperature, out);
        else topOf(values, bounds[i], bounds[i + 1], settings.top_share, out);
      }
      return out;
    }
    // A quantile leaves out tokens of importance 0.
    const byQuantile = () => Math.max(quantile(values, settings.quantile), Number.MIN_VALUE);
    const threshold = settings.criterion === "quantile" ? byQuantile() : settings.threshold;
    for (let t = 0; t < out.length; t++) out[t] = orZero(values[t]) >= threshold ? 1 : 0;
    return out;
  }

  // Forced tokens get 1 or 0; under soft weights the largest weight or 0, then mean 1 again.
  function force(weights, bounds, settings, overrides) {
    for (const [sample, forced] of overrides) {
      const [start, end] = [bounds[sample], bounds[sample + 1]];
      let inside = 1;
      if (settings.weights === "soft") {
        inside = 0;
        for (let t = start; t < end; t++) inside = Math.max(inside, weights[t]);
      }
      for (const [position, isIn] of forced) weights[start + position] = isIn ? inside : 0;
      if (settings.weights !== "soft") continue;
      let total = 0;
      for (let t = start; t < end; t++) total += weights[t];
      if (total > 0) for (let t = start; t < end; t++) weights[t] = ((end - start) * weights[t]) / total;
    }
    return weights;
  }

  // Weights of every token; `overrides` maps a sample's number to (position -> forced in).
  function weights(values, bounds, settings, overrides, out = new Float64Array(values.length)) {
    return force(ruled(values, bounds, settings, out), bounds, settings, overrides);
  }

  // How many tokens have a weight, the share of importance they cover, and the number of equally weighted tokens that
  // would act alike, (sum w)^2 / sum w^2.
  function readOut(values, weight, start, end) {
    let [selected, covered, all, sum, squares] = [0, 0, 0, 0, 0];
    for (let t = start; t < end; t++) {
      const s = orZero(values[t]);
      if (weight[t] > 0) selected += 1;
      covered += Math.min(weight[t], 1) * s;
      all += s;
      sum += weight[t];
      squares += weight[t] * weight[t];
    }
    return { selected, tokens: end - start, share: all > 0 ? covered / all : 0, effective: squares > 0 ? (sum * sum) / squares : 0 };
  }

  // "0.i3-5.o7_12.i1": in sample 0 tokens 3 to 5 forced in and 7 out, in sample 12 token 1 in.
  function decodeOverrides(text) {
    const overrides = new Map();
    for (const part of text ? text.split("_") : []) {
      const [sample, ...runs] = part.split(".");
      const forced = new Map();
      for (const run of runs) {
        const [first, last = first] = run.slice(1).split("-").map(Number);
        for (let t = first; t <= last; t++) forced.set(t, run[0] === "i");
      }
      overrides.set(Number(sample), forced);
    }
    return overrides;
  }

  function encodeOverrides(overrides) {
    const parts = [];
    for (const [sample, forced] of [...overrides].sort((a, b) => a[0] - b[0])) {
      const runs = [];
      for (const [position, isIn] of [...forced].sort((a, b) => a[0] - b[0])) {
        const last = runs[runs.length - 1];
        if (last && last.isIn === isIn && last.end === position - 1) last.end = position;
        else runs.push({ isIn, start: position, end: position });
      }
      const words = runs.map((r) => (r.isIn ? "i" : "o") + (r.start === r.end ? r.start : `${r.start}-${r.end}`));
      if (words.length) parts.push([sample, ...words].join("."));
    }
    return parts.join("_");
  }

  return { unpack, normalize, guarded, entropyOf, signals, mix, importance, weights, readOut, decodeOverrides, encodeOverrides };
})();

if (typeof module !== "undefined") module.exports = TokenMaths;
