"""The affine map on all cores."""

import numpy as np

from numgpt.kernels.cpu import few_rows
from numgpt.kernels.cpu.memory import empty
from numgpt.kernels.cpu.products import added_product, multiply, on_all_cores, pieces, rows_of


def linear(x, weight, bias):
    """y[n,o] = sum_i x[n,i] weight[i,o] + bias[o]; x is (..., n_in), y is (..., n_out)."""
    rows = rows_of(x)
    if len(rows) <= few_rows.FEW:
        y = few_rows.times_matrix(rows, weight)
        y += bias
    else:
        y = empty((len(rows), weight.shape[1]), x.dtype)

        def one_piece(rows, weight, y, columns):
            np.matmul(rows, weight, out=y)
            y += bias[columns]

        on_all_cores([(one_piece, *piece) for piece in pieces(rows, weight, y)])
    return y.reshape(*x.shape[:-1], -1)


def linear_backward(dy, x, weight, dweight, dbias):
    """dx = dy weight^T; adds dweight += x^T dy and dbias += sum_n dy. dy is (..., n_out), x and dx are (..., n_in)."""
    rows, dy_rows = rows_of(x), rows_of(dy)
    dx, ones = empty(rows.shape, x.dtype), np.ones((1, len(rows)), x.dtype)
    work = added_product(rows.T, dy_rows, dweight) + added_product(ones, dy_rows, dbias[None])
    work += [(multiply, *piece) for piece in pieces(dy_rows, weight.T, dx)]
    on_all_cores(work)
    return dx.reshape(x.shape)
