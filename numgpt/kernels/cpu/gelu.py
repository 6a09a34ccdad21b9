"""GELU in one pass over memory."""

import math

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks
from numgpt.kernels.cpu.memory import empty, empty_like

# Python floats: a NumPy float64 scalar would turn float32 arrays into float64 ones.
SLOPE = math.sqrt(2 / math.pi)
CUBIC = 0.044715


def gelu(x):
    """y = x (1 + t) / 2 with t = tanh(sqrt(2/pi) (x + 0.044715 x^3))."""
    x = np.ascontiguousarray(x)
    y = empty_like(x)

    def one_chunk(x, t):
        gelu_tanh(x, t)
        t += 1
        t *= x
        t *= 0.5

    over_chunks(one_chunk, x.reshape(-1), y.reshape(-1))
    return y


def gelu_tanh(x, out):
    """out = tanh(sqrt(2/pi) (x + 0.044715 x^3)) = tanh(x (sqrt(2/pi) + sqrt(2/pi) 0.044715 x^2))."""
    np.multiply(x, x, out=out)
    out *= SLOPE * CUBIC
    out += SLOPE
    out *= x
    np.tanh(out, out=out)


def gelu_backward(dy, x):
    """dx = dy ( (1 + t) / 2 + x (1 - t^2) u' / 2 ) with u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2).

    t is computed again from x: that costs less than to write it in forward and to read it here.
    """
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    dx = empty_like(x)

    def one_chunk(x, dy, dx):
        t, u = empty((2, x.size), x.dtype)
        gelu_tanh(x, t)
        np.multiply(x, x, out=u)
        u *= 3 * CUBIC * SLOPE
        u += SLOPE
        u *= x
        np.multiply(t, t, out=dx)
        np.subtract(1, dx, out=dx)
        u *= dx
        t += 1
        t += u
        t *= 0.5
        np.multiply(t, dy, out=dx)

    over_chunks(one_chunk, x.reshape(-1), dy.reshape(-1), dx.reshape(-1))
    return dx
