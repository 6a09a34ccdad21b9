"""A result other than a gradient, compared with the right one: what an exercise's check is made of."""

import math
from typing import Any

import numpy as np

from numgpt.gradcheck.hints import Wrong, guess
from numgpt.gradcheck.rows import Row, compare

TOLERANCE = 1e-10


def held_to(name: str, found: Any, expected: Any) -> Row:
    """The Row of a result, an array or a list, against what it should be; a wrong one's hint says how it is wrong."""
    if found is None or isinstance(expected, list):
        ok = found is not None and list(found) == expected
        hint = "" if ok else f"it is {found}, but should be {expected if isinstance(expected, list) else 'an array'}"
        return Row(name, np.shape(expected), 0.0 if ok else math.inf, "result", "numgpt", 0.0, ok, hint)
    row = compare(name, found, expected, "result", "numgpt", TOLERANCE)
    if row.ok:
        return row
    wrong = Wrong(found, np.asarray(expected), None, np.empty(0), None, {}, no_part, TOLERANCE)
    return row._replace(hint=guess(wrong))


def no_part(axis: int, index: int) -> np.ndarray:
    """A result has no dy of which only a part could count."""
    raise LookupError(f"a result has no part of dy, asked for at axis {axis}, index {index}")
