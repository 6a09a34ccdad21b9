"""GELU in one pass over memory."""

import math

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks
from numgpt.kernels.cpu.memory import empty_like

# Python floats: a NumPy float64 scalar would turn float32 arrays into float64 ones.
SLOPE = math.sqrt(2 / math.pi)
CUBIC = 0.044715


def gelu(x):
    """y = x (1 + t) / 2 with t = tanh(sqrt(2/pi) (x + 0.044715 x^3))."""
    x = np.ascontiguousarray(x)
    y = empty_like(x)

    def one_chunk(x, y):
        np.multiply(x, x, out=y)
        tanh_from_square(x, y, y)
        tanh_to_gate(y)
        y *= x

    over_chunks(one_chunk, x.reshape(-1), y.reshape(-1))
    return y


def gelu_and_slope(x):
    """y, bit for bit that of `gelu`, and slope = (1 + t) / 2 + x (1 - t^2) u' / 2.

    u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2).
    """
    x = np.ascontiguousarray(x)
    y, slope = empty_like(x), empty_like(x)

    def one_chunk(x, y, slope):
        square = empty_like(x)
        np.multiply(x, x, out=square)
        tanh_from_square(x, square, y)
        np.multiply(y, y, out=slope)
        np.subtract(1, slope, out=slope)
        slope *= x  # before u', which is large where 1 - t^2 is 0
        square *= 1.5 * CUBIC * SLOPE
        square += 0.5 * SLOPE
        slope *= square
        tanh_to_gate(y)
        slope += y
        y *= x

    over_chunks(one_chunk, x.reshape(-1), y.reshape(-1), slope.reshape(-1))
    return y, slope


def gelu_backward(dy, slope):
    """dx = dy slope."""
    dy = np.ascontiguousarray(dy)
    dx = empty_like(dy)
    arrays = dy.reshape(-1), slope.reshape(-1), dx.reshape(-1)
    over_chunks(lambda dy, slope, dx: np.multiply(dy, slope, out=dx), *arrays)
    return dx


def tanh_from_square(x, square, out):
    """out = t = tanh(x (sqrt(2/pi) + sqrt(2/pi) 0.044715 square)), where square = x^2."""
    np.multiply(square, SLOPE * CUBIC, out=out)
    out += SLOPE
    out *= x
    np.tanh(out, out=out)


def tanh_to_gate(t):
    """(1 + t) / 2 in the place of t."""
    t += 1
    t *= 0.5
