"""The output head on all cores. The look-up and its backward are as fast as their definitions."""

from numgpt.kernels.cpu import few_rows
from numgpt.kernels.cpu.memory import empty
from numgpt.kernels.cpu.products import added_product, multiply, on_all_cores, pieces, rows_of


def tied_head(x, weight):
    """logits = x weight^T; x is (..., C), logits are (..., V)."""
    rows = rows_of(x)
    if len(rows) <= few_rows.FEW:
        logits = few_rows.times_transposed(rows, weight)
    else:
        logits = empty((len(rows), len(weight)), x.dtype)
        on_all_cores([(multiply, *piece) for piece in pieces(rows, weight.T, logits)])
    return logits.reshape(*x.shape[:-1], -1)


def tied_head_backward(dlogits, x, weight, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x."""
    rows, dlogits_rows = rows_of(x), rows_of(dlogits)
    dx = empty(rows.shape, x.dtype)
    work = [(multiply, *piece) for piece in pieces(dlogits_rows, weight, dx)]
    on_all_cores(work + added_product(dlogits_rows.T, rows, dweight))
    return dx.reshape(x.shape)
