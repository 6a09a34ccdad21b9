// Parts 1 to 5: the text, the embedding, attention, the feed-forward network, and what each layer would say.

function tokenChips() {
  return ids.map((id, t) => {
    const bytes = data.tokens.bytes[t] || [];
    const chip = element("button", { type: "button", class: "chip", onclick: () => focus({ t }) },
      token(id), element("small", {}, `${t} · ${id}`), element("small", { class: "bytes" }, bytes.length > 8 ? `${bytes.slice(0, 8).map(hex).join(" ")} …` : bytes.map(hex).join(" ")));
    onFocus(() => chip.setAttribute("aria-pressed", String(t === state.t)));
    return chip;
  });
}

// The piece of the text to which token t belongs; null for a tokenizer without merges, and for tokens of the target.
function pieceOf(t) {
  let last = 0;
  for (const piece of data.tokens.pieces || []) {
    last += piece.ids.length;
    if (t < last) return piece;
  }
  return null;
}

function mergeSteps() {
  const piece = pieceOf(state.t);
  if (!piece) return paragraph(`tokens_${data.tokens.kind === "bpe" ? "target" : data.tokens.kind}`);
  let now = [...piece.bytes];
  const line = (made, rank) => element("li", {}, element("span", { class: "steps" }, now.map((id, place) => (place === made ? element("strong", { class: "merged" }, token(id)) : token(id)))), " ", element("small", {}, rank));
  const lines = [line(-1, word("merge_start", { n: now.length }))];
  for (const [place, id, rank] of piece.steps) {
    now = [...now.slice(0, place), id, ...now.slice(place + 2)];
    lines.push(line(place, word("merge_rank", { rank })));
  }
  const shown = lines.length > 12 ? [...lines.slice(0, 6), element("li", {}, element("details", {}, element("summary", {}, word("merge_more", { n: lines.length - 10 })), element("ol", {}, lines.slice(6, -4)))), ...lines.slice(-4)] : lines;
  return [paragraph("merge_piece", { n: piece.ids.length }), element("ol", { class: "merges" }, shown)];
}

function tokensPart() {
  part("tokens", element("div", { class: "chips", role: "group", "aria-label": word("tokens_title") }, tokenChips()),
    data.tokens.pieces ? [formula("pieces"), formula("merge")] : null, live(mergeSteps));
}

function embeddingPart() {
  const { token: rows, position, mean, rstd, weight, bias, ln_1: ln, eps } = data.embedding;
  const C = data.stream.channels.data;
  const K = range(C.length);
  const x = (t, k) => data.stream.values.at(0, t, k);
  const at = () => [state.t, K.find((k) => C[k] === state.channel)];
  const strips = figure("embedding", word("figure_embedding"), ...prose("figure_embedding_note"));
  onFocus(() => {
    const { token_picture: a, position_picture: b } = data.embedding;
    const channels = range(a.shape[1]);
    const [first, second] = [a, b].map((table_) => channels.map((c) => table_.at(state.t, c)));
    const both = channels.map((c) => first[c] + second[c]);
    const lines = [[`wte[${ids[state.t]}]  ${seen(ids[state.t])}`, first], [`wpe[${state.t}]`, second], [`x[${state.t}]`, both]];
    const drawn = lines.map(([name, values], n) => shape("g", { transform: `translate(0 ${n * 66})` }, ...strip(values, "", name).childNodes));
    strips.fill(drawing(640, 198, word("figure_embedding"), ...drawn));
  });
  part("embedding", formula("embed"), numbers(() => {
    const [t, k] = at();
    return [`x[${t},${C[k]}] = ${number(rows.at(t, k))} + ${factor(position.at(t, k))} = ${number(x(t, k))}`];
  }), strips.node, element("h3", {}, "LayerNorm"), paragraph("norm_intro"), formula("mean"), formula("rstd"), formula("xhat"), formula("norm"), numbers(() => {
    const [t, k] = at();
    const hat = (x(t, k) - mean.at(t)) * rstd.at(t);
    return [`μ = ${number(mean.at(t))}    rstd = ${number(rstd.at(t))}    ε = ${eps}`,
      `x̂ = (${number(x(t, k))} − ${factor(mean.at(t))}) · ${number(rstd.at(t))} = ${number(hat)}`,
      `y = ${factor(hat)} · ${factor(weight.at(k))} + ${factor(bias.at(k))} = ${number(ln.at(t, k))}`,
      `${word("undone")}: x = x̂ / rstd + μ = ${number(hat / rstd.at(t) + mean.at(t))}`];
  }), live(() => {
    const [t] = at();
    const row = (k) => [`${C[k]}`, rows.at(t, k), position.at(t, k), x(t, k), (x(t, k) - mean.at(t)) * rstd.at(t), ln.at(t, k)];
    const columns = [[word("channel"), true], ["wte", true], ["wpe", true], ["x", true], ["x̂", true], ["ln_1(x)", true]];
    return table(word("table_channels", { n: C.length, C: data.about.n_embd }), columns, K.map(row), (k) => C[k] === state.channel);
  }));
}

