"""The look-up's backward, and the output head by cuBLAS."""

import cupyx

from numgpt.kernels.gpu.matmul import add_product, matmul


def embedding_backward(dy, ids, dweight):
    """dweight[ids[i]] += dy[i] for every i; ids that occur twice are added twice, in no fixed order."""
    cupyx.scatter_add(dweight, ids, dy)


def tied_head(x, weight):
    """logits = x weight^T; x is (..., C), logits are (..., V)."""
    return matmul(x.reshape(-1, x.shape[-1]), weight.T).reshape(*x.shape[:-1], len(weight))


def tied_head_backward(dlogits, x, weight, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x."""
    rows = dlogits.reshape(-1, dlogits.shape[-1])
    add_product(dweight, rows.T, x.reshape(-1, x.shape[-1]))
    return matmul(rows, weight).reshape(x.shape)
