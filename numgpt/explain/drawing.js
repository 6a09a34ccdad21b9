// Elements, tables and figures. A figure says with size and outline what others say with colour.

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
  const save = element(
    "button",
    { type: "button", class: "save", onclick: () => saveDrawing(content, name) },
    word("save"),
  );
  save.setAttribute("aria-label", `${word("save")}: ${title}`);
  const caption = element("figcaption", {}, element("strong", {}, `${title}.`), " ", ...notes, " ", save);
  const node = element("figure", { id: `figure-${name}` }, content, caption);
  return { node, fill: (...drawings) => content.replaceChildren(...drawings) };
}

// The text of an SVG file: the drawing with its rules in it, in the colours that it has now.
function svgText(content) {
  const copy = content.querySelector("svg").cloneNode(true);
  const colours = getComputedStyle(document.documentElement);
  const value = (variable) => colours.getPropertyValue(variable).trim();
  const rules = document.querySelector("style").textContent.split("/* drawings */")[1];
  const style = shape(
    "style",
    {},
    rules.replace(/var\((--[a-z]+)\)/g, (_, variable) => value(variable)),
  );
  copy.prepend(style, shape("rect", { width: "100%", height: "100%", fill: value("--paper") }));
  copy.setAttribute("xmlns", SVG);
  return new XMLSerializer().serializeToString(copy);
}

function saveDrawing(content, name) {
  const file = new Blob([svgText(content)], { type: "image/svg+xml" });
  const link = element("a", { href: URL.createObjectURL(file), download: `numgpt-${name}.svg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
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

// A table; columns are [heading, numeric?]. Cells are text, elements, or numbers, which get as many decimals as their
// column needs, so that the points stand under each other. A row that is selected is marked.
function table(caption, columns, rows, selected = () => false) {
  const aligned = columns.map((_, column) => decimalsOf(rows.map((row) => row[column])));
  const head = columns.map(([name, numeric]) => {
    const place = name ? { scope: "col", class: numeric ? "number" : undefined } : {};
    return element(name ? "th" : "td", place, name);
  });
  const body = rows.map((row, n) =>
    element(
      "tr",
      { class: selected(n) ? "selected" : undefined },
      row.map((cell, column) => {
        const tag = column === 0 ? "th" : "td";
        const scope = column === 0 ? "row" : undefined;
        return element(
          tag,
          { scope, class: columns[column][1] ? "number" : undefined },
          typeof cell === "number" ? fixed(cell, aligned[column]) : cell,
        );
      }),
    ),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, head)),
      element("tbody", {}, body),
    ),
  );
}
