"""AdamW in one pass over the four arrays."""

import math

import cupy
import numpy as np

PIECE = 2**24  # elements whose squares are in memory at once: 64 MB in float32


def adamw_update(w, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Step t, in place, in a single pass over the four arrays; the bias corrections go into the factors of m and v."""
    root = 1 / math.sqrt(1 - beta2**t)
    adamw_pass(w, g, m, v, lr / (1 - beta1**t), 1 - beta1, 1 - beta2, root, eps, 1 - lr * weight_decay)


@cupy.fuse
def adamw_pass(w, g, m, v, lr, new1, new2, root, eps, kept):
    """The formulas of `adamw_update`."""
    m += new1 * (g - m)
    v += new2 * (g * g - v)
    w *= kept
    w -= lr * m / (root * cupy.sqrt(v) + eps)


def squared_norm(x):
    """sum(x^2) of a flat array, as a float, for which it waits until the GPU is there; summed in float64."""
    parts = [cupy.square(x[first : first + PIECE]).sum(dtype=np.float64) for first in range(0, x.size, PIECE)]
    return float(sum(parts))
