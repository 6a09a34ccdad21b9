"""A translation's way through a Transformer and back, as one page that needs no script and no network."""

import html
import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from numgpt import gradcheck
from numgpt.explain.page import read, sha256
from numgpt.layers import cross_attention
from numgpt.tracing.translation import TranslationTrace

TOP = 5  # of the likeliest tokens to show
SHADES = 20  # of a cell's colour
STRONGEST = 42  # percent of that colour at most, so that text on it can be read
DEFINITIONS = (cross_attention.cross_attention, cross_attention.cross_attention_backward)


def translation_page(found: TranslationTrace, name_of: Callable[[int], str], model: str) -> str:
    """The HTML of a trace. name_of: a token's text by its id. model: its name, to be shown."""
    source, written = ([shown(name_of(i)) for i in ids] for ids in (found.source, found.written))
    before = ["<|begin|>", *written[:-1]]
    parts = (
        ("tokens", "Two texts", tokens(source, written)),
        ("encoder", "The encoder reads", encoder(found, source)),
        ("cross", "Cross-attention: the alignment", crossing(found, source, written)),
        ("decoder", "The decoder reads what it has written", decoder(found, before, written)),
        ("choosing", "What could have come", choosing(found, written, name_of)),
        ("backward", "Backward: what each token did", backward(found, source, before, written)),
        ("formulas", "The formulas, as they run", formulas()),
        ("proof", "Their proof", proof()),
    )
    style = read("base.css") + read("style.css") + read("translation.css") + shades()
    policy = f"default-src 'none'; style-src {sha256(style)}; base-uri 'none'; form-action 'none'"
    title = " → ".join("".join(map(name_of, ids)).strip() for ids in (found.source, found.written[:-1]))
    body = "\n".join(f'<section id="{key}">\n<h2>{heading}</h2>\n{text}\n</section>' for key, heading, text in parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n<p>Model: {html.escape(model)}. Every number is the model's own, for these "
        f"two texts.</p>\n{body}\n</main>\n</body>\n</html>\n"
    )


def tokens(source: Sequence[str], written: Sequence[str]) -> str:
    rows = (("read", source), ("written", written))
    lines = "".join(
        f"<tr><th scope=row>{what}</th>{''.join(f'<td>{html.escape(token)}</td>' for token in text)}</tr>"
        for what, text in rows
    )
    return f'<p>Both texts share one table of tokens.</p><div class="grid" tabindex="0"><table>{lines}</table></div>'


def encoder(found: TranslationTrace, source: Sequence[str]) -> str:
    return (
        "<p>Every position gathers from every other, before and after it. A row shows where its position looks, and "
        f"sums to 1.</p>{layers(found.reading, source, source)}"
    )


def crossing(found: TranslationTrace, source: Sequence[str], written: Sequence[str]) -> str:
    whole = grid(found.crossing[-1].mean(0), source, written, "last block, mean of its heads")
    return (
        "<p>For each token that is written (rows), how much of each token that was read (columns) goes into it.</p>"
        f"{whole}{layers(found.crossing, source, written)}"
    )


def decoder(found: TranslationTrace, before: Sequence[str], written: Sequence[str]) -> str:
    return (
        "<p>A position sees itself and those before it, never what is still to be written. A row is labelled with the "
        f"token that is written there, a column with the token that is read there.</p>"
        f"{layers(found.writing, before, written)}"
    )


def choosing(found: TranslationTrace, written: Sequence[str], name_of: Callable[[int], str]) -> str:
    rows = []
    for token, logp, nll in zip(written, found.logp, found.nll, strict=True):
        best = np.argsort(-logp, kind="stable")[:TOP]
        others = ", ".join(f"{html.escape(shown(name_of(int(i))))} {np.exp(logp[i]):.3f}" for i in best)
        rows.append((html.escape(token), f"{np.exp(-nll):.3f}", f"{nll:.3f}", others))
    head = ("written", "p", "-log p, nats", f"the {TOP} likeliest")
    return (
        f"<p>The loss is the mean of -log p over what is written: {found.loss:.4f} nats per token, end mark included, "
        f"without label smoothing.</p>{table(head, rows)}"
    )


