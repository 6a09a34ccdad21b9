// Parts 8 and 9: the loss, and the way back.

function lossPart() {
  const { nll, loss, counted, ids: likely, logits, p, gradient, log_sum: logSum } = data.loss;
  const other = data.compare;
  const scored = range(T).filter((t) => targets[t] >= 0);
  const largest = Math.max(...scored.map((t) => nll.at(t)), ...(other ? scored.map((t) => other.nll.at(t)) : []));
  const columns = [["t", true], [word("read_token"), false], [word("came"), false], ["p", true], ["−log p", true], ["", false], ...(other ? [[other.model, true], ["", false]] : [])];
  const tokenTable = live(() => {
    const rows = scored.map((t) => [`${t}`, token(ids[t]), token(targets[t]), percent(Math.exp(-nll.at(t))), nll.at(t), bar(nll.at(t), largest), ...(other ? [other.nll.at(t), bar(other.nll.at(t), largest)] : [])]);
    return table(word("table_loss", { n: counted }), columns, rows, (n) => scored[n] === state.t);
  });
  part("loss", formula("loss"), numbers(() => [`loss = −1/${counted} · ( ${written(scored.length, (n) => factor(-nll.at(scored[n])))} ) = −1/${counted} · ${factor(-loss * counted)} = ${number(loss, 6)}`]),
    data.tokens.own_target ? paragraph("own_target") : null, other ? paragraph("compared", { model: other.model, loss: number(other.loss, 5), ours: number(loss, 5), next: seen(other.top.at(0)), p: percent(other.probabilities.at(0)) }) : null, tokenTable,
    formula("dlogits"), numbers(() => {
      const { t } = state;
      if (targets[t] < 0) return [word("no_target")];
      return [`−log p = log Σ exp(z) − z = ${number(logSum.at(t), 6)} − ${factor(logits.at(t, 0))} = ${number(nll.at(t))}`,
        `dlogits[${t}, ${likely.at(t, 0)}] = ( ${number(p.at(t, 0))} − 1 ) / ${counted} = ${number(gradient.at(t, 0))}`];
    }), live(() => {
      const { t } = state;
      if (targets[t] < 0) return paragraph("no_target");
      const most = Math.max(...range(likely.shape[1]).map((n) => Math.abs(gradient.at(t, n))));
      const rows = range(likely.shape[1]).map((n) => [token(likely.at(t, n)), `${likely.at(t, n)}`, logits.at(t, n), p.at(t, n), likely.at(t, n) === targets[t] ? "1" : "0", gradient.at(t, n), bar(gradient.at(t, n), most, true)]);
      return table(word("table_dlogits", { t: named(t), V: data.about.n_vocab }), [[word("token"), false], ["id", true], [word("logit"), true], ["p", true], ["[v = target]", true], ["dlogits", true], ["", false]], rows, (n) => likely.at(t, n) === targets[t]);
    }));
}

function streamFigure() {
  const { names, gradient_norms: norms } = data.stream;
  let row = names.length - 1;
  const map = matrixFigure("stream", word("figure_stream"), () => ({
    rows: names.length, columns: T, value: (i, t) => norms.at(names.length - 1 - i, t),
    rowLabels: [...names].reverse(), columnLabels: range(T).map(named), selected: () => [names.length - 1 - row, state.t],
    onselect: (i, t) => {
      row = names.length - 1 - i;
      focus({ t });
    },
    says: () => `|dL/d ${names[row]}[${named(state.t)}]| = ${number(norms.at(row, state.t))}`,
  }), ...prose("figure_stream_note"));
  onFocus(map.draw);
  return map.node;
}

function sharesTable() {
  return live(() => {
    const { shares, norms } = data.shares;
    const { t } = state;
    const L = shares.shape[0];
    const rows = range(L).reverse().map((i) => [element("code", {}, `h.${i}`), ...range(3).flatMap((n) => [percentSigned(shares.at(i, t, n)), bar(shares.at(i, t, n), 1.2, true), norms.at(i, t, n)])]);
    const name = (key) => [[word(key), true], ["", false], [word("norm"), true]];
    return table(word("table_shares", { t: named(t) }), [[word("block"), false], ...name("past"), ...name("through_mlp"), ...name("through_attn")], rows);
  });
}

function percentSigned(share) {
  return `${share < 0 ? "−" : ""}${(100 * Math.abs(share)).toFixed(1)} %`;
}

