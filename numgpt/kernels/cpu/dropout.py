"""Dropout without an array in between."""

import numpy as np

from numgpt.kernels.cpu.memory import empty_like


def drop(x, dropped, p):
    """x / (1 - p), and 0 where dropped; x itself where that is None."""
    if dropped is None:
        return x
    y = empty_like(x)
    np.multiply(x, 1 / (1 - p), out=y)
    np.copyto(y, 0, where=dropped)
    return y
