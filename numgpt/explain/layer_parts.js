// Parts 4 and 5: the feed-forward network, and what each layer would say.

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
    const points = range(2 * half()).map((n) => ({
      x: before.at(t, n),
      y: after.at(t, n),
      name: `${word("neuron")} ${neurons.at(t, n)}`,
      kind: neurons.at(t, n) === state.neuron ? "selected" : "dot",
    }));
    const reach = Math.max(4, ...points.map((point) => Math.abs(point.x)));
    const left = activation === "relu" ? 0 : curve.y.at(0);
    const beyond = [[-reach, left], ...line(curve.y), [reach, reach]];
    drawn.fill(
      plot({
        lines: [
          { points: beyond, kind: "curve" },
          { points: line(curve.slope), kind: "slope" },
        ],
        dots: points,
        xLabel: word("before_bend"),
        yLabel: word("after_bend"),
        label: word("figure_bend"),
      }),
    );
  };
  const list = (start, caption) => {
    const { ids: neurons, before, after, gradient } = here();
    const { t } = state;
    const largest = Math.max(...range(half()).map((n) => Math.abs(after.at(t, start + n) * gradient.at(t, start + n))));
    const rows = range(half(), start).map((n) => {
      const effect = after.at(t, n) * gradient.at(t, n);
      const pick = element(
        "button",
        {
          type: "button",
          class: "pick",
          "aria-pressed": String(neurons.at(t, n) === state.neuron),
          onclick: () => focus({ neuron: neurons.at(t, n) }),
        },
        `${neurons.at(t, n)}`,
      );
      return [pick, before.at(t, n), after.at(t, n), gradient.at(t, n), effect, bar(effect, largest, true)];
    });
    return table(
      caption,
      [
        [word("neuron"), true],
        ["f", true],
        ["act(f)", true],
        ["dL/dact", true],
        ["act · dL/dact", true],
        ["", false],
      ],
      rows,
      (n) => neurons.at(t, start + n) === state.neuron,
    );
  };
  const tables = live(() => [
    list(0, word("table_firing", { n: half(), width, t: named(state.t), layer: block })),
    list(half(), word("table_effect", { n: half() })),
  ]);
  onFocus(draw);
  const choose = select(
    "block",
    layers.map((layer) => [layer, word("layer_n", { n: layer })]),
    () => block,
    (layer) => {
      block = Number(layer);
      focus({});
    },
  );
  part(
    "mlp",
    element("div", { class: "choices" }, choose),
    formula("mlp"),
    formula(activation),
    numbers(() => {
      const { ids: neurons, before, after } = here();
      const n = Math.max(
        0,
        range(2 * half()).findIndex((i) => neurons.at(state.t, i) === state.neuron),
      );
      return [
        `f[${state.t},${neurons.at(state.t, n)}] = ${number(before.at(state.t, n))}    act(f) = ${number(after.at(state.t, n))}`,
      ];
    }),
    drawn.node,
    tables,
  );
}

function lensPart() {
  const { names, tokens: likely, probabilities, entropy, rank, target_probability: right } = data.lens;
  const top = Math.min(4, likely.shape[2]);
  const target = () => targets[state.t];
  const map = matrixFigure("lens", word("figure_lens"), () => ({
    rows: names.length,
    columns: T,
    value: (i, t) => (targets[t] < 0 ? 0 : right.at(i, t)),
    rowLabels: names,
    columnLabels: range(T).map(named),
    selected: () => [names.length - 1, state.t],
    onselect: (i, t) => focus({ t }),
    says: () =>
      target() < 0
        ? word("no_target")
        : word("lens_says", { token: seen(target()), p: percent(right.at(names.length - 1, state.t)) }),
  }));
  onFocus(map.draw);
  part(
    "lens",
    formula("lens"),
    live(() => {
      const { t } = state;
      const columns = [
        [word("after"), false],
        ...range(top).map((n) => [word("likely_n", { n: n + 1 }), false]),
        [word("entropy"), true],
        [word("rank"), true],
        [word("p_target"), true],
      ];
      const rows = names.map((name, i) => [
        element("code", {}, name),
        ...range(top).map((n) =>
          element("span", {}, token(likely.at(i, t, n)), " ", element("small", {}, percent(probabilities.at(i, t, n)))),
        ),
        number(entropy.at(i, t), 3),
        target() < 0 ? "–" : `${rank.at(i, t) + 1}`,
        target() < 0 ? "–" : percent(right.at(i, t)),
      ]);
      return table(
        target() < 0
          ? word("table_lens_none", { t: named(t) })
          : word("table_lens", { t: named(t), token: seen(target()) }),
        columns,
        rows,
      );
    }),
    map.node,
    formula("head"),
  );
}
