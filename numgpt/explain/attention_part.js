// Part 3: attention.

function thumbnailsFigure() {
  const { layers, thumbnails, cells } = data.attention;
  const H = data.about.n_head;
  const size = 64;
  const [left, top] = [60, 20];
  const { node, fill } = figure("heads", word("figure_heads"), ...prose("figure_heads_note", { n: heads.length }));
  onFocus(() => {
    const marks = [];
    layers.forEach((layer, row) => {
      marks.push(labelled(word("layer_n", { n: layer }), 0, top + row * (size + 8) + size / 2, 12));
      range(H).forEach((head) => {
        const [x, y] = [left + head * (size + 8), top + row * (size + 8)];
        const value = (i, j) => (j > i ? 0 : thumbnails[row].at(head, (i * (i + 1)) / 2 + j));
        if (row === 0)
          marks.push(shape("text", { x: x + size / 2, y: 12, "font-size": 12, "text-anchor": "middle" }, head));
        const known = heads.some((one) => one.layer === layer && one.head === head);
        const frame = known ? (layer === state.layer && head === state.head ? "selected" : "opened") : "frame";
        marks.push(
          shape("rect", {
            x,
            y,
            width: size,
            height: size,
            class: frame,
            onclick: known ? () => focus({ layer, head }) : () => {},
          }),
          ...squares(cells, cells, size / cells, value, x, y),
        );
      });
    });
    fill(drawing(left + H * (size + 8), top + layers.length * (size + 8), word("figure_heads"), ...marks));
  });
  return node;
}

function headMatrix(name, values, signed = true) {
  return matrixFigure(name, word(`figure_${name}`), () => ({
    rows: T,
    columns: T,
    lower: true,
    value: (t, u) => values(openedHead())[t][u],
    signed,
    rowLabels: range(T).map(named),
    columnLabels: range(T).map(named),
    selected: () => [state.t, state.u],
    onselect: (t, u) => focus({ t, u }),
    says: () =>
      `${word("pair", { t: named(state.t), u: named(state.u) })}: ${number(values(openedHead())[state.t][state.u])}`,
  }));
}

// The terms of a sum over n, of many only the first three and the last.
function written(n, term) {
  const shown = n <= 5 ? range(n).map(term) : [...range(3).map(term), `… (${n - 4})`, term(n - 1)];
  return shown.join(" + ");
}

function attentionPart() {
  const [s, p] = [headMatrix("scores", (head) => head.s), headMatrix("probabilities", (head) => head.p)];
  onFocus(s.draw);
  onFocus(p.draw);
  const D = () => openedHead().q.shape[1];
  part(
    "attention",
    thumbnailsFigure(),
    live(() => element("h3", {}, word("opened_head", state))),
    formula("linear"),
    numbers(() => {
      const { q, k, v } = openedHead();
      const row = (name, vector, t) =>
        `${name}[${t}] = (${range(Math.min(6, D()))
          .map((d) => number(vector.at(t, d), 3))
          .join(", ")}, …)`;
      return [row("q", q, state.t), row("k", k, state.u), row("v", v, state.u)];
    }),
    formula("scores"),
    formula("mask"),
    numbers(() => {
      const head = openedHead();
      const { t, u } = state;
      const term = (d) => `${factor(head.q.at(t, d))}·${factor(head.k.at(u, d))}`;
      return [
        `s[${t},${u}] = ${number(head.scale)} · ( ${written(D(), term)} ) = ${number(head.scale)} · ${factor(head.s[t][u] / head.scale)} = ${number(head.s[t][u])}`,
      ];
    }),
    live(() => {
      const head = openedHead();
      const { t, u, d } = state;
      const rows = range(D()).map((c) => [`${c}`, head.q.at(t, c), head.k.at(u, c), head.q.at(t, c) * head.k.at(u, c)]);
      return element(
        "details",
        {},
        element("summary", {}, word("all_terms", { n: D() })),
        table(
          word("table_terms"),
          [
            ["d", true],
            [`q[${t},d]`, true],
            [`k[${u},d]`, true],
            ["q·k", true],
          ],
          rows,
          (c) => c === d,
        ),
      );
    }),
    element("div", { class: T > 32 ? "column" : "pair" }, s.node, p.node),
    formula("softmax"),
    formula("gather"),
    numbers(() => {
      const head = openedHead();
      const { t, u, d } = state;
      const largest = Math.max(...head.s[t]);
      const total = sum(head.s[t].map((score) => Math.exp(score - largest)));
      return [
        `p[${t},${u}] = exp(${number(head.s[t][u])} − ${factor(largest)}) / ${number(total)} = ${number(head.p[t][u])}`,
        `o[${t},${d}] = ${written(t + 1, (w) => `${number(head.p[t][w])}·${factor(head.v.at(w, d))}`)} = ${number(head.o[t][d])}`,
      ];
    }),
    live(() => {
      const head = openedHead();
      const { t, u, d } = state;
      const largest = Math.max(...head.s[t]);
      const rows = range(t + 1).map((w) => [
        token(ids[w]),
        `${w}`,
        head.s[t][w],
        Math.exp(head.s[t][w] - largest),
        head.p[t][w],
        bar(head.p[t][w], 1),
        head.v.at(w, d),
        head.p[t][w] * head.v.at(w, d),
      ]);
      const hidden = T - 1 - t;
      rows.push([
        word("sum"),
        "",
        "",
        number(sum(head.s[t].map((x) => Math.exp(x - largest)))),
        "1",
        "",
        "",
        head.o[t][d],
      ]);
      return [
        table(
          word("table_query", { t: named(t) }),
          [
            [word("key"), false],
            ["u", true],
            ["s", true],
            ["exp(s − max s)", true],
            ["p", true],
            ["", false],
            [`v[u,${d}]`, true],
            [`p·v`, true],
          ],
          rows,
          (w) => w === u,
        ),
        hidden ? paragraph("masked", { n: hidden }) : null,
      ];
    }),
    formula("project"),
    formula("residual"),
  );
}
