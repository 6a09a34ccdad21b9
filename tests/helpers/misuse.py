"""Values that nobody should pass to anything, made at random."""

import contextlib
import io
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np


class Unprintable:
    def __repr__(self):
        raise ArithmeticError("this cannot be printed")


class Endless:
    def __repr__(self):
        return "endless\n" * 100_000


class Contradictory:
    """An array that says so and is none."""

    shape, dtype, ndim = (2, 3), "float32", 2


NUMBERS = [
    *(None, True, False, -1, 0, 1, 2, 3, 4, 2**40, 2**63 - 1, 2**63, 2**64, 2**80, -(2**80), 10**400, -(10**400)),
    *(10**5000, 0.0, -0.0, 0.5, 1.0, 1.5, -0.5, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"), 1j),
    *(Fraction(1, 3), Fraction(10**400, 3), Decimal("0.1"), Decimal("NaN")),
    *(np.float32(0.5), np.float64("nan"), np.int8(-3), np.int64(2), np.uint64(2**64 - 1), np.bool_(True), np.str_("a")),
    *(np.float16(2), np.longdouble("1e4000"), np.complex64(1), np.datetime64("2020-01-01"), np.timedelta64(3)),
]
THINGS = [
    *("", "a", "x" * 100_000, "\ud800", "\0", "a\nb", "cpu", "float32", "none/such", "~nobody/x", "/", "é", "1"),
    *(b"", b"x", bytearray(b"ab"), [], [[]], [[[]]], (), {}, {1: 2}, {"a": []}, set(), {1}, frozenset({2}), range(3)),
    *(
        [1],
        [[1]],
        [1, [2]],
        [[1], [2, 3]],
        [[1, 2], [3, None]],
        [[1.5]],
        [["a"]],
        [[True]],
        [[2**70]],
        [[-1]],
        [[1e400]],
    ),
    *(object(), object, int, len, Unprintable(), Endless(), Contradictory(), Ellipsis, NotImplemented, Path("none")),
    *(memoryview(b"ab"), io.BytesIO(), np, np.random.default_rng(0), Exception("x"), slice(1)),
]
DTYPES = [
    *("?", "i1", "u1", "i4", "i8", "u8", "f2", "f4", "f8", "c8", ">f4", ">i8"),
    *("O", "U3", "S3", "M8[s]", "m8[s]", "f4,i4"),
]
SHAPES = [(), (0,), (1,), (3,), (1, 1), (2, 3), (2, 0), (0, 4), (2, 4), (1, 2, 4), (2, 3, 4), (1, 1, 1, 4), (1,) * 30]


def odd(rng, depth=2):
    """A value that hardly anything takes: a number, a thing, an array, or several of them in something."""
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind < 5:
        return rng.choice(THINGS)
    if kind < 7 or not depth:
        return odd_array(rng)
    several = [odd(rng, depth - 1) for _ in range(rng.randrange(4))]
    made = several
    with contextlib.suppress(Exception):  # not all of them can be in a set or in an array
        made = rng.choice([list, tuple, set, iter, np.array, lambda xs: dict(enumerate(xs)), dict.fromkeys])(several)
    return made


def odd_array(rng):
    """An array of any type and shape; small numbers, or the ends of the type."""
    dtype, shape = np.dtype(rng.choice(DTYPES)), rng.choice(SHAPES)
    array = np.zeros(shape, dtype)
    with np.errstate(all="ignore"), contextlib.suppress(TypeError, ValueError, OverflowError):
        array[...] = rng.choice([0, 1, 2, -1, 2**63, 2**64 - 1, float("nan"), float("inf"), None, "a"])
    made = rng.choice([np.asarray, np.ma.masked_array, np.asmatrix, np.asfortranarray, np.ndarray.tolist, memoryview])
    try:
        return made(array)
    except ValueError:  # not of every shape, and not of every type
        return array


def misused(rng, /, **arguments):
    """The arguments, at least one of them odd."""
    wrong = rng.sample(sorted(arguments), rng.choice([1, 1, 1, 2]) if len(arguments) > 1 else 1)
    return arguments | {name: odd(rng) for name in wrong}
