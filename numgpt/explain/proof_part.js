// Part 9, what the gradients are worth: those of the weights, finite differences, a step, heads left out.

function weightsFigure() {
  const pictured = data.weights.filter((row) => row.picture);
  const layers = [...new Set(pictured.map((row) => Number(row.name.split(".")[1])))];
  let layer = layers.includes(state.layer) ? state.layer : layers[0];
  const { node, fill } = figure("weights", word("figure_weights"), ...prose("figure_weights_note"));
  const rows = live(() => {
    const mine = data.weights.filter((row) => !row.name.startsWith("h.") || row.name.startsWith(`h.${layer}.`));
    const body = mine.map((row) => [
      element("code", {}, row.name),
      row.shape.join(" × "),
      row.norm,
      row.gradient,
      row.gradient / row.norm,
    ]);
    return table(
      word("table_weights", { layer }),
      [
        [word("parameter"), false],
        [word("shape"), true],
        ["|W|", true],
        ["|dL/dW|", true],
        ["|dL/dW| / |W|", true],
      ],
      body,
    );
  });
  onFocus(() => {
    let x = 0;
    const marks = pictured
      .filter((row) => row.name.startsWith(`h.${layer}.`))
      .flatMap((row) => {
        const [n, m] = row.picture.shape;
        const group = shape(
          "g",
          { transform: `translate(${x} 0)` },
          shape("text", { x: 0, y: 12, "font-size": 12 }, row.name.replace(/^h\.\d+\.|\.weight$/g, "")),
          shape("path", { class: "frame", d: framePath(n, m, 6, 0, 20) }),
          ...squares(n, m, 6, (i, j) => row.picture.at(i, j), 0, 20),
        );
        x += m * 6 + 16;
        return [group];
      });
    fill(drawing(Math.max(x, 10), 24 * 6 + 26, word("figure_weights"), ...marks));
  });
  const choose = select(
    "gradient_block",
    layers.map((i) => [i, word("layer_n", { n: i })]),
    () => layer,
    (i) => {
      layer = Number(i);
      focus({});
    },
  );
  return layers.length ? [element("div", { class: "choices" }, choose), formula("dweight"), node, rows] : [];
}

// All with as many digits and an exponent, so that two columns can be compared digit by digit.
function exact(x) {
  return x.toExponential(7).replace(/-/g, "−");
}

function proofTable() {
  const { rows, h, dtype } = data.proof;
  const off = (row) =>
    Math.abs(row.gradient - row.difference) / (Math.max(Math.abs(row.gradient), Math.abs(row.difference)) || 1);
  const body = rows.map((row) => [
    element("code", {}, `${row.name}[${row.index.join(",")}]`),
    row.value,
    exact(row.gradient),
    exact(row.difference),
    off(row).toExponential(0).replace("-", "−"),
  ]);
  return [
    element("h3", {}, word("proof_title")),
    paragraph("proof_intro", { h: number(h, 1), dtype }),
    element(
      "div",
      { class: "formula" },
      element("span", { class: "mathematics" }, "dL/dx ≈ ( L(x + h) − L(x − h) ) / 2h"),
    ),
    table(
      word("table_proof"),
      [
        [word("number"), false],
        [word("value"), true],
        [word("gradient"), true],
        [word("difference"), true],
        [word("relative"), true],
      ],
      body,
    ),
  ];
}

function stepsTable() {
  const rows = data.steps.map((row) => [
    row.kind,
    number(row.lr),
    number(data.loss.loss, 6),
    number(data.loss.loss + row.measured, 6),
    number(row.measured),
    number(row.promised),
    number(row.measured / row.promised, 3),
  ]);
  return [
    element("h3", {}, word("step_title")),
    paragraph("step_intro"),
    formula("adamw"),
    table(
      word("table_step"),
      [
        [word("optimizer"), false],
        ["lr", true],
        [word("before"), true],
        [word("afterwards"), true],
        [word("change"), true],
        [word("promised"), true],
        [word("ratio"), true],
      ],
      rows,
    ),
  ];
}

function ablationFigure() {
  const { layers, change, estimate } = data.heads;
  const H = data.about.n_head;
  const every = layers.flatMap((layer, row) =>
    range(H).map((head) => ({ layer, head, change: change.at(row, head), estimate: estimate.at(row, head) })),
  );
  every.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  const drawn = figure(
    "ablation",
    word("figure_ablation"),
    ...prose("figure_ablation_note", { n: every.length, layers: layers.join(", ") }),
  );
  const most = Math.max(...every.flatMap((row) => [Math.abs(row.change), Math.abs(row.estimate)]));
  const reach = extent([0, ...every.flatMap((row) => [row.change, row.estimate])]);
  const draw = () =>
    drawn.fill(
      plot({
        lines: [
          {
            points: [
              [reach[0], reach[0]],
              [reach[1], reach[1]],
            ],
            kind: "slope",
          },
        ],
        dots: every.map((row) => ({
          x: row.estimate,
          y: row.change,
          name: `${row.layer}.${row.head}`,
          kind: row.layer === state.layer && row.head === state.head ? "selected" : "dot",
        })),
        across: reach,
        up: reach,
        xLabel: word("estimate"),
        yLabel: word("measured"),
        label: word("figure_ablation"),
        height: 340,
      }),
    );
  onFocus(draw);
  const rows = (list) =>
    list.map((row) => [
      `${row.layer}.${row.head}`,
      row.change,
      bar(row.change, most, true),
      row.estimate,
      bar(row.estimate, most, true),
    ]);
  const columns = [
    [word("head"), false],
    [word("measured"), true],
    ["", false],
    [word("estimate"), true],
    ["", false],
  ];
  return [
    element("h3", {}, word("ablation_title")),
    formula("ablation"),
    drawn.node,
    table(word("table_ablation", { n: Math.min(8, every.length) }), columns, rows(every.slice(0, 8))),
    every.length > 8
      ? element(
          "details",
          {},
          element("summary", {}, word("all_heads", { n: every.length })),
          table(word("figure_ablation"), columns, rows(every)),
        )
      : null,
  ];
}
