"""Matrix products cut into pieces for all cores."""

import numpy as np

from numgpt.kernels.cpu.memory import empty
from numgpt.kernels.cpu.threads import equal_parts, n_cores, run_side_by_side

SMALL = 2**22  # multiplications below which a piece is not worth a thread
LARGE = 2**27  # multiplications from which on a product is cut finer than one piece a core: no core waits long
ADDED = 2**19  # elements of a product that is added to something: it is still in the cache when it is read again


def rows_of(x):
    """x, (..., C), as a matrix of all its rows, (N, C)."""
    return x.reshape(-1, x.shape[-1])


def multiply(a, b, out, _=None):
    """out = a @ b."""
    np.matmul(a, b, out=out)


def add_product(a, b, out, _=None):
    """out += a @ b."""
    out += np.matmul(a, b, out=empty(out.shape, out.dtype))


def added_product(a, b, out):
    """The pieces of out += a @ b, for `on_all_cores`."""
    return [(add_product, *piece) for piece in pieces(a, b, out, ADDED)]


def on_all_cores(work):
    """function(*arguments) for every (function, *arguments)."""
    run_side_by_side(lambda piece: piece[0](*piece[1:]), work)


def pieces(a, b, out, largest=None):
    """(a, b, out, columns) of each piece of a product, cut along the longer side of `out`; columns are the piece's.

    largest: of how many elements of `out` a piece is at most.
    """
    size = out.size * a.shape[1]
    n = 1 if size < 2 * SMALL else n_cores() if size < LARGE else 2 * n_cores()
    if largest and n > 1:
        n = max(n, -(-out.size // (largest * n_cores())) * n_cores())
    by_rows = len(out) >= out.shape[1]
    length = len(out) if by_rows else out.shape[1]
    parts = equal_parts(length, n)
    if by_rows:
        return [(a[part], b, out[part], slice(None)) for part in parts]
    return [(a, b[:, part], out[:, part], part) for part in parts]
