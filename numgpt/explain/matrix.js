// Matrices of squares, one of which is selected.

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
  const top = columnLabels
    ? Math.min(110, Math.max(3, ...columnLabels.map((name) => [...name].length)) * text * 0.68) + 8
    : 4;
  const width = left + columns * cell + 2;
  const height = top + rows * cell + 2;
  const every = Math.ceil((text + 1) / cell);
  const marks = [
    shape("path", { class: "frame", d: framePath(rows, columns, cell, left, top, lower) }),
    ...squares(rows, columns, cell, (i, j) => (lower && j > i ? 0 : value(i, j)), left, top),
    ...rowLabels.map((name, i) => (i % every ? null : labelled(name, left - 5, top + (i + 0.5) * cell, text, "end"))),
    ...(columnLabels || []).map((name, j) =>
      j % every ? null : upright(name, left + (j + 0.5) * cell, top - 5, text),
    ),
  ];
  const node = drawing(width, height, label, ...marks);
  const [i, j] = selected();
  node.append(shape("rect", { class: "selected", x: left + j * cell, y: top + i * cell, width: cell, height: cell }));
  node.append(
    shape("path", {
      class: "cross",
      d: `M${left} ${top + (i + 0.5) * cell}H${left + j * cell}M${left + (j + 0.5) * cell} ${top}V${top + i * cell}`,
    }),
  );
  const choose = (row, column) => {
    const k = Math.min(Math.max(row, 0), rows - 1);
    onselect(k, Math.min(Math.max(column, 0), lower ? k : columns - 1));
  };
  node.setAttribute("data-matrix", options.name);
  node.addEventListener("click", (event) => {
    const box = node.getBoundingClientRect();
    const scale = width / box.width;
    choose(
      Math.floor(((event.clientY - box.top) * scale - top) / cell),
      Math.floor(((event.clientX - box.left) * scale - left) / cell),
    );
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
  const stairs = range(rows)
    .map((i) => `h${cell}${i < rows - 1 ? `v${cell}` : ""}`)
    .join("");
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
