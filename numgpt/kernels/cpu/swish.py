"""Swish in one pass over memory."""

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks
from numgpt.kernels.cpu.memory import empty_like


def swish(x, beta):
    """y = x g with g = (1 + tanh(beta x / 2)) / 2."""
    x = np.ascontiguousarray(x)
    y = empty_like(x)

    def one_chunk(x, y):
        gate(x, beta, y)
        y *= x

    over_chunks(one_chunk, x.reshape(-1), y.reshape(-1))
    return y


def swish_backward(dy, x, beta):
    """dx = dy g (1 + beta x (1 - g))."""
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    dx = empty_like(x)

    def one_chunk(x, dy, dx):
        g = empty_like(x)
        gate(x, beta, g)
        np.subtract(1, g, out=dx)
        dx *= x
        dx *= beta
        dx += 1
        dx *= g
        dx *= dy

    over_chunks(one_chunk, x.reshape(-1), dy.reshape(-1), dx.reshape(-1))
    return dx


def gate(x, beta, out):
    """out = 1 / (1 + exp(-beta x))."""
    np.multiply(x, beta / 2, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5