def backward(found: TranslationTrace, source: Sequence[str], before: Sequence[str], written: Sequence[str]) -> str:
    lengths = [(f"block {i}", *(f"{x:.4f}" for x in row)) for i, row in enumerate(found.dmemory)]
    return (
        "<p>For each token that is written (rows), the gradient of its log p times the vector of each token (columns): "
        "blue where a longer vector would have made it likelier, red where a shorter one.</p>"
        + grid(found.needs, source, written, "tokens that are read", signed=True)
        + grid(found.follows, before, written, "tokens that were written before", signed=True)
        + "<p>The encoder learns only through cross-attention: dk and dv of every block lead to the memory and add up "
        "there. The norm of that gradient at each position of the memory, block by block:</p>"
        + table(("", *map(html.escape, source)), lengths)
    )


def formulas() -> str:
    derivation = (cross_attention.__doc__ or "").strip()
    parts = [f'<pre class="formula" tabindex="0">{html.escape(derivation)}</pre>']
    for definition in DEFINITIONS:
        right = inspect.unwrap(definition)
        line = inspect.getsourcelines(right)[1]
        code = html.escape(textwrap.dedent(inspect.getsource(right)))
        parts.append(f'<p>numgpt/layers/cross_attention.py:{line}</p><pre class="formula" tabindex="0">{code}</pre>')
    return "".join(parts)


def proof() -> str:
    rows = [
        (html.escape(row.tensor), f"{row.error:.1e}", f"{row.tolerance:.0e}", html.escape(row.method))
        for row in gradcheck.check("cross-attention")
    ]
    head = ("tensor", "relative error", "must be below", "compared with")
    return f"<p>Measured while this page was made, on random numbers of order one.</p>{table(head, rows)}"


def layers(p: Any, columns: Sequence[str], rows: Sequence[str]) -> str:
    """The heads of every block, each block under a line that opens it."""
    parts = []
    for i, heads in enumerate(p):
        grids = "".join(grid(one, columns, rows, f"head {h}", numbers=False) for h, one in enumerate(heads))
        parts.append(
            f'<details><summary>block {i}, its {len(heads)} heads</summary><div class="heads">{grids}</div></details>'
        )
    return "".join(parts)


def grid(
    p: Any, columns: Sequence[str], rows: Sequence[str], caption: str, signed: bool = False, numbers: bool = True
) -> str:
    """A table whose cells are darker the larger their number; signed: relative to the largest, in two colours."""
    largest = np.abs(p).max() or 1.0 if signed else 1.0
    head = "".join(f"<th scope=col>{html.escape(token)}</th>" for token in columns)
    lines = []
    for token, row in zip(rows, p, strict=True):
        cells = []
        for x in row:
            kind = "m" if x < 0 else "p"
            text = f"{round(x, 2) + 0:.2f}" if numbers else ""  # + 0: no -0.00
            cells.append(f'<td class="{kind}{round(SHADES * abs(x) / largest)}" title="{x:.4f}">{text}</td>')
        lines.append(f"<tr><th scope=row>{html.escape(token)}</th>{''.join(cells)}</tr>")
    return (
        f'<div class="grid" tabindex="0"><table><caption>{caption}</caption><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    titles = "".join(f"<th scope=col>{text}</th>" if text else "<td></td>" for text in head)
    lines = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row)}</tr>" for row in rows)
    whole = f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="grid facts" tabindex="0">{whole}</div>'


def shades() -> str:
    """The classes of cells: p0, p1, ... for positive numbers, m0, m1, ... for negative ones."""
    return "".join(
        f".{kind}{i}{{background:color-mix(in srgb,var(--{name}) {STRONGEST * i // SHADES}%,transparent)}}"
        for kind, name in (("p", "plus"), ("m", "minus"))
        for i in range(SHADES + 1)
    )


def shown(token: str) -> str:
    """A token's text where it can be seen: spaces as ␣, and what cannot be printed as a box."""
    return "".join(c if c.isprintable() else "\ufffd" for c in token.replace(" ", "␣")) or "\ufffd"
