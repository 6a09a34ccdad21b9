"""The textbook: the definitions put together into one file that runs with NumPy alone.

The template beside this file is the book with an import in place of every chapter. `textbook` replaces each import by
the derivation of that module, as a comment, and the source of the functions.
"""

import ast
import builtins
import re
import textwrap
from importlib.util import find_spec

TEMPLATE = "numgpt.textbook.template"
WIDTH = 120

# What the book says once, at its beginning, and docstrings say of every function.
CONVENTION = re.compile(r"\w+\.|\w+, and what `\w+` needs\.|dx; adds to .*\.")

# What the book leaves out of a derivation: the paragraph that begins so, and all after it.
LEFT_OUT = {"numgpt.layers.attention": "With a cache", "numgpt.layers.loss": "In training, the output head"}


def textbook() -> str:
    """The text of gpt2.py. Raises LookupError if a name or a paragraph that it needs is missing."""
    source, tree = read(TEMPLATE)
    lines = source.splitlines()
    parts, line = [], tree.body[0].lineno - 1
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("numgpt."):
            parts.append("\n".join(lines[line : node.lineno - 1]))
            parts.append(chapter(node.module, [alias.name for alias in node.names]))
            line = node.end_lineno
    parts.append("\n".join(lines[line:]))
    text = "\n\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
    text = re.sub(r"\n\n\n(?=def |class )", "\n\n", text)  # two empty lines end a chapter
    check_names(text)
    return text


def read(module):
    """The source of a module, wherever it is installed, and its tree."""
    source = find_spec(module).loader.get_source(module)
    return source, ast.parse(source)


def chapter(module, names):
    """The derivation of `module`, and the definitions of `names` with everything else in the module that they use."""
    source, tree = read(module)
    lines = derivation(module, ast.get_docstring(tree))
    for i, node in enumerate(with_helpers(module, tree, names)):
        lines += [""] if i and isinstance(node, ast.FunctionDef) else []
        lines += named_tuple(node) if isinstance(node, ast.ClassDef) else text_of(node, source)
    return "\n".join(lines)


def derivation(module, docstring):
    """A module's docstring as comment lines: paragraphs rewrapped, formulas as they are, no empty lines."""
    paragraphs = docstring.split("\n\n")
    if module in LEFT_OUT:
        starts = [paragraph.startswith(LEFT_OUT[module]) for paragraph in paragraphs]
        if not any(starts):
            raise LookupError(f"{module}: no paragraph of its docstring begins with {LEFT_OUT[module]!r}")
        paragraphs = paragraphs[: starts.index(True)]
    lines = []
    for paragraph in paragraphs:
        formulas = paragraph.startswith(" ")
        lines += paragraph.splitlines() if formulas else textwrap.wrap(" ".join(paragraph.split()), WIDTH - 2)
    return [f"# {line}" for line in lines]


def with_helpers(module, tree, names):
    """The top-level nodes of `tree` that define `names`, and those that these need, in the order of the file."""
    defined = {name: node for node in tree.body for name in bound(node)}
    wanted, found = list(names), set()
    while wanted:
        name = wanted.pop()
        if name not in defined:
            raise LookupError(f"{module} has no {name!r}, which the textbook takes from there")
        found.add(name)
        wanted += {n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)} & defined.keys() - found
    return [node for node in tree.body if found & bound(node)]


def bound(node):
    """The names that a top-level statement defines, imports aside."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    return {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}


def text_of(node, source):
    """The lines of a statement as they were written; a function's without decorators and with a shorter docstring."""
    lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
    if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
        paragraphs = [text for text in ast.get_docstring(node).split("\n\n") if not CONVENTION.fullmatch(text)]
        docstring = '    """' + "\n    ".join("\n".join(paragraphs).splitlines()) + '"""'
        start, stop = (line - node.lineno for line in (node.body[0].lineno, node.body[0].end_lineno + 1))
        lines[start:stop] = docstring.splitlines() if paragraphs else []
    return lines


def named_tuple(node):
    """A class that has only fields, as a namedtuple."""
    fields = " ".join(field.target.id for field in node.body if isinstance(field, ast.AnnAssign))
    line, comment = f'{node.name} = namedtuple("{node.name}", "{fields}")', f"# {ast.get_docstring(node)}"
    return [f"{line}  {comment}"] if len(line + comment) <= WIDTH - 2 else [comment, line]


def check_names(text):
    """Raise LookupError for a name that the book uses but nowhere defines."""
    used, known = set(), set(dir(builtins)) | {"__name__"}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else known).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            known.add(node.name)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.alias):
            known.add(node.asname or node.name)
    if used - known:
        raise LookupError(f"the textbook uses what it does not define: {', '.join(sorted(used - known))}")
