"""What is wrong with a gradient, in words: corrections of common mistakes are tried on it until one makes it right."""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numgpt.gradcheck.rows import relative_error


class Wrong(NamedTuple):
    """A gradient that is wrong, and what a guess needs.

    found, expected: the gradient as it is, which can be None or have any shape, and as it should be. overwritten: what
    the array of a parameter's gradient holds after backward, having held other values before; None for an input. dy:
    the gradient at the output. x: the input whose gradient it is; None for a parameter. sizes: letter or name -> size.
    part: (axis, index) -> the gradient from this slice of dy alone. tolerance: the error allowed. repeated: the ids
    that occur more than once among the inputs.
    """

    found: Any
    expected: np.ndarray
    overwritten: np.ndarray | None
    dy: np.ndarray
    x: np.ndarray | None
    sizes: dict[str, int]
    part: Callable[[int, int], np.ndarray]
    tolerance: float
    repeated: frozenset[int] = frozenset()

    def right(self, corrected: np.ndarray) -> bool:
        """Whether `corrected` is the right gradient, to within ten times the tolerance."""
        return corrected.shape == self.expected.shape and self.same(corrected, self.expected)

    def same(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Whether a and b are equal to within ten times the tolerance."""
        return relative_error(a, b) <= 10 * self.tolerance


def guess(wrong: Wrong) -> str:
    """One line that says how the gradient is wrong."""
    if wrong.found is None:
        return "backward returns no gradient for it"
    if np.shape(wrong.found) != wrong.expected.shape:
        return of_shape(wrong)
    if not np.isfinite(wrong.found).all():
        return not_finite(wrong.found)
    corrections = (nothing, overwriting, transposed, factor, dy_left_out, mean_left_out, sum_cut_short, at_some_places)
    for correction in corrections:
        if hint := correction(wrong):
            return hint
    return in_no_simple_way(wrong)


def of_shape(wrong):
    """Another shape: transposed, not yet summed, or the same numbers in another order of axes."""
    found, expected = np.asarray(wrong.found), wrong.expected
    said = f"its shape is {found.shape}, but should be {expected.shape}"
    for axes in itertools.permutations(range(found.ndim)) if found.ndim <= 4 else ():
        if wrong.right(found.transpose(axes)):
            return f"{said}: transpose it, axes in the order {axes}"
    if found.size == expected.size and wrong.right(found.reshape(expected.shape)):
        return f"{said}: the values are right, reshape it"
    for n in range(1, found.ndim + 1):
        for axes in itertools.combinations(range(found.ndim), n):
            summed = found.sum(axes)
            if summed.size == expected.size and wrong.right(summed.reshape(expected.shape)):
                return f"{said}: a sum is missing, over {axes_in_words(axes)}"
    return said


def not_finite(found):
    """nan or inf, and where first."""
    places = np.argwhere(~np.isfinite(found))
    first = at(places[0])
    return f"it is not finite in {len(places)} of {found.size} places, first at {first}: {found[tuple(places[0])]}"


def nothing(wrong):
    """Zero everywhere."""
    if np.any(wrong.found):
        return None
    return "it is zero everywhere" if wrong.overwritten is None else "backward adds nothing to it"


def overwriting(wrong):
    """`=` for `+=`."""
    if wrong.overwritten is not None and wrong.right(wrong.overwritten):
        return "backward overwrites it instead of adding to it: write += instead of ="
    return None


def transposed(wrong):
    """Two axes of one size swapped."""
    for i, j in itertools.combinations(range(wrong.found.ndim), 2):
        if wrong.found.shape[i] > 1 and wrong.right(wrong.found.swapaxes(i, j)):
            return f"it is transposed: swap axes {i} and {j}"
    return None


def factor(wrong):
    """A constant factor, named if the sizes explain it; or the sign."""
    ratio = ratio_of(wrong, wrong.found, wrong.expected)
    if ratio is None:
        return None
    if math.isclose(ratio, -1, rel_tol=1e-3):
        return "its sign is wrong: it is the right gradient times -1"
    names = names_of(abs(ratio), wrong.sizes)
    if wrong.found.size == 1 and not names:
        return None  # any two numbers have a ratio
    return f"it is {ratio:.6g} times what it should be{f', that is {names}' if names else ''}"


def ratio_of(wrong, found, expected):
    """c where found = c expected and c is not 1; else None."""
    squared = float(np.vdot(expected, expected))
    ratio = float(np.vdot(expected, found)) / squared if squared else 0.0
    return ratio if ratio and wrong.same(found, ratio * expected) else None


def names_of(ratio, sizes):
    """The ways, at most three, to make `ratio` from 2 and the sizes."""
    named = {"2": 2, **{f"{name} = {n}": n for name, n in sizes.items() if n > 1}}
    if {"B", "T"} <= set(sizes):
        named["B T"] = sizes["B"] * sizes["T"]
    ways = {}
    for name, n in named.items():
        letter, _, value = name.partition(" = ")
        where = f" with {name}" if value else ""
        ways |= {f"{letter}{where}": n, f"1/{bracketed(letter)}{where}": 1 / n}
        ways |= {f"sqrt({letter}){where}": math.sqrt(n), f"1/sqrt({letter}){where}": 1 / math.sqrt(n)}
    return " or ".join([way for way, value in ways.items() if math.isclose(value, ratio, rel_tol=1e-3)][:3])


def bracketed(name):
    """(B T), as a divisor."""
    return f"({name})" if " " in name or "/" in name else name


def dy_left_out(wrong):
    """dy left out or used once too often: as the term of a residual, or as a factor."""
    found, dy = wrong.found, wrong.dy
    if dy.shape != wrong.expected.shape:
        return None
    if wrong.right(found + dy):
        return "dy itself is missing: add it, as for a residual y = x + f(x)"
    if wrong.right(found - dy):
        return "dy itself is added once too often: leave it out"
    if wrong.right(found * dy):
        return "it is not multiplied by dy"
    if wrong.same(found, wrong.expected * dy):
        return "it is multiplied by dy once too often"
    return None


def mean_left_out(wrong):
    """A mean that was not subtracted, or a multiple of the input, as in a layer that normalises."""
    found, expected, x = wrong.found, wrong.expected, wrong.x
    if found.ndim == 0 or found.shape[-1] < 3:
        return None
    off = expected - found
    scale = max(float(np.linalg.norm(expected)), float(np.linalg.norm(found)))
    allowed = 10 * wrong.tolerance * scale
    if not (np.abs(off) > allowed).any(-1).all():
        return None  # whole rows are right: nothing is left out of the formula
    if wrong.right(found - found.mean(-1, keepdims=True)):
        return "its mean over the last axis should be 0: in g - mean(g), the mean is left out, or subtracted twice"
    if np.linalg.norm(off - off.mean(-1, keepdims=True)) <= allowed:
        return "it is off by a constant along the last axis: is a mean over it left out?"
    if x is not None and x.shape == off.shape:
        centred = x - x.mean(-1, keepdims=True)
        if min(np.linalg.norm(without(off, x)), np.linalg.norm(without(off, centred))) <= allowed:
            return "it is off by a multiple of the input in each row: is xhat * mean(g * xhat) left out?"
        if np.linalg.norm(without(off - off.mean(-1, keepdims=True), centred)) <= allowed:
            return "it is off by a + b x in each row: are mean(g) and xhat * mean(g * xhat) left out?"
    return None


def without(off, x):
    """The part of `off` that is not a multiple of x along the last axis."""
    return off - x * ((off * x).sum(-1, keepdims=True) / (x * x).sum(-1, keepdims=True))


def sum_cut_short(wrong):
    """One slice of dy alone is counted, or one is left out."""
    found, expected, dy = wrong.found, wrong.expected, wrong.dy
    if wrong.x is not None:
        return None
    slices = [(axis, index) for axis in range(min(dy.ndim - 1, 2)) if dy.shape[axis] > 1 for index in (0, -1)]
    parts = {(axis, index): wrong.part(axis, index) for axis, index in slices}
    for (axis, index), part in parts.items():
        if wrong.same(found, part):
            return f"a sum is missing: only {slice_in_words(axis, index, dy.shape[axis])} of dy counts"
    for (axis, index), part in parts.items():
        if wrong.same(found, expected - part):
            return f"the sum is cut short: {slice_in_words(axis, index, dy.shape[axis])} of dy does not count"
    return None


def at_some_places(wrong):
    """Right except at some indices of one axis, and how it is wrong there."""
    found, expected = wrong.found, wrong.expected
    allowed = 10 * wrong.tolerance * max(np.abs(expected).max(), np.abs(found).max())
    off = np.abs(found - expected) > allowed
    for axis in sorted(range(found.ndim), key=lambda axis: off.any(others(axis, off.ndim)).mean()):
        wrong_here = np.flatnonzero(off.any(others(axis, off.ndim)))
        if not 0 < len(wrong_here) < found.shape[axis]:
            continue
        if axis == 0 and set(wrong_here.tolist()) == wrong.repeated:
            return "it is wrong only in rows whose id occurs more than once in the input: add up what each place gives"
        here = (slice(None),) * axis + (wrong_here,)
        ratio = ratio_of(wrong, found[here], expected[here]) if found[here].size > 1 else None
        how = f"it is {ratio:.6g} times what it should be" if ratio else ""
        how = "it is zero" if not found[here].any() else how if expected[here].any() else "it should be zero"
        return f"it is wrong only at {indices_in_words(wrong_here, axis, found.shape[axis])}{how and ': there ' + how}"
    return None


def in_no_simple_way(wrong):
    """Where it is worst."""
    index = np.unravel_index(np.abs(wrong.found - wrong.expected).argmax(), wrong.expected.shape)
    found, expected = float(wrong.found[index]), float(wrong.expected[index])
    where = f"; the largest error is at {at(index)}:" if wrong.expected.ndim else ":"
    digits = 6 if f"{found:.6g}" != f"{expected:.6g}" else 17
    return f"it is wrong in no simple way{where} {found:.{digits}g} where it should be {expected:.{digits}g}"


def others(axis, ndim):
    """All axes but one."""
    return tuple(other for other in range(ndim) if other != axis)


def at(index):
    """An index as it is written."""
    return f"[{', '.join(str(int(i)) for i in index)}]"


def axes_in_words(axes):
    """Axis 0; axes 0 and 1."""
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {' and '.join(map(str, axes))}"


def slice_in_words(axis, index, size):
    """The first or last slice of dy along an axis."""
    return f"the {'first' if index == 0 else 'last'} of {size} along axis {axis}"


def indices_in_words(indices, axis, size):
    """Indices along an axis, the first and the last by these names."""
    first, last = int(indices[0]), int(indices[-1])
    if first == last:
        name = {0: "the first", size - 1: "the last"}.get(first, "one")
        return f"{name} position of axis {axis}, index {first}"
    if last - first + 1 == len(indices):
        return f"indices {first} to {last} of axis {axis}, which has {size}"
    return f"{len(indices)} of {size} indices of axis {axis}, from {first} to {last}"
