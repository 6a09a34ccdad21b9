// Part 9, the way back: along the stream, and inside the opened head.

function streamFigure() {
  const { names, gradient_norms: norms } = data.stream;
  let row = names.length - 1;
  const map = matrixFigure(
    "stream",
    word("figure_stream"),
    () => ({
      rows: names.length,
      columns: T,
      value: (i, t) => norms.at(names.length - 1 - i, t),
      rowLabels: [...names].reverse(),
      columnLabels: range(T).map(named),
      selected: () => [names.length - 1 - row, state.t],
      onselect: (i, t) => {
        row = names.length - 1 - i;
        focus({ t });
      },
      says: () => `|dL/d ${names[row]}[${named(state.t)}]| = ${number(norms.at(row, state.t))}`,
    }),
    ...prose("figure_stream_note"),
  );
  onFocus(map.draw);
  return map.node;
}

function sharesTable() {
  return live(() => {
    const { shares, norms } = data.shares;
    const { t } = state;
    const L = shares.shape[0];
    const rows = range(L)
      .reverse()
      .map((i) => [
        element("code", {}, `h.${i}`),
        ...range(3).flatMap((n) => [
          percentSigned(shares.at(i, t, n)),
          bar(shares.at(i, t, n), 1.2, true),
          norms.at(i, t, n),
        ]),
      ]);
    const name = (key) => [
      [word(key), true],
      ["", false],
      [word("norm"), true],
    ];
    return table(
      word("table_shares", { t: named(t) }),
      [[word("block"), false], ...name("past"), ...name("through_mlp"), ...name("through_attn")],
      rows,
    );
  });
}

function percentSigned(share) {
  return `${share < 0 ? "−" : ""}${(100 * Math.abs(share)).toFixed(1)} %`;
}

function attributionTable() {
  const { attribution, attribution_norm: norm } = data.loss;
  const most = Math.max(...range(T).map((t) => Math.abs(attribution.at(t))));
  return live(() =>
    table(
      word("table_attribution"),
      [
        ["t", true],
        [word("token"), false],
        ["|dL/dx|", true],
        ["x · dL/dx", true],
        ["", false],
      ],
      range(T).map((t) => [`${t}`, token(ids[t]), norm.at(t), attribution.at(t), bar(attribution.at(t), most, true)]),
      (t) => t === state.t,
    ),
  );
}

// The finite difference of a number of the opened head, where the page has one.
function proven(name, ...place) {
  const { layer, head } = state;
  const index = [head, ...place].join();
  const row = data.proof?.rows.find((one) => one.name === `h.${layer}.attn.${name}` && one.index.join() === index);
  return row ? `   ≈ ${number(row.difference, 6)}  ${word("proven")}` : "";
}

function headBackward() {
  const [dp, ds] = [headMatrix("dp", (head) => head.dp), headMatrix("ds", (head) => head.ds)];
  onFocus(dp.draw);
  onFocus(ds.draw);
  const D = () => openedHead().q.shape[1];
  return [
    live(() => element("h3", {}, word("opened_head", state))),
    formula("do"),
    formula("dp"),
    formula("ds"),
    numbers(() => {
      const head = openedHead();
      const { t, u } = state;
      return [
        `do[${t},${state.d}] = ${number(head.do.at(t, state.d))}${proven("o", t, state.d)}`,
        `dp[${t},${u}] = ${written(D(), (d) => `${factor(head.do.at(t, d))}·${factor(head.v.at(u, d))}`)} = ${number(head.dp[t][u])}${proven("p", t, u)}`,
        `Σ dp·p = ${written(t + 1, (w) => `${factor(head.dp[t][w])}·${number(head.p[t][w])}`)} = ${number(head.mean[t])}`,
        `ds[${t},${u}] = ${number(head.p[t][u])} · ( ${number(head.dp[t][u])} − ${factor(head.mean[t])} ) = ${number(head.ds[t][u])}${proven("s", t, u)}`,
      ];
    }),
    element("div", { class: T > 32 ? "column" : "pair" }, dp.node, ds.node),
    formula("dq"),
    formula("dk"),
    formula("dv"),
    numbers(() => {
      const head = openedHead();
      const { t, u, d } = state;
      const later = range(T - u, u);
      return [
        `dq[${t},${d}] = ${number(head.scale)} · ( ${written(t + 1, (w) => `${factor(head.ds[t][w])}·${factor(head.k.at(w, d))}`)} ) = ${number(head.scale)} · ${factor(head.dq[t][d] / head.scale)} = ${number(head.dq[t][d])}${proven("q", t, d)}`,
        `dk[${u},${d}] = ${number(head.scale)} · ( ${written(later.length, (n) => `${factor(head.ds[later[n]][u])}·${factor(head.q.at(later[n], d))}`)} ) = ${number(head.scale)} · ${factor(head.dk[u][d] / head.scale)} = ${number(head.dk[u][d])}${proven("k", u, d)}`,
        `dv[${u},${d}] = ${written(later.length, (n) => `${number(head.p[later[n]][u])}·${factor(head.do.at(later[n], d))}`)} = ${number(head.dv[u][d])}${proven("v", u, d)}`,
      ];
    }),
    formula("dqkv"),
    live(() => {
      const head = openedHead();
      const { t, u, d } = state;
      const rows = range(D()).map((c) => [
        `${c}`,
        head.q.at(t, c),
        head.dq[t][c],
        head.k.at(u, c),
        head.dk[u][c],
        head.v.at(u, c),
        head.dv[u][c],
      ]);
      return element(
        "details",
        {},
        element("summary", {}, word("all_components", { n: D() })),
        table(
          word("table_vectors"),
          [
            ["d", true],
            [`q[${t}]`, true],
            ["dq", true],
            [`k[${u}]`, true],
            ["dk", true],
            [`v[${u}]`, true],
            ["dv", true],
          ],
          rows,
          (c) => c === d,
        ),
      );
    }),
    live(() => {
      const head = openedHead();
      const { t, u } = state;
      const rows = range(t + 1).map((w) => [
        token(ids[w]),
        `${w}`,
        head.p[t][w],
        head.dp[t][w],
        head.dp[t][w] - head.mean[t],
        head.ds[t][w],
        bar(head.ds[t][w], Math.max(...head.ds[t].slice(0, t + 1).map(Math.abs)), true),
      ]);
      return table(
        word("table_ds", { t: named(t) }),
        [
          [word("key"), false],
          ["u", true],
          ["p", true],
          ["dp", true],
          ["dp − Σ dp·p", true],
          ["ds", true],
          ["", false],
        ],
        rows,
        (w) => w === u,
      );
    }),
  ];
}

function backwardPart() {
  const proven = data.proof ? proofTable() : [];
  part(
    "backward",
    formula("dmid"),
    formula("dx"),
    formula("dnorm"),
    streamFigure(),
    sharesTable(),
    attributionTable(),
    headBackward(),
    data.weights ? weightsFigure() : [],
    proven,
    data.steps ? stepsTable() : [],
    data.heads ? ablationFigure() : [],
  );
}
