// Part 8: the loss, and its gradient at the logits.

function lossPart() {
  const { nll, loss, counted, ids: likely, logits, p, gradient, log_sum: logSum } = data.loss;
  const other = data.compare;
  const scored = range(T).filter((t) => targets[t] >= 0);
  const largest = Math.max(...scored.map((t) => nll.at(t)), ...(other ? scored.map((t) => other.nll.at(t)) : []));
  const columns = [
    ["t", true],
    [word("read_token"), false],
    [word("came"), false],
    ["p", true],
    ["−log p", true],
    ["", false],
    ...(other
      ? [
          [other.model, true],
          ["", false],
        ]
      : []),
  ];
  const tokenTable = live(() => {
    const rows = scored.map((t) => [
      `${t}`,
      token(ids[t]),
      token(targets[t]),
      percent(Math.exp(-nll.at(t))),
      nll.at(t),
      bar(nll.at(t), largest),
      ...(other ? [other.nll.at(t), bar(other.nll.at(t), largest)] : []),
    ]);
    return table(word("table_loss", { n: counted }), columns, rows, (n) => scored[n] === state.t);
  });
  part(
    "loss",
    formula("loss"),
    numbers(() => [
      `loss = −1/${counted} · ( ${written(scored.length, (n) => factor(-nll.at(scored[n])))} ) = −1/${counted} · ${factor(-loss * counted)} = ${number(loss, 6)}`,
    ]),
    data.tokens.own_target ? paragraph("own_target") : null,
    other
      ? paragraph("compared", {
          model: other.model,
          loss: number(other.loss, 5),
          ours: number(loss, 5),
          next: seen(other.top.at(0)),
          p: percent(other.probabilities.at(0)),
        })
      : null,
    tokenTable,
    formula("dlogits"),
    numbers(() => {
      const { t } = state;
      if (targets[t] < 0) return [word("no_target")];
      return [
        `−log p = log Σ exp(z) − z = ${number(logSum.at(t), 6)} − ${factor(logits.at(t, 0))} = ${number(nll.at(t))}`,
        `dlogits[${t}, ${likely.at(t, 0)}] = ( ${number(p.at(t, 0))} − 1 ) / ${counted} = ${number(gradient.at(t, 0))}`,
      ];
    }),
    live(() => {
      const { t } = state;
      if (targets[t] < 0) return paragraph("no_target");
      const most = Math.max(...range(likely.shape[1]).map((n) => Math.abs(gradient.at(t, n))));
      const rows = range(likely.shape[1]).map((n) => [
        token(likely.at(t, n)),
        `${likely.at(t, n)}`,
        logits.at(t, n),
        p.at(t, n),
        likely.at(t, n) === targets[t] ? "1" : "0",
        gradient.at(t, n),
        bar(gradient.at(t, n), most, true),
      ]);
      return table(
        word("table_dlogits", { t: named(t), V: data.about.n_vocab }),
        [
          [word("token"), false],
          ["id", true],
          [word("logit"), true],
          ["p", true],
          ["[v = target]", true],
          ["dlogits", true],
          ["", false],
        ],
        rows,
        (n) => likely.at(t, n) === targets[t],
      );
    }),
  );
}