function thumbnailsFigure() {
  const { layers, thumbnails, cells } = data.attention;
  const H = data.about.n_head;
  const size = 64;
  const [left, top] = [52, 20];
  const { node, fill } = figure("heads", word("figure_heads"), ...prose("figure_heads_note", { n: heads.length }));
  onFocus(() => {
    const marks = [];
    layers.forEach((layer, row) => {
      marks.push(labelled(word("layer_n", { n: layer }), 0, top + row * (size + 8) + size / 2, 12));
      range(H).forEach((head) => {
        const [x, y] = [left + head * (size + 8), top + row * (size + 8)];
        const value = (i, j) => (j > i ? 0 : thumbnails[row].at(head, (i * (i + 1)) / 2 + j));
        if (row === 0) marks.push(shape("text", { x: x + size / 2, y: 12, "font-size": 12, "text-anchor": "middle" }, head));
        const known = heads.some((one) => one.layer === layer && one.head === head);
        const frame = known ? (layer === state.layer && head === state.head ? "selected" : "opened") : "frame";
        marks.push(shape("rect", { x, y, width: size, height: size, class: frame, onclick: known ? () => focus({ layer, head }) : () => {} }), ...squares(cells, cells, size / cells, value, x, y));
      });
    });
    fill(drawing(left + H * (size + 8), top + layers.length * (size + 8), word("figure_heads"), ...marks));
  });
  return node;
}

