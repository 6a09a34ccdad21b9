"""Grids of alignments as an SVG, light or dark as the reader's system is set."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

CHARACTER, ROW, GAP, MARGIN = 8.4, 26, 12, 16  # pixels; a character's width is that at a font size of 14
WIDEST = 960  # pixels of a grid: columns that do not fit continue below
STYLE = """
  svg { background: #ffffff; color: #1b1b1b; --cell: #0b5cad; --line: #d5d5d5 }
  @media (prefers-color-scheme: dark) { svg { background: #14171a; color: #ededed; --cell: #7cc0ff; --line: #3a4046 } }
  text { font: 14px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: currentColor; white-space: pre }
  .source { text-anchor: middle }
  .written { text-anchor: end }
  rect { fill: var(--cell); stroke: none }
  rect.edge { fill: none; stroke: var(--line) }
"""


class Aligned(NamedTuple):
    """p: (tokens written, tokens of the source), rows that sum to 1. source, written: the text of each token."""

    p: np.ndarray
    source: Sequence[str]
    written: Sequence[str]


def svg(grids: Sequence[Aligned]) -> str:
    """The grids one below the other: a row for each token written, a column for each of the source.

    The more attention, the stronger the colour of a cell; pointing at a cell shows the number.
    """
    parts, top, width = [], float(MARGIN), 0.0
    for grid in grids:
        label = MARGIN + max(map(len, grid.written)) * CHARACTER + GAP
        for columns in blocks(grid.source, WIDEST - label):
            drawn, right, top = block(grid, columns, label, top)
            parts += drawn
            width = max(width, right)
            top += 2 * GAP
    size = f'width="{width + MARGIN:.0f}" height="{top:.0f}" viewBox="0 0 {width + MARGIN:.0f} {top:.0f}"'
    name = "<title>What each token of a translation attends to in its source</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{name}<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def column_width(token: str) -> float:
    """The width in pixels of a column, with room for its token above it."""
    return len(token) * CHARACTER + GAP


def blocks(source: Sequence[str], width: float) -> list[range]:
    """The columns in groups that fit into `width`, with at least one column each."""
    found, first, used = [], 0, 0.0
    for i, token in enumerate(source):
        if i > first and used + column_width(token) > width:
            found.append(range(first, i))
            first, used = i, 0.0
        used += column_width(token)
    return [*found, range(first, len(source))]


def block(grid: Aligned, columns: range, left: float, top: float) -> tuple[list[str], float, float]:
    """(elements, right edge, lower edge) of some columns of a grid."""
    parts, bottom = [], top + ROW * (1 + len(grid.written))
    for row, token in enumerate(grid.written):
        y = top + ROW * (row + 1)
        parts.append(text("written", left - GAP / 2, y + ROW * 0.68, token))
    x = left
    for i in columns:
        width = column_width(grid.source[i])
        parts.append(text("source", x + width / 2, top + ROW * 0.68, grid.source[i]))
        for row, token in enumerate(grid.written):
            p = grid.p[row, i]
            place = f'x="{x:.1f}" y="{top + ROW * (row + 1):.1f}" width="{width:.1f}" height="{ROW}"'
            about = escape(f"{token} \u2190 {grid.source[i]}: {p:.3f}")
            parts.append(f'<g><title>{about}</title><rect {place} fill-opacity="{p:.3f}"/>')
            parts.append(f'<rect class="edge" pointer-events="all" {place}/></g>')
        x += width
    return parts, x, bottom


def text(kind: str, x: float, y: float, words: str) -> str:
    """`words` on the baseline y; `kind` says how they are aligned at x."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
