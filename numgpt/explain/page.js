// The page: its head, the bar with what is in focus, the parts in their order, the glossary.

const LETTERS = [
  "B",
  "T",
  "C",
  "H",
  "D",
  "V",
  "S",
  "L",
  "N",
  "t",
  "u",
  "c",
  "d",
  "v",
  "x",
  "q",
  "k",
  "v_vector",
  "s",
  "p",
  "o",
  "mu",
  "rstd",
  "W",
  "dsomething",
  "scale",
  "lr",
  "h",
];
const LETTER_SIGNS = { v_vector: "v", mu: "μ", dsomething: "d…" };

function glossary() {
  const rows = LETTERS.flatMap((letter) => [
    element("dt", {}, element("code", {}, LETTER_SIGNS[letter] || letter)),
    element("dd", {}, prose(`letter_${letter}`, data.about)),
  ]);
  part("glossary", element("dl", {}, rows));
}

function focusBar() {
  const positions = range(T).map((t) => [t, named(t)]);
  const places = heads.map(({ layer, head }) => [`${layer}.${head}`, `${layer}.${head}`]);
  const channels = [...data.stream.channels.data].map((c) => [c, `${c}`]);
  const D = heads[0].q.shape[1];
  const first = { ...data.focus };
  const toHead = (text) => {
    const [layer, head] = text.split(".").map(Number);
    focus({ layer, head });
  };
  return element(
    "nav",
    { class: "focus", "aria-label": word("focus_bar") },
    select(
      "t",
      positions,
      () => state.t,
      (t) => focus({ t: Number(t) }),
    ),
    select(
      "u",
      positions,
      () => state.u,
      (u) => focus({ u: Number(u), t: Math.max(state.t, Number(u)) }),
    ),
    select("head", places, () => `${state.layer}.${state.head}`, toHead),
    select(
      "channel",
      channels,
      () => state.channel,
      (channel) => focus({ channel: Number(channel) }),
    ),
    select(
      "d",
      range(D).map((d) => [d, `${d}`]),
      () => state.d,
      (d) => focus({ d: Number(d) }),
    ),
    element("button", { type: "button", onclick: () => focus(first) }, word("reset")),
  );
}

function head() {
  const { about } = data;
  const values = { ...about, parameters: about.parameters.toLocaleString("en"), loss: number(data.loss.loss, 5) };
  const prompt =
    about.prompt === null ? [] : [element("blockquote", { tabindex: 0 }, element("bdi", {}, about.prompt))];
  const shown =
    about.layers.length < about.n_layer ? [paragraph("some_layers", { layers: about.layers.join(", ") })] : [];
  return element(
    "header",
    {},
    element("p", { class: "brand" }, "numgpt explain"),
    element("h1", {}, word("title")),
    ...prompt,
    paragraph(about.model ? "lead" : "lead_trace", values),
    ...shown,
    paragraph(data.choosing ? "precision" : "notebook", values),
    element(
      "nav",
      { "aria-label": word("contents") },
      element(
        "ol",
        { class: "contents" },
        parts.map(({ key, title }) =>
          element(
            "li",
            ORDER.includes(key) ? { value: ORDER.indexOf(key) + 1 } : {},
            element("a", { href: `#${key}` }, title),
          ),
        ),
      ),
    ),
  );
}

function build() {
  tokensPart();
  embeddingPart();
  attentionPart();
  mlpPart();
  lensPart();
  if (data.choosing) choosingPart();
  if (data.generation) generationPart();
  lossPart();
  backwardPart();
  if (data.learning) learningPart();
  wayPart();
  glossary();
  const skip = element("a", { class: "skip", href: "#tokens" }, word("skip"));
  document.body.append(
    skip,
    head(),
    focusBar(),
    element(
      "main",
      {},
      parts.map(({ section }) => section),
    ),
    element("footer", {}, paragraph("foot", data.about)),
  );
  document.documentElement.setAttribute("data-ready", "yes");
}

build();
