// Bars, strips of bars and curves.

// Numbers as bars up and down from a line, as of one row of a table of C channels.
function strip(values, label, title) {
  const width = 640;
  const height = 46;
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const step = width / values.length;
  const bars = values.map(
    (x, i) =>
      `M${(i * step).toFixed(2)} 23v${((-x / largest) * 21).toFixed(2)}h${(step * 0.8).toFixed(2)}v${((x / largest) * 21).toFixed(2)}z`,
  );
  const name = shape("text", { x: 0, y: 11, "font-size": 12 }, title);
  return drawing(
    width,
    height + 16,
    label,
    name,
    shape(
      "g",
      { transform: "translate(0 14)" },
      shape("path", { class: "axis", d: `M0 23H${width}` }),
      shape("path", { class: "positive", d: bars.join("") }),
    ),
  );
}

// A bar that stands in a table's cell; from its middle to the left where the number is negative.
function bar(x, largest, signed = false) {
  const width = 120;
  const length = (Math.abs(x) / (largest || 1)) * (signed ? width / 2 : width);
  const start = !signed ? 0 : x < 0 ? width / 2 - length : width / 2;
  const kind = x < 0 ? "negative" : "positive";
  const marks = [shape("rect", { x: start + 0.5, y: 2.5, width: Math.max(length - 1, 0.5), height: 9, class: kind })];
  if (signed) marks.push(shape("path", { class: "axis", d: `M${width / 2} 0V14` }));
  return shape(
    "svg",
    { viewBox: `0 0 ${width} 14`, width, height: 14, class: "drawing bar", "aria-hidden": "true" },
    ...marks,
  );
}

// Round numbers between two, about n of them.
function ticks(low, high, n) {
  const rough = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor_) => factor_ * power).find((one) => one >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return range(Math.floor(high / step + 1e-9) - first + 1, first).map((i) => [
    i * step,
    fixed(i === 0 ? 0 : i * step, decimals),
  ]);
}

// Curves over x, with points on them. lines: {points: [[x, y]], kind}; dots: {x, y, name, kind}; across, up: [low, high].
function plot({ lines, dots = [], xLabel, yLabel, label, width = 460, height = 260, across, up }) {
  const everything = [...lines.flatMap((line) => line.points), ...dots.map((dot) => [dot.x, dot.y])];
  const [x0, x1] = across || extent(everything.map((point) => point[0]));
  const [y0, y1] = up || extent(everything.map((point) => point[1]));
  const [left, right, top, bottom] = [70, 24, 14, 44];
  const pad = 8;
  const px = (x) => left + pad + ((x - x0) / (x1 - x0 || 1)) * (width - left - right - 2 * pad);
  const py = (y) => height - bottom - pad - ((y - y0) / (y1 - y0 || 1)) * (height - top - bottom - 2 * pad);
  const text = (x, y, anchor, words_) => shape("text", { x, y, "font-size": 11, "text-anchor": anchor }, words_);
  const path = (points) =>
    points.map(([x, y], n) => `${n ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");
  const middle = (height - bottom + top) / 2;
  return drawing(
    width,
    height,
    label,
    shape("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }),
    ticks(x0, x1, 5).map(([x, name]) => [
      shape("path", { class: "axis", d: `M${px(x)} ${height - bottom}v4` }),
      text(px(x), height - bottom + 17, "middle", name),
    ]),
    ticks(y0, y1, 5).map(([y, name]) => [
      shape("path", { class: "grid", d: `M${left} ${py(y)}H${width - right}` }),
      text(left - 6, py(y) + 4, "end", name),
    ]),
    lines.map(({ points, kind }) => shape("path", { class: kind, d: path(points) })),
    dots.map(({ x, y, name = "", kind = "dot" }) =>
      shape("circle", { cx: px(x), cy: py(y), r: kind === "selected" ? 6 : 4, class: kind }, shape("title", {}, name)),
    ),
    text((left + width - right) / 2, height - 8, "middle", xLabel),
    shape(
      "text",
      { "font-size": 11, "text-anchor": "middle", transform: `translate(12 ${middle}) rotate(-90)` },
      yLabel,
    ),
  );
}

function extent(numbers) {
  return [Math.min(...numbers), Math.max(...numbers)];
}
