// What all parts share: the page's numbers, its words, which number is in focus, and how a part is begun.

const parsed = JSON.parse(document.getElementById("data").textContent);
const words = parsed.strings;
const data = unpacked(parsed.numbers);
const { ids, targets } = data.tokens;
const T = ids.length;
const state = { ...data.focus };
const listeners = [];
const heads = data.attention.opened.map((head) => ({ ...head, ...attend(head) }));

// A string of the page's language; {name} in it is replaced.
function word(key, values = {}) {
  if (!(key in words)) throw new Error(`no string ${key}`);
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// A string in which `code` is set as code and *words* are stressed.
function prose(key, values) {
  return word(key, values)
    .split(/(`[^`]+`|\*[^*]+\*)/)
    .map((part) => {
      if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
      if (part.startsWith("*") && part.length > 1) return element("em", {}, part.slice(1, -1));
      return part;
    });
}

function paragraph(key, values) {
  return element("p", {}, prose(key, values));
}

// Change what is in focus; everything that shows it is drawn again.
function focus(change) {
  Object.assign(state, change);
  state.u = Math.min(state.u, state.t);
  for (const listener of listeners) listener();
}

function onFocus(listener) {
  listeners.push(listener);
  listener();
}

// An element that `draw` fills anew whenever the focus changes.
function live(draw, tag = "div", attributes = {}) {
  const node = element(tag, attributes);
  onFocus(() => node.replaceChildren(...[draw()].flat(Infinity).filter((part) => part !== null)));
  return node;
}

function openedHead() {
  return heads.find((head) => head.layer === state.layer && head.head === state.head);
}

// The text of a token as one can see it: spaces and line breaks by signs, bytes that are no text in hexadecimal.
function seen(id) {
  const text = data.vocabulary[id];
  if (text === undefined) return `#${id}`;
  if (Array.isArray(text)) return `⟨${text.map(hex).join(" ")}⟩`;
  if (text === "") return "∅";
  return text
    .replace(/ /g, "␣")
    .replace(/\n/g, "↵")
    .replace(/\t/g, "⇥")
    .replace(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => `⟨${hex(c.charCodeAt(0))}⟩`);
}

function hex(byte) {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

function token(id) {
  return element("bdi", { class: "token" }, seen(id));
}

function named(t) {
  return `${t} ${seen(ids[t])}`;
}

function formula(key) {
  const { formula: text, where, code } = data.sources[key];
  return element(
    "div",
    { class: "formula" },
    element("span", { class: "mathematics" }, text),
    element(
      "details",
      {},
      element("summary", {}, element("code", {}, where)),
      element("code", { class: "line" }, code),
    ),
  );
}

// The numbers in the formula's place: lines of text, drawn anew with the focus.
function numbers(draw) {
  return live(() => draw().map((line) => element("div", {}, line)), "div", { class: "numbers" });
}

const parts = [];
const ORDER = [
  "tokens",
  "embedding",
  "attention",
  "mlp",
  "lens",
  "choosing",
  "generation",
  "loss",
  "backward",
  "learning",
];

function part(key, ...content) {
  const n = ORDER.indexOf(key) + 1;
  const heading = element("h2", { id: `heading-${key}` }, n > 0 ? `${n}. ` : "", word(`${key}_title`));
  const section = element(
    "section",
    { id: key, "aria-labelledby": `heading-${key}` },
    heading,
    paragraph(`${key}_intro`),
    ...content,
  );
  parts.push({ key, title: word(`${key}_title`), section });
}

// A select element over pairs of value and text.
function select(name, pairs, current, onchange) {
  const options = pairs.map(([value, text]) => element("option", { value }, text));
  const node = element("select", { id: `choose-${name}`, onchange: () => onchange(node.value) }, options);
  onFocus(() => (node.value = String(current())));
  return element("label", {}, element("span", {}, word(`choose_${name}`)), node);
}
