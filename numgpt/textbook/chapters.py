"""A layer file read as a chapter: its derivation cut into prose and formulas, its definitions line by line.

Beside a line of a definition are the formulas whose left side it computes: beside `xhat = (x - mu) * rstd` that of
xhat, beside `return` that of what the docstring says is returned.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from numgpt.textbook import read, with_helpers
from numgpt.textbook.formulas import FormulaError, equation, is_remark
from numgpt.textbook.glossary import entries

COLUMNS = re.compile(r"\s{3,}(?!\s|\+?=)")  # spaces between two formulas, not those before an =
LEFT_SIDE = re.compile(r"([^=\[]*(?:\[[^=]*\])?[^=\[]*?)\s*\+?=\s")


class Formula(NamedTuple):
    """names: those that it defines. number: its place among the chapter's formulas, 0 in a sentence."""

    text: str
    names: tuple[str, ...]
    number: int


class Paragraph(NamedTuple):
    """Either a text, or lines of formulas and remarks."""

    text: str
    lines: list[list[Formula | str]]


class Line(NamedTuple):
    """A line of code. number: its number in the file."""

    number: int
    code: str
    formulas: list[Formula]


class Definition(NamedTuple):
    """A function, or a method of a layer, called Layer.method. marked: whether it is a @definition."""

    name: str
    says: str
    lines: list[Line]
    marked: bool


class Chapter(NamedTuple):
    """key: the last part of the module's name."""

    key: str
    module: str
    title: str
    paragraphs: list[Paragraph]
    definitions: list[Definition]


def read_chapter(module: str, layer: str = "") -> Chapter:
    """The chapter of a module, with forward and backward of a layer if one is named."""
    source, tree = read(module)
    key = module.rpartition(".")[2]
    node = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == layer), None)
    derivation = ast.get_docstring(tree) or ""
    if node and "\n    " not in derivation:  # it is in the layer
        derivation = ast.get_docstring(node) or ""
    paragraphs = list(read_derivation(derivation, key))
    body = node.body if node else []
    methods = [f for f in body if isinstance(f, ast.FunctionDef) and f.name in SHOWN_METHODS]
    functions = [(f, f.name) for f in shown_functions(module, tree, methods)]
    functions += [(f, f"{layer}.{f.name}") for f in methods]
    matcher = Matcher(paragraphs, key)
    definitions = [
        Definition(name, first_paragraph(f), list(lines_of(f, source, matcher)), is_definition(f))
        for f, name in functions
    ]
    return Chapter(key, module, title_of(derivation), paragraphs, definitions)


SHOWN_METHODS = ("forward", "keys_and_values", "attend", "backward")


