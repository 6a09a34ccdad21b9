"""Dropout on all cores, without an array in between."""

import numpy as np

from numgpt.kernels.cpu.chunks import over_chunks
from numgpt.kernels.cpu.memory import empty_like


def drop(x, dropped, p):
    """x / (1 - p), and 0 where dropped; x itself where that is None."""
    if dropped is None:
        return x
    x, dropped = np.ascontiguousarray(x), np.ascontiguousarray(dropped)
    y = empty_like(x)

    def one_chunk(x, dropped, y):
        np.multiply(x, 1 / (1 - p), out=y)
        np.copyto(y, 0, where=dropped)

    over_chunks(one_chunk, x.reshape(-1), dropped.reshape(-1), y.reshape(-1))
    return y
