"""ReLU on all cores."""

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks
from numgpt.kernels.cpu.memory import empty_like


def relu(x):
    """y = max(x, 0)."""
    x = np.ascontiguousarray(x)
    y = empty_like(x)
    over_chunks(lambda x, y: np.maximum(x, 0, out=y), x.reshape(-1), y.reshape(-1))
    return y


def relu_backward(dy, x):
    """dx = dy where x > 0, else 0."""
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    dx = empty_like(x)
    over_chunks(lambda dy, x, dx: np.multiply(dy, x > 0, out=dx), dy.reshape(-1), x.reshape(-1), dx.reshape(-1))
    return dx