def shown_functions(module, tree, methods):
    """The definitions of a module, and its functions that these or the methods need; no checks of arguments."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    used = {node.id for method in methods for node in ast.walk(method) if isinstance(node, ast.Name)}
    names = [name for name, f in functions.items() if is_definition(f) or name in used - {"check_texts"}]
    return [node for node in with_helpers(module, tree, names) if isinstance(node, ast.FunctionDef)]


def is_definition(function):
    """Whether a function is marked @definition."""
    return any(isinstance(mark, ast.Name) and mark.id == "definition" for mark in function.decorator_list)


def title_of(derivation):
    """The first sentence, up to what it cites or explains."""
    return re.split(r" \(|[:.,]", derivation, maxsplit=1)[0]


def first_paragraph(function):
    """The beginning of a docstring, as one line."""
    return " ".join((ast.get_docstring(function) or "").partition("\n\n")[0].split())


def read_derivation(derivation: str, key: str) -> Iterator[Paragraph]:
    """The paragraphs of a derivation, with numbered formulas."""
    number = 0
    for text in derivation.split("\n\n"):
        if not text.startswith(" "):
            yield Paragraph(" ".join(text.split()), [])
            continue
        lines: list[list[Formula | str]] = []
        for line in text.splitlines():
            lines.append([])
            for column in COLUMNS.split(line.strip()):
                if is_remark(column):
                    lines[-1].append(column)
                    continue
                names = left_names(column)
                if column.startswith(("=", "+=")):  # of what the formula before it defines
                    names = lines[-2][0].names if lines[-2:-1] and isinstance(lines[-2][0], Formula) else ()
                else:
                    number += 1
                lines[-1].append(Formula(column, names, number))
        yield Paragraph("", lines)


def left_names(formula: str) -> tuple[str, ...]:
    """The names that a formula defines: ("q", "k", "v"), ("dweight",), ("log_p",); none for a quotient."""
    left = re.sub(r"\[[^=]*?\]|\([a-z]\)", "", re.split(r"\s\+?=\s", formula, maxsplit=1)[0]).strip()
    return tuple(re.sub(r"\W+", "_", name.strip()) for name in left.split(",")) if "/" not in left else ()


def sentences(text: str, key: str) -> Iterator[str | tuple[str, str]]:
    """A text in pieces: prose, and (formula, <math>) for each equation in it."""
    known, start, at = entries(key), 0, 0
    while at < len(text):
        if at == 0 or text[at - 1] in " (":
            try:
                math, length = equation(text[at:], known)
            except FormulaError:
                pass
            else:
                yield text[start:at]
                yield text[at : at + length], math
                start = at = at + length
                continue
        at += 1
    yield text[start:]


class Matcher:
    """Which formulas a function's lines compute: those of the next paragraph that has them, else of an earlier one."""

    def __init__(self, paragraphs: list[Paragraph], key: str) -> None:
        self.blocks = [[f for line in p.lines for f in line if isinstance(f, Formula)] for p in paragraphs if p.lines]
        named = {name for block in self.blocks for formula in block for name in formula.names}
        said = [piece[0] for p in paragraphs for piece in sentences(p.text, key) if isinstance(piece, tuple)]
        in_prose = [Formula(text, left_names(text), 0) for text in said]
        self.in_prose = [f for f in in_prose if not named & set(f.names)]
        self.next = 0

    def match(self, lines: list[tuple[int, set[str]]]) -> dict[int, list[Formula]]:
        """line -> formulas, for the (line, names that it computes) of a function."""
        found: dict[int, list[Formula]] = {}
        chosen = []
        for name in {name: None for _, names in lines for name in sorted(names)}:
            block = self.block_with(name)
            if block is not None:
                chosen.append(block)
            formulas = [f for f in (self.in_prose if block is None else self.blocks[block]) if name in f.names]
            places = [line for line, names in lines if name in names]
            for i, formula in enumerate(formulas):
                place = places[min(max(len(places) - len(formulas), 0) + i, len(places) - 1)]
                if not any(formula in there for there in found.values()):
                    found.setdefault(place, []).append(formula)
        self.next = max([self.next, *(block + 1 for block in chosen)])
        return found

    def block_with(self, name: str) -> int | None:
        """The block with a formula for that name: the first from the next one on, else the last one before."""
        having = [i for i, block in enumerate(self.blocks) if any(name in f.names for f in block)]
        return next((i for i in having if i >= self.next), having[-1] if having else None)


def lines_of(function: ast.FunctionDef, source: str, matcher: Matcher) -> Iterator[Line]:
    """The lines of a function without its docstring."""
    text = source.splitlines()
    has_docstring = ast.get_docstring(function) is not None
    body = function.body[has_docstring:]
    numbers = [*range(function.lineno, function.body[0].lineno), *range(body[0].lineno, (function.end_lineno or 0) + 1)]
    formulas = matcher.match(list(computed(function)))
    indent = function.col_offset
    for number in numbers:
        yield Line(number, text[number - 1][indent:], formulas.get(number, []))


def computed(function: ast.FunctionDef) -> Iterator[tuple[int, set[str]]]:
    """(line, names) of every statement that computes something: what it assigns, or what the function returns."""
    assigned: set[str] = set()
    statements = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.AugAssign | ast.Return)]
    for node in sorted(statements, key=lambda node: node.lineno):
        if isinstance(node, ast.Return):
            yield node.lineno, returned(function) - assigned
            continue
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):  # it only unpacks
            continue
        names = targets(node) - ({"y"} - returned(function))  # a y of its own, which is not the layer's
        assigned |= names
        yield node.lineno, names


def targets(node: ast.Assign | ast.AugAssign) -> set[str]:
    """The names that a statement assigns, including those that it changes in part."""
    found = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {name.id for target in found for name in ast.walk(target) if isinstance(name, ast.Name)}


def returned(function: ast.FunctionDef) -> set[str]:
    """The names of what a function returns: its own, and those that its docstring begins with."""
    says = first_paragraph(function)
    if not says:
        return {"dx" if function.name == "backward" else "y"}
    beginning = re.split(r"[.;:(]|\bfor\b|\bside\b|, and what\b", says, maxsplit=1)[0]
    return {function.name, *re.findall(r"\w+", beginning.lower().removeprefix("the "))}