function attributionTable() {
  const { attribution, attribution_norm: norm } = data.loss;
  const most = Math.max(...range(T).map((t) => Math.abs(attribution.at(t))));
  return live(() => table(word("table_attribution"), [["t", true], [word("token"), false], ["|dL/dx|", true], ["x · dL/dx", true], ["", false]], range(T).map((t) => [`${t}`, token(ids[t]), norm.at(t), attribution.at(t), bar(attribution.at(t), most, true)]), (t) => t === state.t));
}

function headBackward() {
  const [dp, ds] = [headMatrix("dp", (head) => head.dp), headMatrix("ds", (head) => head.ds)];
  onFocus(dp.draw);
  onFocus(ds.draw);
  const D = () => openedHead().q.shape[1];
  return [live(() => element("h3", {}, word("opened_head", state))), formula("dp"), formula("ds"), numbers(() => {
    const head = openedHead();
    const { t, u } = state;
    return [`dp[${t},${u}] = ${written(D(), (d) => `${factor(head.do.at(t, d))}·${factor(head.v.at(u, d))}`)} = ${number(head.dp[t][u])}`,
      `Σ dp·p = ${written(t + 1, (w) => `${factor(head.dp[t][w])}·${number(head.p[t][w])}`)} = ${number(head.mean[t])}`,
      `ds[${t},${u}] = ${number(head.p[t][u])} · ( ${number(head.dp[t][u])} − ${factor(head.mean[t])} ) = ${number(head.ds[t][u])}`];
  }), element("div", { class: T > 32 ? "column" : "pair" }, dp.node, ds.node), formula("dq"), formula("dk"), formula("dv"), numbers(() => {
    const head = openedHead();
    const { t, u, d } = state;
    const later = range(T - u, u);
    return [`dq[${t},${d}] = ${number(head.scale)} · ( ${written(t + 1, (w) => `${factor(head.ds[t][w])}·${factor(head.k.at(w, d))}`)} ) = ${number(head.scale)} · ${factor(head.dq[t][d] / head.scale)} = ${number(head.dq[t][d])}`,
      `dk[${u},${d}] = ${number(head.scale)} · ( ${written(later.length, (n) => `${factor(head.ds[later[n]][u])}·${factor(head.q.at(later[n], d))}`)} ) = ${number(head.scale)} · ${factor(head.dk[u][d] / head.scale)} = ${number(head.dk[u][d])}`,
      `dv[${u},${d}] = ${written(later.length, (n) => `${number(head.p[later[n]][u])}·${factor(head.do.at(later[n], d))}`)} = ${number(head.dv[u][d])}`];
  }), live(() => {
    const head = openedHead();
    const { t, u, d } = state;
    const rows = range(D()).map((c) => [`${c}`, head.q.at(t, c), head.dq[t][c], head.k.at(u, c), head.dk[u][c], head.v.at(u, c), head.dv[u][c]]);
    return element("details", {}, element("summary", {}, word("all_components", { n: D() })), table(word("table_vectors"), [["d", true], [`q[${t}]`, true], ["dq", true], [`k[${u}]`, true], ["dk", true], [`v[${u}]`, true], ["dv", true]], rows, (c) => c === d));
  }), live(() => {
    const head = openedHead();
    const { t, u } = state;
    const rows = range(t + 1).map((w) => [token(ids[w]), `${w}`, head.p[t][w], head.dp[t][w], head.dp[t][w] - head.mean[t], head.ds[t][w], bar(head.ds[t][w], Math.max(...head.ds[t].slice(0, t + 1).map(Math.abs)), true)]);
    return table(word("table_ds", { t: named(t) }), [[word("key"), false], ["u", true], ["p", true], ["dp", true], ["dp − Σ dp·p", true], ["ds", true], ["", false]], rows, (w) => w === u);
  })];
}

function weightsFigure() {
  const pictured = data.weights.filter((row) => row.picture);
  const layers = [...new Set(pictured.map((row) => Number(row.name.split(".")[1])))];
  let layer = layers.includes(state.layer) ? state.layer : layers[0];
  const { node, fill } = figure("weights", word("figure_weights"), ...prose("figure_weights_note"));
  const rows = live(() => {
    const mine = data.weights.filter((row) => !row.name.startsWith("h.") || row.name.startsWith(`h.${layer}.`));
    const body = mine.map((row) => [element("code", {}, row.name), row.shape.join(" × "), row.norm, row.gradient, row.gradient / row.norm]);
    return table(word("table_weights", { layer }), [[word("parameter"), false], [word("shape"), true], ["|W|", true], ["|dL/dW|", true], ["|dL/dW| / |W|", true]], body);
  });
  onFocus(() => {
    let x = 0;
    const marks = pictured.filter((row) => row.name.startsWith(`h.${layer}.`)).flatMap((row) => {
      const [n, m] = row.picture.shape;
      const group = shape("g", { transform: `translate(${x} 0)` }, shape("text", { x: 0, y: 12, "font-size": 12 }, row.name.replace(/^h\.\d+\.|\.weight$/g, "")), shape("path", { class: "frame", d: framePath(n, m, 6, 0, 20) }), ...squares(n, m, 6, (i, j) => row.picture.at(i, j), 0, 20));
      x += m * 6 + 16;
      return [group];
    });
    fill(drawing(Math.max(x, 10), 24 * 6 + 26, word("figure_weights"), ...marks));
  });
  const choose = select("gradient_block", layers.map((i) => [i, word("layer_n", { n: i })]), () => layer, (i) => {
    layer = Number(i);
    focus({});
  });
  return layers.length ? [element("div", { class: "choices" }, choose), formula("dweight"), node, rows] : [];
}

