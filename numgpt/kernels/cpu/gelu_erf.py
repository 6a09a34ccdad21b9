"""The exact GELU in one pass over memory, with erf from a polynomial.

For z >= 0, erfc(z) exp(z^2) is smooth in t = (z - 2) / (z + 2), which takes all z to [-1, 1) (after Shepherd and
Laframboise 1981), so that few terms of a Chebyshev series in t give all digits:

    erf(z) = 1 - exp(-z^2) sum_n c_n T_n(t)

The coefficients are computed here, from Python's own erfc and a continued fraction, at the Chebyshev nodes.
"""

import math
from functools import cache

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks
from numgpt.kernels.cpu.memory import empty, empty_like

CENTRE = 2.0
DEGREE = {"f4": 9, "f8": 23}  # of the polynomial that is exact to the rounding of a dtype


def erf(z):
    """The error function."""
    z = np.ascontiguousarray(z)
    y = empty_like(z)
    over_chunks(lambda z, y: write_erf(z, np.exp(-(z * z)), y), z.reshape(-1), y.reshape(-1))
    return y


def gelu_erf(x):
    """y = x Phi(x) with Phi(x) = (1 + erf(x / sqrt(2))) / 2."""
    x = np.ascontiguousarray(x)
    y = empty_like(x)

    def one_chunk(x, y):
        probability(x, y)
        y *= x

    over_chunks(one_chunk, x.reshape(-1), y.reshape(-1))
    return y


def gelu_erf_backward(dy, x):
    """dx = dy ( Phi(x) + x phi(x) ) with phi(x) = exp(-x^2 / 2) / sqrt(2 pi)."""
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    dx = empty_like(x)

    def one_chunk(x, dy, dx):
        bell = probability(x, dx)
        bell *= 1 / math.sqrt(2 * math.pi)
        bell *= x
        dx += bell
        dx *= dy

    over_chunks(one_chunk, x.reshape(-1), dy.reshape(-1), dx.reshape(-1))
    return dx


def probability(x, out):
    """out = Phi(x); returns exp(-x^2 / 2)."""
    z, bell = empty((2, x.size), x.dtype)
    np.multiply(x, 1 / math.sqrt(2), out=z)
    np.multiply(z, z, out=bell)
    np.negative(bell, out=bell)
    np.exp(bell, out=bell)
    write_erf(z, bell, out)
    out += 1
    out *= 0.5
    return bell


def write_erf(z, bell, out):
    """out = erf(z), where bell = exp(-z^2): the series by Clenshaw's recurrence for |z|, and the sign of z."""
    twice_t, newer, older = empty((3, z.size), z.dtype)
    np.abs(z, out=twice_t)
    np.add(twice_t, CENTRE, out=older)
    twice_t -= CENTRE
    twice_t /= older
    twice_t *= 2
    *others, first, last = coefficients(z.dtype.str[1:])
    newer.fill(last)
    older.fill(0)
    for coefficient in (first, *reversed(others)):
        newer, older = older, newer
        np.multiply(older, twice_t, out=out)
        np.subtract(out, newer, out=newer)
        newer += coefficient
    older *= twice_t  # the last step takes t where the others take 2 t
    older *= 0.5
    np.subtract(newer, older, out=out)
    out *= bell
    np.subtract(1, out, out=out)
    np.copysign(out, z, out=out)


@cache
def coefficients(dtype):
    """c_0, c_1, ... of the Chebyshev series that goes through scaled_erfc at the Chebyshev nodes."""
    n = DEGREE[dtype] + 1
    angles = np.pi * (np.arange(n) + 0.5) / n
    values = np.array([scaled_erfc(CENTRE * (1 + t) / (1 - t)) for t in np.cos(angles)])
    series = 2 / n * np.cos(np.outer(np.arange(n), angles)) @ values
    series[0] /= 2
    return tuple(series.tolist())


def scaled_erfc(z):
    """erfc(z) exp(z^2); from 2 on by Laplace's continued fraction, as exp(z^2) would multiply the rounding of z^2."""
    if z < 2:
        return math.erfc(z) * math.exp(z * z)
    rest = 0.0
    for n in range(100, 0, -1):
        rest = n / 2 / (z + rest)
    return 1 / (math.sqrt(math.pi) * (z + rest))
