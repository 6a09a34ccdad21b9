"""The textbook as one HTML page: every layer's derivation, its definition line by line, and the rows of its proof.

Formulas are MathML, which Chromium, Firefox and Safari render by themselves: the page needs no script, no font and no
request, prints sharply, and a screen reader can read a formula.
"""

import platform
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

import numgpt
from numgpt.explain.page import read, sha256
from numgpt.textbook.chapters import Chapter, Definition, Formula, Paragraph, read_chapter, sentences
from numgpt.textbook.formulas import mathml, symbol
from numgpt.textbook.glossary import EVERYWHERE, OF_CHAPTERS, anchor, entries
from numgpt.textbook.proofs import SEED, Proof, proofs_of
from numgpt.textbook.prose import code, prose

# In reading order: the module, and the layer whose forward and backward are part of the mathematics.
PARTS: dict[str, list[tuple[str, str]]] = {
    "GPT-2": [
        ("numgpt.layers.linear", ""),
        ("numgpt.layers.embedding", ""),
        ("numgpt.layers.layernorm", ""),
        ("numgpt.layers.gelu", ""),
        ("numgpt.layers.attention", "Attention"),
        ("numgpt.layers.feedforward", "FeedForward"),
        ("numgpt.layers.dropout", ""),
        ("numgpt.model.block", "Block"),
        ("numgpt.layers.loss", ""),
        ("numgpt.training.optimizer", ""),
    ],
    "Other activation functions": [
        ("numgpt.layers.gelu_erf", ""),
        ("numgpt.layers.swish", ""),
        ("numgpt.layers.relu", ""),
    ],
    "The first Transformer": [
        ("numgpt.layers.cross_attention", "CrossAttention"),
        ("numgpt.layers.sinusoids", "PlacedEmbedding"),
        ("numgpt.layers.smoothing", ""),
        ("numgpt.layers.masked_mean", ""),
    ],
}
INTRODUCTION = """\
Every formula of GPT-2, forward and backward: derived on the left, computed on the right. The right column is the code
that numgpt runs, with the numbers of its lines; the left one, and the derivations, are the docstrings of the same
files. So the page cannot say anything but what the code does.

Each letter links to its meaning. dx is the gradient of the loss at x, and has the shape of x. Letters side by side are
multiplied as matrices or numbers, with ⊙ element by element; ⊤ swaps the last two axes; [i = j] is 1 where i = j,
else 0.

Under each definition is its proof. A formula computed in complex numbers gives its own derivative: dL/dv is the
imaginary part of L(v + ih) over h, and as nothing is subtracted, h can be 1e-30. The error is the norm of the
difference between that and the backward pass, over the larger of their norms. `numgpt gradcheck --layer attention`
measures it again; the name of any other check can take the place of attention.
"""
WIDE = 34, 50, 65  # characters of a formula beyond which a telephone, and half a printed page, may have no room


class Numbered(NamedTuple):
    """A chapter, its number from 1, and where its letters are explained."""

    chapter: Chapter
    n: int

    def equation(self, formula: Formula) -> str:
        """The id of a numbered formula."""
        return f"{self.chapter.key}-equation-{formula.number}"

    def math(self, formula: Formula) -> str:
        """Its MathML, and the remark after it."""
        math, remark = mathml(formula.text, entries(self.chapter.key))
        said = f'<span class="remark">{self.prose(remark)}</span>' if remark else ""
        width = sum(len(formula.text) > limit for limit in WIDE)
        scroll = f' class="scroll wide-{width - 1}" tabindex="0" role="group" aria-label="formula"' if width else ""
        return f"<div{scroll}>{math}</div>{said}"

    def prose(self, text: str) -> str:
        """A text of the chapter in HTML."""
        return prose(text, entries(self.chapter.key))


def page() -> str:
    """The HTML. Measures every proof, which takes a few seconds. Raises FormulaError for a formula it cannot set."""
    style = read("base.css") + Path(__file__).with_name("page.css").read_text("utf-8")
    parts, n = [], 0
    for part, modules in PARTS.items():
        chapters = []
        for module, layer in modules:
            n += 1
            chapters.append(Numbered(read_chapter(module, layer), n))
        parts.append((part, chapters))
    body = "\n".join(
        [*front(parts), *(line for _, chapters in parts for one in chapters for line in chapter(one)), *end()]
    )
    policy = f"default-src 'none'; style-src {sha256(style)}; base-uri 'none'; form-action 'none'"
    return TEMPLATE.format(policy=policy, style=style, body=body)


TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>GPT-2, derived line by line</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def front(parts: list[tuple[str, list[Numbered]]]) -> Iterator[str]:
    """The title, the introduction, the contents and the letters that mean the same everywhere."""
    yield "<header><p>numgpt</p><h1>GPT-2, derived line by line</h1></header>"
    yield "<main>"
    yield from (f"<p>{prose(text, entries(''))}</p>" for text in INTRODUCTION.split("\n\n"))
    yield '<nav aria-label="Contents">'
    for part, chapters in parts:
        yield f"<h2>{part}</h2><ol start='{chapters[0].n}'>"
        yield from (f'<li><a href="#{c.chapter.key}">{escape(c.chapter.title)}</a></li>' for c in chapters)
        yield "</ol>"
    yield "</nav>"
    yield '<section id="letters"><h2>Letters that mean the same everywhere</h2>'
    yield from letters(EVERYWHERE, "")
    yield "</section>"


