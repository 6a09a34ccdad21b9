"""Matrix products on the CPU, cut into pieces for all cores."""

import numpy as np

from numgpt.kernels.memory import empty
from numgpt.kernels.threads import n_cores, run_side_by_side

FEW_ROWS = 16  # with at most as many the time goes into reading the other matrix, by BLAS's own threads: generation
SMALL = 2**22  # multiplications below which a piece is not worth a thread
LARGE = 2**27  # multiplications from which on a product is cut into more pieces than cores, lest one is late


def product(a, b):
    """a @ b for matrices."""
    out = empty((len(a), b.shape[1]), a.dtype)
    if len(a) <= FEW_ROWS:
        np.matmul(a, b, out=out)
    else:
        on_all_cores([(write_product, *piece) for piece in cut(a, b, out)])
    return out


def linear(x, weight, bias):
    """y[n,o] = sum_i x[n,i] weight[i,o] + bias[o]; x is (N, n_in), y is (N, n_out)."""
    if len(x) <= FEW_ROWS:
        y = x @ weight
        y += bias
        return y
    y = empty((len(x), weight.shape[1]), x.dtype)

    def one_piece(x, weight, y, columns):
        np.matmul(x, weight, out=y)
        y += bias[columns]

    on_all_cores([(one_piece, *piece) for piece in cut(x, weight, y)])
    return y


def linear_backward(dy, x, weight, dweight, dbias):
    """dx = dy weight^T; adds dweight += x^T dy and dbias += sum_n dy. dy is (N, n_out), x and dx are (N, n_in)."""
    dx, ones = empty(x.shape, x.dtype), np.ones((1, len(x)), x.dtype)
    pieces = [(add_product, *piece) for each in ((x.T, dy, dweight), (ones, dy, dbias[None])) for piece in cut(*each)]
    pieces += [(write_product, *piece) for piece in cut(dy, weight.T, dx)]
    on_all_cores(pieces)
    return dx


def write_product(a, b, out, _=None):
    """out = a @ b."""
    np.matmul(a, b, out=out)


def add_product(a, b, out, _=None):
    """out += a @ b; where `out` is still all zero, the product is written straight into it."""
    if out.any():
        out += np.matmul(a, b, out=empty(out.shape, out.dtype))
    else:
        np.matmul(a, b, out=out)


def on_all_cores(pieces):
    """work(*arguments) for every (work, *arguments)."""
    run_side_by_side(lambda piece: piece[0](*piece[1:]), pieces)


def cut(a, b, out):
    """(a, b, out, columns) of each piece of a product, cut along the longer side of `out`; columns are the piece's."""
    size = out.size * a.shape[1]
    n = 1 if size < 2 * SMALL else n_cores() if size < LARGE else 2 * n_cores()
    by_rows = len(out) >= out.shape[1]
    length = len(out) if by_rows else out.shape[1]
    parts = [slice(length * i // n, length * (i + 1) // n) for i in range(n)]
    if by_rows:
        return [(a[part], b, out[part], slice(None)) for part in parts]
    return [(a, b[:, part], out[:, part], part) for part in parts]
