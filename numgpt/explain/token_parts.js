// Parts 1 and 2: the text and its tokens, their embedding.

function tokenChips() {
  return ids.map((id, t) => {
    const bytes = data.tokens.bytes[t] || [];
    const chip = element(
      "button",
      { type: "button", class: "chip", onclick: () => focus({ t }) },
      token(id),
      element("small", {}, `${t} · ${id}`),
      element(
        "small",
        { class: "bytes" },
        bytes.length > 8 ? `${bytes.slice(0, 8).map(hex).join(" ")} …` : bytes.map(hex).join(" "),
      ),
    );
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
  const line = (made, rank) =>
    element(
      "li",
      {},
      element(
        "span",
        { class: "steps" },
        now.map((id, place) => (place === made ? element("strong", { class: "merged" }, token(id)) : token(id))),
      ),
      " ",
      element("small", {}, rank),
    );
  const lines = [line(-1, word("merge_start", { n: now.length }))];
  for (const [place, id, rank] of piece.steps) {
    now = [...now.slice(0, place), id, ...now.slice(place + 2)];
    lines.push(line(place, word("merge_rank", { rank })));
  }
  const shown =
    lines.length > 12
      ? [
          ...lines.slice(0, 6),
          element(
            "li",
            {},
            element(
              "details",
              {},
              element("summary", {}, word("merge_more", { n: lines.length - 10 })),
              element("ol", {}, lines.slice(6, -4)),
            ),
          ),
          ...lines.slice(-4),
        ]
      : lines;
  return [paragraph("merge_piece", { n: piece.ids.length }), element("ol", { class: "merges" }, shown)];
}

function tokensPart() {
  part(
    "tokens",
    element("div", { class: "chips", role: "group", "aria-label": word("tokens_title") }, tokenChips()),
    data.tokens.pieces ? [formula("pieces"), formula("merge")] : null,
    live(mergeSteps),
  );
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
    const lines = [
      [`wte[${ids[state.t]}]  ${seen(ids[state.t])}`, first],
      [`wpe[${state.t}]`, second],
      [`x[${state.t}]`, both],
    ];
    const drawn = lines.map(([name, values], n) =>
      shape("g", { transform: `translate(0 ${n * 66})` }, ...strip(values, "", name).childNodes),
    );
    strips.fill(drawing(640, 198, word("figure_embedding"), ...drawn));
  });
  part(
    "embedding",
    formula("embed"),
    numbers(() => {
      const [t, k] = at();
      return [`x[${t},${C[k]}] = ${number(rows.at(t, k))} + ${factor(position.at(t, k))} = ${number(x(t, k))}`];
    }),
    strips.node,
    element("h3", {}, "LayerNorm"),
    paragraph("norm_intro"),
    formula("mean"),
    formula("rstd"),
    formula("xhat"),
    formula("norm"),
    numbers(() => {
      const [t, k] = at();
      const hat = (x(t, k) - mean.at(t)) * rstd.at(t);
      return [
        `μ = ${number(mean.at(t))}    rstd = ${number(rstd.at(t))}    ε = ${eps}`,
        `x̂ = (${number(x(t, k))} − ${factor(mean.at(t))}) · ${number(rstd.at(t))} = ${number(hat)}`,
        `y = ${factor(hat)} · ${factor(weight.at(k))} + ${factor(bias.at(k))} = ${number(ln.at(t, k))}`,
        `${word("undone")}: x = x̂ / rstd + μ = ${number(hat / rstd.at(t) + mean.at(t))}`,
      ];
    }),
    live(() => {
      const [t] = at();
      const row = (k) => [
        `${C[k]}`,
        rows.at(t, k),
        position.at(t, k),
        x(t, k),
        (x(t, k) - mean.at(t)) * rstd.at(t),
        ln.at(t, k),
      ];
      const columns = [
        [word("channel"), true],
        ["wte", true],
        ["wpe", true],
        ["x", true],
        ["x̂", true],
        ["ln_1(x)", true],
      ];
      return table(
        word("table_channels", { n: C.length, C: data.about.n_embd }),
        columns,
        K.map(row),
        (k) => C[k] === state.channel,
      );
    }),
  );
}
