// Runs the token view's maths on cases from stdin, so that the test can compare them with the library's.
const maths = require("../../tokenunlearn/attribution/token_view/maths.js");
const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const plain = (values) => Array.from(values, (v) => (Number.isFinite(v) ? v : String(v)));
const results = cases.map(({ set, settings, overrides }) => {
  const unpacked = maths.unpack(set);
  const importance = maths.importance(unpacked, settings);
  const weights = maths.weights(importance, unpacked.bounds, settings, maths.decodeOverrides(overrides));
  return {
    knowledge: plain(maths.guarded(unpacked, settings)),
    importance: plain(importance),
    weights: plain(weights),
    overrides: maths.encodeOverrides(maths.decodeOverrides(overrides)),
    whole: maths.readOut(importance, weights, 0, weights.length),
  };
});
process.stdout.write(JSON.stringify(results));
