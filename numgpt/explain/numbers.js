// Arrays out of the page's JSON, the few sums that the formulas need, and numbers as text.

const TYPES = { f4: Float32Array, f8: Float64Array, i4: Int32Array, i1: Int8Array };

// {type, shape, data, scale} -> {shape, data, at(i, j, ...)}; the bytes are little-endian, as on every machine today.
function tensor({ type, shape, data, scale = 1 }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const numbers = new TYPES[type](bytes.buffer);
  const at = (...index) => scale * numbers[index.reduce((place, i, axis) => place * shape[axis] + i, 0)];
  return { shape, data: numbers, at };
}

// All packed arrays inside a value become tensors.
function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.type === "string" && typeof value.data === "string") return tensor(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unpacked(inner)]));
}

function range(n, start = 0) {
  return Array.from({ length: Math.max(0, n) }, (_, i) => start + i);
}

function sum(numbers) {
  return numbers.reduce((total, x) => total + x, 0);
}

// Four significant digits; a true minus sign, so that columns align.
function number(x, digits = 4) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (x === Infinity) return "∞";
  if (x === -Infinity) return "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const decimals = digits - 1 - Math.floor(Math.log10(size));
  const text = size < 1e-3 || size >= 1e6 ? size.toExponential(digits - 1) : size.toFixed(Math.max(0, decimals));
  return (x < 0 ? "−" : "") + text.replace("e-", "e−").replace("e+", "e");
}

// How many decimals show five digits of the largest of some numbers.
function decimalsOf(cells) {
  const largest = Math.max(0, ...cells.filter((x) => typeof x === "number" && Math.abs(x) < Infinity).map(Math.abs));
  return largest === 0 ? 0 : Math.min(Math.max(0, 4 - Math.floor(Math.log10(largest))), 12);
}

function fixed(x, decimals) {
  if (!(Math.abs(x) < Infinity)) return number(x);
  return (x < 0 ? "−" : "") + Math.abs(x).toFixed(decimals);
}

// A number in a product or a sum: in brackets where it is negative.
function factor(x) {
  return x < 0 ? `(${number(x)})` : number(x);
}

function percent(p) {
  if (p > 0 && p < 0.0001) return "< 0.01 %";
  return `${(100 * p).toFixed(2)} %`;
}

// The head of the formulas in layers/attention.py, computed here from the q, k, v and do that the page holds.
function attend({ q, k, v, do: dOut, scale }) {
  const [T, D] = q.shape;
  const dot = (a, i, b, j) => sum(range(D).map((d) => a.at(i, d) * b.at(j, d)));
  const rows = range(T);
  const s = rows.map((t) => rows.map((u) => (u > t ? -Infinity : scale * dot(q, t, k, u))));
  const p = s.map(softmax);
  const o = rows.map((t) => range(D).map((d) => sum(range(t + 1).map((u) => p[t][u] * v.at(u, d)))));
  const dp = rows.map((t) => rows.map((u) => dot(dOut, t, v, u)));
  const mean = rows.map((t) => sum(range(t + 1).map((u) => dp[t][u] * p[t][u])));
  const ds = rows.map((t) => rows.map((u) => p[t][u] * (dp[t][u] - mean[t])));
  const dq = rows.map((t) => range(D).map((d) => scale * sum(range(t + 1).map((u) => ds[t][u] * k.at(u, d)))));
  const later = (u) => range(T - u, u);
  const dk = rows.map((u) => range(D).map((d) => scale * sum(later(u).map((t) => ds[t][u] * q.at(t, d)))));
  const dv = rows.map((u) => range(D).map((d) => sum(later(u).map((t) => p[t][u] * dOut.at(t, d)))));
  return { s, p, o, dp, mean, ds, dq, dk, dv };
}

function softmax(scores) {
  const largest = Math.max(...scores);
  const weights = scores.map((s) => Math.exp(s - largest));
  const total = sum(weights);
  return weights.map((w) => w / total);
}
