"""The rows of the proof that belong to each definition of the book, measured now."""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from textwrap import dedent
from typing import Any, NamedTuple

import numpy as np

from numgpt import gradcheck
from numgpt.gradcheck.case import SMALL
from numgpt.gradcheck.cases import CASES
from numgpt.gradcheck.rows import Row

# What no case is about: the check that runs it, and how the names of its rows begin.
OTHERS = {
    "draw_dropped": ("dropout-draw", ""),
    "adamw_update": ("adamw", ""),
    "squared_norm": ("adamw", "squared norm"),
    "Attention": ("attention-layer", ""),
    "FeedForward": ("feedforward", ""),
    "Block": ("block", ""),
    "CrossAttention": ("transformer", "decoder.0.cross."),
    "PlacedEmbedding": ("transformer", "table.weight"),
}
KINDS = {"definition", "model"}  # a kernel has more rows than a book needs
SEED = 0


class Proof(NamedTuple):
    """check: its name for `numgpt gradcheck --layer`."""

    check: str
    rows: list[Row]


def proofs_of(name: str) -> list[Proof]:
    """The proofs of a definition, or of a layer made of several; a helper is proven with those that call it."""
    if name in OTHERS:
        return [Proof(OTHERS[name][0], rows_of(*OTHERS[name]))]
    own = [check for check in CASES if name in defined(check)]
    return [Proof(check, rows_of(check)) for check in own or [check for check in CASES if name in called(check)]]


def rows_of(check: str, beginning: str = "") -> list[Row]:
    """The rows of a check that begin so; for the optimizer, which has no gradient, those of its kernels."""
    rows = [row for row in measured(check) if row.tensor.startswith(beginning)]
    return [row for row in rows if row.kind in KINDS] or [row for row in rows if row.tensor.endswith("float64")]


@cache
def measured(check: str) -> tuple[Row, ...]:
    """All rows of a check, measured once."""
    return tuple(gradcheck.check(check, SEED))


@cache
def functions(check: str) -> list[Callable[..., Any]]:
    """The definitions that a case is about."""
    return [inspect.unwrap(function) for function in CASES[check](np.random.default_rng(SEED), SMALL).definitions]


def defined(check: str) -> set[str]:
    """Their names."""
    return {function.__name__ for function in functions(check)}


def called(check: str) -> set[str]:
    """The names that their bodies use."""
    trees = [ast.parse(dedent(inspect.getsource(function))) for function in functions(check)]
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