// All with as many digits and an exponent, so that two columns can be compared digit by digit.
function exact(x) {
  return x.toExponential(7).replace(/-/g, "−");
}

function proofTable() {
  const { rows, h, dtype } = data.proof;
  const off = (row) => Math.abs(row.gradient - row.difference) / (Math.max(Math.abs(row.gradient), Math.abs(row.difference)) || 1);
  const body = rows.map((row) => [element("code", {}, `${row.name}[${row.index.join(",")}]`), row.value, exact(row.gradient), exact(row.difference), off(row).toExponential(0).replace("-", "−")]);
  return [element("h3", {}, word("proof_title")), paragraph("proof_intro", { h: number(h, 1), dtype }), element("div", { class: "formula" }, element("span", { class: "mathematics" }, "dL/dx ≈ ( L(x + h) − L(x − h) ) / 2h")),
    table(word("table_proof"), [[word("number"), false], [word("value"), true], [word("gradient"), true], [word("difference"), true], [word("relative"), true]], body)];
}

function stepsTable() {
  const rows = data.steps.map((row) => [row.kind, number(row.lr), number(data.loss.loss, 6), number(data.loss.loss + row.measured, 6), number(row.measured), number(row.promised), number(row.measured / row.promised, 3)]);
  return [element("h3", {}, word("step_title")), paragraph("step_intro"), formula("adamw"), table(word("table_step"), [[word("optimiser"), false], ["lr", true], [word("before"), true], [word("afterwards"), true], [word("change"), true], [word("promised"), true], [word("ratio"), true]], rows)];
}

function ablationFigure() {
  const { layers, change, estimate } = data.heads;
  const H = data.about.n_head;
  const every = layers.flatMap((layer, row) => range(H).map((head) => ({ layer, head, change: change.at(row, head), estimate: estimate.at(row, head) })));
  every.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  const drawn = figure("ablation", word("figure_ablation"), ...prose("figure_ablation_note", { n: every.length, layers: layers.join(", ") }));
  const most = Math.max(...every.flatMap((row) => [Math.abs(row.change), Math.abs(row.estimate)]));
  const reach = extent([0, ...every.flatMap((row) => [row.change, row.estimate])]);
  const draw = () => drawn.fill(plot({ lines: [{ points: [[reach[0], reach[0]], [reach[1], reach[1]]], kind: "slope" }], dots: every.map((row) => ({ x: row.estimate, y: row.change, name: `${row.layer}.${row.head}`, kind: row.layer === state.layer && row.head === state.head ? "selected" : "dot" })), across: reach, up: reach, xLabel: word("estimate"), yLabel: word("measured"), label: word("figure_ablation"), height: 340 }));
  onFocus(draw);
  const rows = (list) => list.map((row) => [`${row.layer}.${row.head}`, row.change, bar(row.change, most, true), row.estimate, bar(row.estimate, most, true)]);
  const columns = [[word("head"), false], [word("measured"), true], ["", false], [word("estimate"), true], ["", false]];
  return [element("h3", {}, word("ablation_title")), formula("ablation"), drawn.node, table(word("table_ablation", { n: Math.min(8, every.length) }), columns, rows(every.slice(0, 8))),
    every.length > 8 ? element("details", {}, element("summary", {}, word("all_heads", { n: every.length })), table(word("figure_ablation"), columns, rows(every))) : null];
}

function backwardPart() {
  const proven = data.proof ? proofTable() : [];
  part("backward", formula("dmid"), formula("dx"), formula("dnorm"), streamFigure(), sharesTable(), attributionTable(), headBackward(), data.weights ? weightsFigure() : [], proven, data.steps ? stepsTable() : [], data.heads ? ablationFigure() : []);
}
