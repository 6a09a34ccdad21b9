"""AdamW in one pass over the four arrays."""

import math

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks, over_rows
from numgpt.kernels.cpu.memory import empty_like

TINY = 1e-30


def adamw_update(w, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Step t, in place, in a single pass over the four arrays; the bias corrections go into the factors of m and v.

    TINY is added to the gradient, and to its square, so that m and v of a parameter without gradient do not sink into
    denormal numbers, on which arithmetic is several times slower; it is below the rounding of any gradient above 1e-22.
    """
    decay = lr * weight_decay
    lr = lr / (1 - beta1**t)
    root = 1 / math.sqrt(1 - beta2**t)

    def one_chunk(w, g, m, v):
        update = empty_like(g)
        np.add(g, TINY, out=update)
        update -= m
        update *= 1 - beta1
        m += update
        np.multiply(g, g, out=update)
        update += TINY
        update -= v
        update *= 1 - beta2
        v += update
        np.sqrt(v, out=update)
        update *= root
        update += eps
        np.divide(m, update, out=update)
        update *= lr
        if decay:
            w *= 1 - decay
        w -= update

    over_chunks(one_chunk, w, g, m, v)


def squared_norm(x):
    """sum(x^2) of a flat array, as a float; chunks are added up in float64, so that rounding does not grow."""
    sums = over_rows(lambda part: float(np.vdot(part, part)), x[:, None])
    return math.fsum(sums)