def letters(meanings: dict[str, str], chapter: str) -> Iterator[str]:
    """A glossary."""
    known = entries(chapter)
    yield "<dl>"
    for name, meaning in meanings.items():
        explained = f"<dt>{symbol(name, known)}</dt><dd>{prose(meaning, known)}</dd>"
        yield f'<div id="{anchor(name, chapter)}">{explained}</div>'
    yield "</dl>"


def chapter(one: Numbered) -> Iterator[str]:
    """A chapter: derivation, letters, definitions with their proofs."""
    key, module = one.chapter.key, one.chapter.module
    path = module.replace(".", "/") + ".py"
    yield f'<section class="chapter" id="{key}">'
    yield f'<h2><span class="number">{one.n}</span> {escape(one.chapter.title)}</h2><p class="file">{path}</p>'
    yield '<div class="beginning"><div class="derivation">'
    for paragraph in one.chapter.paragraphs:
        yield from derivation(paragraph, one)
    yield "</div>"
    if key in OF_CHAPTERS:
        yield '<div class="own"><h3>Letters of this chapter</h3>'
        yield from letters(OF_CHAPTERS[key], key)
        yield "</div>"
    yield "</div>"
    for proofs, definitions in groupby(one.chapter.definitions, lambda definition: proofs_for(definition)):
        names = []
        for definition in definitions:
            names.append(definition.name)
            yield from lines(definition, one, path)
        if proofs:
            yield from proof(proofs, names)
    yield "</section>"


def proofs_for(definition: Definition) -> list[Proof]:
    """Those of a definition and of a layer's methods; a helper that is not a definition has none of its own."""
    layer, _, method = definition.name.rpartition(".")
    return proofs_of(layer or method) if definition.marked or layer else []


def derivation(paragraph: Paragraph, one: Numbered) -> Iterator[str]:
    """A paragraph: a text with its equations, or lines of formulas."""
    if paragraph.text:
        pieces = sentences(paragraph.text, one.chapter.key)
        yield "<p>" + "".join(one.prose(piece) if isinstance(piece, str) else piece[1] for piece in pieces) + "</p>"
        return
    last = 0
    for line in paragraph.lines:
        for column in line:
            if isinstance(column, str):
                yield f'<p class="remark">{one.prose(column)}</p>'
                continue
            number, place = "", ""
            if column.number != last:
                number = f'<span class="number">({one.n}.{column.number})</span>'
                place = f' id="{one.equation(column)}"'
            last = column.number
            yield f'<div class="equation"{place}>{one.math(column)}{number}</div>'


def lines(definition: Definition, one: Numbered, path: str) -> Iterator[str]:
    """A definition, line by line, with the formulas that each line computes."""
    yield f'<div class="definition"><h3 id="code-{definition.name}"><code>{definition.name}</code></h3>'
    if definition.says:
        yield f"<p>{one.prose(definition.says)}</p>"
    yield f'<table class="lines"><caption class="unseen">{definition.name}: formula and code, line by line</caption>'
    yield '<colgroup><col class="formula"><col class="line"><col></colgroup>'
    yield '<thead class="unseen"><tr><th>formula</th><th>line</th><th>code</th></tr></thead><tbody>'
    for line in definition.lines:
        formulas = "".join(beside(formula, one) for formula in line.formulas)
        indent = len(line.code) - len(line.code.lstrip())
        yield (
            f'<tr><td class="formula">{formulas}</td><td class="line" title="{path}:{line.number}">{line.number}</td>'
            f'<td class="code"><code class="indent-{indent // 4}">{code(line.code.strip())}</code></td></tr>'
        )
    yield "</tbody></table></div>"


def beside(formula: Formula, one: Numbered) -> str:
    """A formula beside the line that computes it, with a link to its derivation."""
    number = ""
    if formula.number and not formula.text.startswith("="):
        label = f"{one.n}.{formula.number}"
        number = f'<a class="number" href="#{one.equation(formula)}" aria-label="formula {label}">({label})</a>'
    return f'<div class="equation">{one.math(formula)}{number}</div>'


def proof(proofs: list[Proof], names: list[str]) -> Iterator[str]:
    """The rows of the checks that prove these definitions."""
    yield f'<div class="scroll" tabindex="0" role="group" aria-label="Proof of {" and ".join(names)}">'
    yield f'<table class="proof" data-definitions="{" ".join(names)}"><caption>Proof</caption>'
    headings = ("check", "tensor", "shape", "error", "at most", "by", "verdict")
    yield "<thead><tr>" + "".join(f"<th>{heading}</th>" for heading in headings) + "</tr></thead><tbody>"
    for check, row in ((found.check, row) for found in proofs for row in found.rows):
        shape, verdict = " × ".join(map(str, row.shape)), "ok" if row.ok else f"wrong {row.hint}"
        cells = check, row.tensor, shape, f"{row.error:.1e}", f"{row.tolerance:.0e}", row.method, verdict
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div>"


def end() -> Iterator[str]:
    """What made the page."""
    numpy, machine = np.__version__, platform.machine()
    yield "</main>"
    yield f"<footer><p>Made by <code>numgpt textbook --html</code> from the layer files of numgpt {numgpt.__version__}."
    yield f"The errors were measured when the page was made, in float64, with NumPy {numpy} on {machine}, seed {SEED}."
    yield "</p></footer>"