function headMatrix(name, values, signed = true) {
  return matrixFigure(name, word(`figure_${name}`), () => ({
    rows: T, columns: T, lower: true, value: (t, u) => values(openedHead())[t][u], signed,
    rowLabels: range(T).map(named), columnLabels: range(T).map(named),
    selected: () => [state.t, state.u], onselect: (t, u) => focus({ t, u }),
    says: () => `${word("pair", { t: named(state.t), u: named(state.u) })}: ${number(values(openedHead())[state.t][state.u])}`,
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
  part("attention", thumbnailsFigure(), live(() => element("h3", {}, word("opened_head", state))), formula("linear"), numbers(() => {
    const { q, k, v } = openedHead();
    const row = (name, vector, t) => `${name}[${t}] = (${range(Math.min(6, D())).map((d) => number(vector.at(t, d), 3)).join(", ")}, …)`;
    return [row("q", q, state.t), row("k", k, state.u), row("v", v, state.u)];
  }), formula("scores"), formula("mask"), numbers(() => {
    const head = openedHead();
    const { t, u } = state;
    const term = (d) => `${factor(head.q.at(t, d))}·${factor(head.k.at(u, d))}`;
    return [`s[${t},${u}] = ${number(head.scale)} · ( ${written(D(), term)} ) = ${number(head.scale)} · ${factor(head.s[t][u] / head.scale)} = ${number(head.s[t][u])}`];
  }), live(() => {
    const head = openedHead();
    const { t, u, d } = state;
    const rows = range(D()).map((c) => [`${c}`, head.q.at(t, c), head.k.at(u, c), head.q.at(t, c) * head.k.at(u, c)]);
    return element("details", {}, element("summary", {}, word("all_terms", { n: D() })), table(word("table_terms"), [["d", true], [`q[${t},d]`, true], [`k[${u},d]`, true], ["q·k", true]], rows, (c) => c === d));
  }), element("div", { class: T > 32 ? "column" : "pair" }, s.node, p.node), formula("softmax"), formula("gather"), numbers(() => {
    const head = openedHead();
    const { t, u, d } = state;
    const largest = Math.max(...head.s[t]);
    const total = sum(head.s[t].map((score) => Math.exp(score - largest)));
    return [`p[${t},${u}] = exp(${number(head.s[t][u])} − ${factor(largest)}) / ${number(total)} = ${number(head.p[t][u])}`,
      `o[${t},${d}] = ${written(t + 1, (w) => `${number(head.p[t][w])}·${factor(head.v.at(w, d))}`)} = ${number(head.o[t][d])}`];
  }), live(() => {
    const head = openedHead();
    const { t, u, d } = state;
    const largest = Math.max(...head.s[t]);
    const rows = range(t + 1).map((w) => [token(ids[w]), `${w}`, head.s[t][w], Math.exp(head.s[t][w] - largest), head.p[t][w], bar(head.p[t][w], 1), head.v.at(w, d), head.p[t][w] * head.v.at(w, d)]);
    const hidden = T - 1 - t;
    rows.push([word("sum"), "", "", number(sum(head.s[t].map((x) => Math.exp(x - largest)))), "1", "", "", head.o[t][d]]);
    return [table(word("table_query", { t: named(t) }), [[word("key"), false], ["u", true], ["s", true], ["exp(s − max s)", true], ["p", true], ["", false], [`v[u,${d}]`, true], [`p·v`, true]], rows, (w) => w === u), hidden ? paragraph("masked", { n: hidden }) : null];
  }), formula("project"), formula("residual"));
}

function mlpPart() {
  const { layers, blocks, curve, activation, width } = data.mlp;
  let block = layers.includes(state.layer) ? state.layer : layers[0];
  const here = () => blocks[layers.indexOf(block)];
  const half = () => here().ids.shape[1] / 2;
  const drawn = figure("bend", word("figure_bend"), ...prose("figure_bend_note"));
  const draw = () => {
    const { ids: neurons, before, after } = here();
    const { t } = state;
    const line = (values) => range(curve.x.shape[0]).map((i) => [curve.x.at(i), values.at(i)]);
    const points = range(2 * half()).map((n) => ({ x: before.at(t, n), y: after.at(t, n), name: `${word("neuron")} ${neurons.at(t, n)}`, kind: neurons.at(t, n) === state.neuron ? "selected" : "dot" }));
    const reach = Math.max(4, ...points.map((point) => Math.abs(point.x)));
    const left = activation === "relu" ? 0 : curve.y.at(0);
    const beyond = [[-reach, left], ...line(curve.y), [reach, reach]];
    drawn.fill(plot({ lines: [{ points: beyond, kind: "curve" }, { points: line(curve.slope), kind: "slope" }], dots: points, xLabel: word("before_bend"), yLabel: word("after_bend"), label: word("figure_bend") }));
  };
  const list = (start, caption) => {
    const { ids: neurons, before, after, gradient } = here();
    const { t } = state;
    const largest = Math.max(...range(half()).map((n) => Math.abs(after.at(t, start + n) * gradient.at(t, start + n))));
    const rows = range(half(), start).map((n) => {
      const effect = after.at(t, n) * gradient.at(t, n);
      const pick = element("button", { type: "button", class: "pick", "aria-pressed": String(neurons.at(t, n) === state.neuron), onclick: () => focus({ neuron: neurons.at(t, n) }) }, `${neurons.at(t, n)}`);
      return [pick, before.at(t, n), after.at(t, n), gradient.at(t, n), effect, bar(effect, largest, true)];
    });
    return table(caption, [[word("neuron"), true], ["f", true], ["act(f)", true], ["dL/dact", true], ["act · dL/dact", true], ["", false]], rows, (n) => neurons.at(t, start + n) === state.neuron);
  };
  const tables = live(() => [list(0, word("table_firing", { n: half(), width, t: named(state.t), layer: block })), list(half(), word("table_effect", { n: half() }))]);
  onFocus(draw);
  const choose = select("block", layers.map((layer) => [layer, word("layer_n", { n: layer })]), () => block, (layer) => {
    block = Number(layer);
    focus({});
  });
  part("mlp", element("div", { class: "choices" }, choose), formula("mlp"), formula(activation), numbers(() => {
    const { ids: neurons, before, after } = here();
    const n = Math.max(0, range(2 * half()).findIndex((i) => neurons.at(state.t, i) === state.neuron));
    return [`f[${state.t},${neurons.at(state.t, n)}] = ${number(before.at(state.t, n))}    act(f) = ${number(after.at(state.t, n))}`];
  }), drawn.node, tables);
}

function lensPart() {
  const { names, tokens: likely, probabilities, entropy, rank, target_probability: right } = data.lens;
  const top = Math.min(4, likely.shape[2]);
  const target = () => targets[state.t];
  const map = matrixFigure("lens", word("figure_lens"), () => ({
    rows: names.length, columns: T, value: (i, t) => (targets[t] < 0 ? 0 : right.at(i, t)),
    rowLabels: names, columnLabels: range(T).map(named), selected: () => [names.length - 1, state.t],
    onselect: (i, t) => focus({ t }),
    says: () => (target() < 0 ? word("no_target") : word("lens_says", { token: seen(target()), p: percent(right.at(names.length - 1, state.t)) })),
  }));
  onFocus(map.draw);
  part("lens", formula("lens"), live(() => {
    const { t } = state;
    const columns = [[word("after"), false], ...range(top).map((n) => [word("likely_n", { n: n + 1 }), false]), [word("entropy"), true], [word("rank"), true], [word("p_target"), true]];
    const rows = names.map((name, i) => [element("code", {}, name), ...range(top).map((n) => element("span", {}, token(likely.at(i, t, n)), " ", element("small", {}, percent(probabilities.at(i, t, n))))), number(entropy.at(i, t), 3), target() < 0 ? "–" : `${rank.at(i, t) + 1}`, target() < 0 ? "–" : percent(right.at(i, t))]);
    return table(target() < 0 ? word("table_lens_none", { t: named(t) }) : word("table_lens", { t: named(t), token: seen(target()) }), columns, rows);
  }), map.node, formula("head"));
}
