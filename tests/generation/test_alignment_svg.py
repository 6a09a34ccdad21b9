"""The picture of an alignment: every share in its place, every token readable."""

from xml.etree import ElementTree

import numpy as np

from numgpt.generation.alignment_svg import WIDEST, Aligned, svg

NAME = "{http://www.w3.org/2000/svg}"
P = np.array([[0.75, 0.25, 0.0], [0.125, 0.5, 0.375]])


def parts(tree, kind):
    return [element for element in tree.iter(NAME + "text") if element.get("class") == kind]


def shares(tree):
    """(x, y, share) of every cell."""
    cells = [element for element in tree.iter(NAME + "rect") if element.get("class") is None]
    return [tuple(float(cell.get(name)) for name in ("x", "y", "fill-opacity")) for cell in cells]


def test_a_share_stands_below_its_source_and_beside_its_token():
    tree = ElementTree.fromstring(svg([Aligned(P, ["<a>", "&", "c"], ["x\"'", "yy"])]))
    assert [text.text for text in parts(tree, "source")] == ["<a>", "&", "c"]
    assert [text.text for text in parts(tree, "written")] == ["x\"'", "yy"]
    found = shares(tree)
    columns, rows = (sorted({cell[axis] for cell in found}) for axis in (0, 1))
    assert {(rows.index(y), columns.index(x)): p for x, y, p in found} == {
        (row, column): P[row, column] for row in range(2) for column in range(3)
    }
    names = [float(text.get("x")) for text in parts(tree, "source")]
    assert sorted([*columns, *names]) == [x for pair in zip(columns, names, strict=True) for x in pair]
    titles = [title.text for title in tree.iter(NAME + "title")]
    assert "x\"' \u2190 &: 0.250" in titles


def test_grids_stand_below_each_other_and_wide_ones_continue_below():
    p = np.arange(160).reshape(2, 80) / 1000
    many = Aligned(p, ["token"] * 80, ["a", "b"])
    tree = ElementTree.fromstring(svg([Aligned(P, "abc", "de"), many]))
    found = shares(tree)
    assert len(found) == len({cell[:2] for cell in found}) == 2 * 3 + 2 * 80
    assert max(x for x, _, _ in found) < WIDEST
    width, height = float(tree.get("width")), float(tree.get("height"))
    assert all(x < width and y < height for x, y, _ in found)
    assert sorted(p for _, _, p in found[6:]) == sorted(p.ravel())
    assert max(y for _, y, _ in found[:6]) < min(y for _, y, _ in found[6:])


def test_it_is_light_or_dark_as_the_system_is():
    assert "prefers-color-scheme: dark" in svg([Aligned(P, "abc", "de")])
