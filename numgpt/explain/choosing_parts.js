// Parts 6 and 7: the sliders from logits to a token, and the tokens after that.

const SLIDERS = [
  ["repetition_penalty", 0.5, 2, 0.01],
  ["temperature", 0, 2, 0.01],
  ["top_k", 0, 0, 1],
  ["top_p", 0.01, 1, 0.01],
  ["min_p", 0, 1, 0.01],
];
const RULE_OF = {
  repetition: "repetition_penalty",
  temper: "temperature",
  top_k: "top_k",
  top_p: "top_p",
  min_p: "min_p",
};

function slider(name, low, high, step, value, onchange) {
  const attributes = { min: low, max: high, step };
  const exact = element("input", {
    type: "number",
    ...attributes,
    step: "any",
    value,
    "aria-label": word(`rule_${name}`),
  });
  const knob = element("input", { type: "range", ...attributes, value, id: `slider-${name}`, name });
  const take = (text) => {
    const chosen = Math.min(Math.max(Number(text) || 0, low), high);
    onchange(name === "top_k" ? Math.round(chosen) : chosen);
  };
  knob.addEventListener("input", () => {
    exact.value = knob.value;
    take(knob.value);
  });
  exact.addEventListener("change", () => {
    knob.value = exact.value;
    take(exact.value);
  });
  return element(
    "div",
    { class: "slider" },
    element("label", { for: `slider-${name}` }, word(`rule_${name}`)),
    knob,
    exact,
  );
}

function choosingPart() {
  const { logits, seen: before, drawn, rules: given } = data.choosing;
  const V = logits.shape[0];
  const rules = { ...given };
  let u = drawn;
  const stages = element("div");
  const result = element("p", { class: "said", role: "status" });
  const candidates = element("div");
  const show = () => {
    const { stages: passed, probabilities } = distribution(logits.data, before, rules);
    const found = draw(probabilities, u);
    const order = range(V)
      .filter((i) => probabilities[i] > 0)
      .sort((a, b) => probabilities[b] - probabilities[a] || a - b)
      .slice(0, 15);
    if (!order.includes(found.token)) order.push(found.token);
    stages.replaceChildren(
      table(
        word("table_stages"),
        [
          [word("rule"), false],
          [word("setting"), true],
          [word("left"), true],
        ],
        passed.map(({ name, left }) => [word(`rule_${RULE_OF[name]}`), `${rules[RULE_OF[name]]}`, `${left}`]),
      ),
    );
    result.replaceChildren(
      ...prose("drawn", { u: u.toFixed(6), from: found.from.toFixed(6), to: found.to.toFixed(6) }),
      " ",
      element("strong", {}, token(found.token)),
    );
    const most = probabilities[order[0]];
    const rows = order.map((i) => [
      token(i),
      `${i}`,
      logits.data[i],
      before.includes(i) ? word("yes") : "",
      percent(probabilities[i]),
      bar(probabilities[i], most),
    ]);
    candidates.replaceChildren(
      table(
        word("table_candidates", { n: probabilities.reduce((n, p) => n + (p > 0), 0), V }),
        [
          [word("token"), false],
          ["id", true],
          [word("logit"), true],
          [word("in_text"), false],
          ["p", true],
          ["", false],
        ],
        rows,
        (n) => order[n] === found.token,
      ),
    );
  };
  const change = (name) => (value) => {
    rules[name] = value;
    show();
  };
  const sliders = SLIDERS.map(([name, low, high, step]) => [
    slider(name, low, name === "top_k" ? V : high, step, given[name], change(name)),
    formula(name === "temperature" ? "temper" : name === "repetition_penalty" ? "repetition" : name),
  ]);
  const number_ = slider("drawn", 0, 0.999999, 0.000001, drawn, (value) => {
    u = value;
    show();
  });
  const again = element(
    "button",
    {
      type: "button",
      onclick: () => {
        u = Math.random();
        number_.querySelectorAll("input").forEach((input) => (input.value = u.toFixed(6)));
        show();
      },
    },
    word("draw_again"),
  );
  show();
  part("choosing", paragraph("choosing_seed"), sliders, number_, again, formula("draw"), result, stages, candidates);
}

function generationPart() {
  const { steps, ids: made, layer, head, attention, numbers: each, difference, full, n_ctx: room } = data.generation;
  const rows = steps.map(({ read, new: fresh, top, probabilities }, n) => [
    `${n + 1}`,
    `${read}`,
    `${fresh}`,
    (each * read).toLocaleString("en"),
    (each * fresh).toLocaleString("en"),
    token(made[n]),
    percent(probabilities.at(0)),
    element(
      "span",
      {},
      range(Math.min(2, top.shape[0] - 1), 1).map((i) => [
        token(top.at(i)),
        " ",
        element("small", {}, percent(probabilities.at(i))),
        " ",
      ]),
    ),
  ]);
  const columns = [
    [word("step"), true],
    [word("read"), true],
    [word("new"), true],
    [word("numbers_read"), true],
    [word("numbers_new"), true],
    [word("chosen"), false],
    ["p", true],
    [word("instead"), false],
  ];
  const drawn = figure("cache", word("figure_cache", { layer, head }), ...prose("figure_cache_note"));
  const keys = [...ids.slice(0, data.tokens.n_prompt), ...made];
  const n = attention.length;
  const S = attention.length ? attention[n - 1].shape[0] : 0;
  const cell = cellSize(S);
  const left = 14 + 7.5 * Math.max(...range(n, 1).map((i) => word("step_n", { n: i }).length));
  const top = 14 + 7.5 * Math.max(...keys.map((id) => Math.min(12, [...seen(id)].length)));
  const value = (i, j) => (j < attention[i].shape[0] ? attention[i].at(j) : 0);
  drawn.fill(
    drawing(
      left + S * cell + 4,
      top + n * cell + 4,
      word("figure_cache", { layer, head }),
      shape("path", { class: "frame", d: `M${left} ${top}h${S * cell}v${n * cell}h${-S * cell}z` }),
      ...range(n).map((i) =>
        shape("rect", {
          class: "fresh",
          x: left + (attention[i].shape[0] - steps[i].new) * cell,
          y: top + i * cell,
          width: steps[i].new * cell,
          height: cell,
        }),
      ),
      ...squares(n, S, cell, value, left, top),
      ...range(n).map((i) => labelled(word("step_n", { n: i + 1 }), left - 6, top + (i + 0.5) * cell, 11, "end")),
      ...range(S).map((j) =>
        cell < 11 && j % 3 ? null : upright(seen(keys[j]), left + (j + 0.5) * cell, top - 5, 11),
      ),
    ),
  );
  part(
    "generation",
    formula("cache"),
    formula("decode"),
    element(
      "p",
      { class: "generated" },
      element(
        "bdi",
        {},
        made.map((id) => [token(id), " "]),
      ),
    ),
    table(word("table_generation", { each: each.toLocaleString("en") }), columns, rows),
    drawn.node,
    paragraph("cache_same", { difference: number(difference, 2) }),
    full ? paragraph("cache_full", { n_ctx: room }) : null,
  );
}
