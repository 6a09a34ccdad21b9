// One number on its way from the token to the loss, and its gradient on the way back.

// The rows of the way: [part's key, what it is, formula with numbers, value].
function wayThere() {
  const { t, u, d, layer } = state;
  const head = openedHead();
  const { names, channels, values, ln_f: lnF, target_rows: target } = data.stream;
  const k = range(channels.shape[0]).find((n) => channels.at(n) === state.channel);
  const c = state.channel;
  const at = (name) => values.at(names.indexOf(name), t, k);
  const below = layer === 0 ? "embed" : `h.${layer - 1}`;
  const last = names[names.length - 1];
  const { embedding, loss } = data;
  const ln = head.ln_1.at(t, k);
  const rows = [
    ["tokens", `id[${t}]`, seen(ids[t]), `${ids[t]}`],
    [
      "embedding",
      `x[${t},${c}]`,
      `wte[${ids[t]},${c}] + wpe[${t},${c}] = ${number(embedding.token.at(t, k))} + ${factor(embedding.position.at(t, k))}`,
      number(at("embed")),
    ],
  ];
  if (layer > 0) rows.push(["lens", `${below}[${t},${c}]`, word("way_blocks", { n: layer }), number(at(below))]);
  rows.push(
    ["embedding", `h.${layer}.ln_1[${t},${c}]`, word("way_norm"), number(ln)],
    [
      "attention",
      `q[${t},${d}]`,
      word("way_query", {
        product: `${number(ln)}·${factor(head.query_weight.at(k, d))} = ${number(ln * head.query_weight.at(k, d))}`,
        n: data.about.n_embd,
      }),
      number(head.q.at(t, d)),
    ],
    [
      "attention",
      `s[${t},${u}]`,
      word("way_term", {
        product: `${number(head.q.at(t, d))}·${factor(head.k.at(u, d))}·${number(head.scale)} = ${number(head.q.at(t, d) * head.k.at(u, d) * head.scale)}`,
        n: head.q.shape[1],
      }),
      number(head.s[t][u]),
    ],
    ["attention", `p[${t},${u}]`, "softmax", number(head.p[t][u])],
    [
      "attention",
      `o[${t},${d}]`,
      word("way_term", {
        product: `${number(head.p[t][u])}·${factor(head.v.at(u, d))} = ${number(head.p[t][u] * head.v.at(u, d))}`,
        n: t + 1,
      }),
      number(head.o[t][d]),
    ],
    [
      "attention",
      `h.${layer}.mid[${t},${c}]`,
      word("way_mid", {
        below: number(at(below)),
        writes: number(head.writes.at(t, k)),
        others: number(at(`h.${layer}.mid`) - at(below) - head.writes.at(t, k)),
      }),
      number(at(`h.${layer}.mid`)),
    ],
    [
      "mlp",
      `h.${layer}[${t},${c}]`,
      `${number(at(`h.${layer}.mid`))} + mlp ${factor(at(`h.${layer}`) - at(`h.${layer}.mid`))}`,
      number(at(`h.${layer}`)),
    ],
  );
  if (last !== `h.${layer}`)
    rows.push([
      "lens",
      `${last}[${t},${c}]`,
      word("way_blocks", { n: data.about.n_layer - 1 - layer }),
      number(at(last)),
    ]);
  rows.push(["lens", `ln_f[${t},${c}]`, word("way_norm"), number(lnF.at(t, k))]);
  if (targets[t] >= 0) {
    rows.push(
      [
        "lens",
        `logits[${t},${targets[t]}]`,
        word("way_term", {
          product: `${number(lnF.at(t, k))}·${factor(target.at(t, k))} = ${number(lnF.at(t, k) * target.at(t, k))}`,
          n: data.about.n_embd,
        }),
        number(loss.logits.at(t, 0)),
      ],
      [
        "loss",
        `−log p[${t}]`,
        `${number(loss.log_sum.at(t), 6)} − ${factor(loss.logits.at(t, 0))}`,
        number(loss.nll.at(t)),
      ],
    );
  }
  return [...rows, ["loss", word("loss_word"), word("way_mean", { n: loss.counted }), number(loss.loss, 6)]];
}

function wayBack() {
  const { t, u, d, layer, channel: c } = state;
  const head = openedHead();
  const { names, channels, gradients, dln_f: dlnF } = data.stream;
  const k = range(channels.shape[0]).find((n) => channels.at(n) === c);
  const at = (name) => number(gradients.at(names.indexOf(name), t, k));
  const below = layer === 0 ? "embed" : `h.${layer - 1}`;
  const last = names[names.length - 1];
  const { loss } = data;
  const rows = [];
  if (targets[t] >= 0)
    rows.push([
      "loss",
      `dlogits[${t},${targets[t]}]`,
      `(${number(loss.p.at(t, 0))} − 1) / ${loss.counted}`,
      number(loss.gradient.at(t, 0)),
    ]);
  rows.push(
    ["backward", `dln_f[${t},${c}]`, data.sources.dhead.formula, number(dlnF.at(t, k))],
    ["backward", `d${last}[${t},${c}]`, word("way_dnorm"), at(last)],
  );
  if (last !== `h.${layer}`)
    rows.push([
      "backward",
      `dh.${layer}[${t},${c}]`,
      word("way_blocks_back", { n: data.about.n_layer - 1 - layer }),
      at(`h.${layer}`),
    ]);
  rows.push(
    ["backward", `dh.${layer}.mid[${t},${c}]`, word("way_past_mlp"), at(`h.${layer}.mid`)],
    ["backward", `do[${t},${d}]`, word("way_do"), number(head.do.at(t, d))],
    ["backward", `dp[${t},${u}]`, data.sources.dp.formula, number(head.dp[t][u])],
    [
      "backward",
      `ds[${t},${u}]`,
      `${number(head.p[t][u])} · (${number(head.dp[t][u])} − ${factor(head.mean[t])})`,
      number(head.ds[t][u]),
    ],
    ["backward", `dq[${t},${d}]`, data.sources.dq.formula, number(head.dq[t][d])],
    [
      "backward",
      `dh.${layer}.ln_1[${t},${c}]`,
      word("way_dln", {
        product: `${number(head.dq[t][d])}·${factor(head.query_weight.at(k, d))} = ${number(head.dq[t][d] * head.query_weight.at(k, d))}`,
        n: 3 * data.about.n_embd,
      }),
      number(head.dln_1.at(t, k)),
    ],
    ["backward", `d${below}[${t},${c}]`, word("way_past_attn"), at(below)],
  );
  if (layer > 0) rows.push(["backward", `dembed[${t},${c}]`, word("way_blocks_back", { n: layer }), at("embed")]);
  const twins = range(T).filter((other) => ids[other] === ids[t]);
  return [
    ...rows,
    [
      "backward",
      `dwte[${ids[t]},${c}]`,
      word("way_row", { places: twins.join(", ") }),
      number(sum(twins.map((other) => gradients.at(0, other, k)))),
    ],
  ];
}

function wayPart() {
  const list = (caption, rows) =>
    table(
      caption,
      [
        [word("part"), false],
        [word("number"), false],
        [word("how"), false],
        [word("value"), true],
      ],
      rows.map(([key, name, how, value]) => [
        element("a", { href: `#${key}` }, word(`${key}_title`)),
        element("code", {}, name),
        element("bdi", {}, how),
        element("strong", {}, value),
      ]),
    );
  part(
    "way",
    live(() => [list(word("table_there"), wayThere()), list(word("table_back"), wayBack())]),
  );
}
