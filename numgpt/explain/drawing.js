// Elements and figures. A figure says with size and outline what others say with colour: it is legible without.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function drawing(width, height, label, ...children) {
  const box = { viewBox: `0 0 ${width} ${height}`, width, height };
  return shape("svg", { ...box, role: "img", "aria-label": label, class: "drawing" }, ...children);
}

// A figure with its caption and a button that saves what is drawn. `fill(content)` replaces the drawing.
function figure(name, title, ...notes) {
  const content = element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title });
  const save = element("button", { type: "button", class: "save", onclick: () => saveDrawing(content, name) }, word("save"));
  save.setAttribute("aria-label", `${word("save")}: ${title}`);
  const caption = element("figcaption", {}, element("strong", {}, `${title}.`), " ", ...notes, " ", save);
  const node = element("figure", { id: `figure-${name}` }, content, caption);
  return { node, fill: (...drawings) => content.replaceChildren(...drawings) };
}

function saveDrawing(content, name) {
  const copy = content.querySelector("svg").cloneNode(true);
  const colours = getComputedStyle(document.documentElement);
  const value = (variable) => colours.getPropertyValue(variable).trim();
  const rules = document.querySelector("style").textContent.split("/* drawings */")[1];
  const style = shape("style", {}, rules.replace(/var\((--[a-z]+)\)/g, (_, variable) => value(variable)));
  copy.prepend(style, shape("rect", { width: "100%", height: "100%", fill: value("--paper") }));
  copy.setAttribute("xmlns", SVG);
  const file = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  const link = element("a", { href: URL.createObjectURL(file), download: `numgpt-${name}.svg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function squarePath(x, y, side) {
  return `M${x.toFixed(2)} ${y.toFixed(2)}h${side.toFixed(2)}v${side.toFixed(2)}h${(-side).toFixed(2)}z`;
}

// Squares whose areas are the values' sizes (Hinton's diagram): positive ones filled, negative ones outlined.
function squares(rows, columns, cell, value, left = 0, top = 0) {
  let largest = 0;
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const x = Math.abs(value(i, j));
      if (x > largest && x < Infinity) largest = x;
    }
  }
  let positive = "";
  let negative = "";
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const x = value(i, j);
      const side = (cell > 6 ? cell - 1 : cell) * Math.sqrt(Math.abs(x) / (largest || 1));
      if (!(side >= 0.25 && side < Infinity)) continue;
      const inset = (cell - side) / 2;
      const inner = x > 0 ? 0 : Math.min(0.5, side / 4);
      const path = squarePath(left + j * cell + inset + inner, top + i * cell + inset + inner, side - 2 * inner);
      if (x > 0) positive += path;
      else negative += path;
    }
  }
  return [shape("path", { d: positive, class: "positive" }), shape("path", { d: negative, class: "negative" })];
}

function cellSize(n) {
  return n <= 12 ? 26 : n <= 18 ? 20 : n <= 25 ? 15 : n <= 32 ? 12.5 : n <= 64 ? 10 : 4;
}

// A matrix of squares, one of which is selected: by a click, or with the arrow keys.
function matrix(options) {
  const { rows, columns, value, rowLabels, columnLabels, selected, onselect, label, lower } = options;
  const cell = cellSize(Math.max(columns, lower ? rows : 0));
  const text = Math.min(12, Math.max(9.5, cell - 3));
  const widest = Math.max(3, ...rowLabels.map((name) => [...name].length));
  const left = Math.min(110, widest * text * 0.68) + 8;
  const top = columnLabels ? Math.min(110, Math.max(3, ...columnLabels.map((name) => [...name].length)) * text * 0.68) + 8 : 4;
  const width = left + columns * cell + 2;
  const height = top + rows * cell + 2;
  const every = Math.ceil((text + 1) / cell);
  const marks = [
    shape("path", { class: "frame", d: framePath(rows, columns, cell, left, top, lower) }),
    ...squares(rows, columns, cell, (i, j) => (lower && j > i ? 0 : value(i, j)), left, top),
    ...rowLabels.map((name, i) => (i % every ? null : labelled(name, left - 5, top + (i + 0.5) * cell, text, "end"))),
    ...(columnLabels || []).map((name, j) => (j % every ? null : upright(name, left + (j + 0.5) * cell, top - 5, text))),
  ];
  const node = drawing(width, height, label, ...marks);
  const [i, j] = selected();
  node.append(shape("rect", { class: "selected", x: left + j * cell, y: top + i * cell, width: cell, height: cell }));
  node.append(shape("path", { class: "cross", d: `M${left} ${top + (i + 0.5) * cell}H${left + j * cell}M${left + (j + 0.5) * cell} ${top}V${top + i * cell}` }));
  const choose = (row, column) => {
    const k = Math.min(Math.max(row, 0), rows - 1);
    onselect(k, Math.min(Math.max(column, 0), lower ? k : columns - 1));
  };
  node.setAttribute("data-matrix", options.name);
  node.addEventListener("click", (event) => {
    const box = node.getBoundingClientRect();
    const scale = width / box.width;
    choose(Math.floor(((event.clientY - box.top) * scale - top) / cell), Math.floor(((event.clientX - box.left) * scale - left) / cell));
  });
  return { node, choose };
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// A figure with a matrix in it: the whole of it takes the arrow keys, and a line beside it says what is selected.
function matrixFigure(name, title, options, ...notes) {
  const { node, fill } = figure(name, title, ...notes, " ", element("span", { class: "hint" }, word("arrows")));
  const said = element("p", { class: "said", role: "status" });
  const place = node.querySelector(".scroll");
  node.insertBefore(said, node.querySelector("figcaption"));
  let drawn = null;
  place.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [i, j] = options().selected();
    drawn.choose(i + step[0], j + step[1]);
  });
  const draw = () => {
    const now = options();
    drawn = matrix({ ...now, name, label: `${title}. ${now.says()}` });
    fill(drawn.node);
    said.textContent = now.says();
  };
  return { node, draw };
}

function framePath(rows, columns, cell, left, top, lower) {
  if (!lower) return `M${left} ${top}h${columns * cell}v${rows * cell}h${-columns * cell}z`;
  const stairs = range(rows).map((i) => `h${cell}${i < rows - 1 ? `v${cell}` : ""}`).join("");
  return `M${left} ${top}${stairs}v${cell}h${-columns * cell}z`;
}

function labelled(text, x, y, size, anchor = "start") {
  return shape("text", { x, y: y + size * 0.35, "font-size": size, "text-anchor": anchor }, shortened(text));
}

function upright(text, x, y, size) {
  const place = { "font-size": size, transform: `translate(${x + size * 0.35} ${y}) rotate(-90)` };
  return shape("text", place, shortened(text));
}

function shortened(text, most = 12) {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
}

// Numbers as bars up and down from a line, as of one row of a table of C channels.
function strip(values, label, title) {
  const width = 640;
  const height = 46;
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const step = width / values.length;
  const bars = values.map((x, i) => `M${(i * step).toFixed(2)} 23v${((-x / largest) * 21).toFixed(2)}h${(step * 0.8).toFixed(2)}v${((x / largest) * 21).toFixed(2)}z`);
  const name = shape("text", { x: 0, y: 11, "font-size": 12 }, title);
  return drawing(width, height + 16, label, name, shape("g", { transform: "translate(0 14)" }, shape("path", { class: "axis", d: `M0 23H${width}` }), shape("path", { class: "positive", d: bars.join("") })));
}

// A bar that stands in a table's cell; from its middle to the left where the number is negative.
function bar(x, largest, signed = false) {
  const width = 120;
  const length = (Math.abs(x) / (largest || 1)) * (signed ? width / 2 : width);
  const start = !signed ? 0 : x < 0 ? width / 2 - length : width / 2;
  const kind = x < 0 ? "negative" : "positive";
  const marks = [shape("rect", { x: start + 0.5, y: 2.5, width: Math.max(length - 1, 0.5), height: 9, class: kind })];
  if (signed) marks.push(shape("path", { class: "axis", d: `M${width / 2} 0V14` }));
  return shape("svg", { viewBox: `0 0 ${width} 14`, width, height: 14, class: "drawing bar", "aria-hidden": "true" }, ...marks);
}

// Round numbers between two, about n of them.
function ticks(low, high, n) {
  const rough = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor_) => factor_ * power).find((one) => one >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return range(Math.floor(high / step + 1e-9) - first + 1, first).map((i) => [i * step, fixed(i === 0 ? 0 : i * step, decimals)]);
}

// Curves over x, with points on them. lines: {points: [[x, y]], kind}; dots: {x, y, name, kind}; across, up: [low, high].
function plot({ lines, dots = [], xLabel, yLabel, label, width = 460, height = 260, across, up }) {
  const everything = [...lines.flatMap((line) => line.points), ...dots.map((dot) => [dot.x, dot.y])];
  const [x0, x1] = across || extent(everything.map((point) => point[0]));
  const [y0, y1] = up || extent(everything.map((point) => point[1]));
  const [left, right, top, bottom] = [70, 24, 14, 44];
  const px = (x) => left + ((x - x0) / (x1 - x0 || 1)) * (width - left - right);
  const py = (y) => height - bottom - ((y - y0) / (y1 - y0 || 1)) * (height - top - bottom);
  const text = (x, y, anchor, words_) => shape("text", { x, y, "font-size": 11, "text-anchor": anchor }, words_);
  const path = (points) => points.map(([x, y], n) => `${n ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");
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

// A table; columns are [heading, numeric?]. Cells are text, elements, or numbers, which get as many decimals as their
// column needs, so that the points stand under each other. A row that is selected is marked.
function table(caption, columns, rows, selected = () => false) {
  const aligned = columns.map((_, column) => decimalsOf(rows.map((row) => row[column])));
  const head = columns.map(([name, numeric]) => element("th", { scope: "col", class: numeric ? "number" : undefined }, name));
  const body = rows.map((row, n) => element("tr", { class: selected(n) ? "selected" : undefined }, row.map((cell, column) => {
    const tag = column === 0 ? "th" : "td";
    const scope = column === 0 ? "row" : undefined;
    return element(tag, { scope, class: columns[column][1] ? "number" : undefined }, typeof cell === "number" ? fixed(cell, aligned[column]) : cell);
  })));
  return element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    element("table", {}, element("caption", {}, caption), element("thead", {}, element("tr", {}, head)), element("tbody", {}, body)));
}
