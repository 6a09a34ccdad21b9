// Part 10: the same text while the model learns.

function learningPart() {
  const { film, layer, head, lr, frames } = data.learning;
  let now = 0;
  const label = (n) =>
    film ? word("checkpoint_n", { n: frames[n].label }) : word("after_step_n", { n: frames[n].label });
  const curve = figure("learning", word("figure_learning"));
  const attention = figure("film", word("figure_film", { layer, head }));
  const said = element("p", { class: "said", role: "status" });
  const tables = element("div", { class: "pair" });
  const knob = element("input", {
    type: "range",
    id: "slider-frame",
    min: 0,
    max: frames.length - 1,
    step: 1,
    value: 0,
  });
  const show = () => {
    const frame = frames[now];
    knob.setAttribute("aria-valuetext", label(now));
    said.textContent = word("frame_says", { label: label(now), loss: number(frame.loss, 5) });
    const points = frames.map((one, n) => [n, one.loss]);
    curve.fill(
      plot({
        lines: [{ points, kind: "curve" }],
        dots: points.map(([x, y]) => ({ x, y, kind: x === now ? "selected" : "dot", name: label(x) })),
        xLabel: word(film ? "frame" : "step"),
        yLabel: word("loss_word"),
        label: word("figure_learning"),
        height: 220,
      }),
    );
    const cells = Math.round((Math.sqrt(8 * frame.attention.shape[0] + 1) - 1) / 2);
    const cell = cellSize(cells);
    const value = (i, j) => (j > i ? 0 : frame.attention.at((i * (i + 1)) / 2 + j));
    attention.fill(
      drawing(
        cells * cell + 2,
        cells * cell + 2,
        word("figure_film", { layer, head }),
        shape("path", { class: "frame", d: framePath(cells, cells, cell, 1, 1, true) }),
        ...squares(cells, cells, cell, value, 1, 1),
      ),
    );
    const next = range(frame.top.shape[0]).map((n) => [
      token(frame.top.at(n)),
      percent(frame.probabilities.at(n)),
      bar(frame.probabilities.at(n), 1),
    ]);
    const scored = range(T).filter((t) => targets[t] >= 0);
    const most = Math.max(...frames.flatMap((one) => scored.map((t) => one.nll.at(t))));
    tables.replaceChildren(
      table(
        word("table_next"),
        [
          [word("token"), false],
          ["p", true],
          ["", false],
        ],
        next,
      ),
      table(
        word("table_frame_loss"),
        [
          ["t", true],
          [word("came"), false],
          ["−log p", true],
          ["", false],
        ],
        scored.map((t) => [`${t}`, token(targets[t]), frame.nll.at(t), bar(frame.nll.at(t), most)]),
      ),
    );
  };
  knob.addEventListener("input", () => {
    now = Number(knob.value);
    show();
  });
  let timer = null;
  const play = element(
    "button",
    {
      type: "button",
      onclick: () => {
        if (timer) {
          clearInterval(timer);
          timer = null;
        } else {
          timer = setInterval(() => {
            now = (now + 1) % frames.length;
            knob.value = now;
            show();
          }, 900);
        }
        play.textContent = word(timer ? "pause" : "play");
      },
    },
    word("play"),
  );
  show();
  part(
    "learning",
    film
      ? paragraph("learning_film", { n: frames.length })
      : paragraph("learning_sgd", { n: frames.length - 1, lr: number(lr) }),
    element("div", { class: "slider" }, element("label", { for: "slider-frame" }, word("frame")), knob, play),
    said,
    element("div", { class: "pair" }, curve.node, attention.node),
    tables,
  );
}
