"""The affine map by cuBLAS."""

from numgpt.kernels.gpu.matmul import add_product, matmul
from numgpt.kernels.gpu.sums import column_sum


def linear(x, weight, bias):
    """y[n,o] = sum_i x[n,i] weight[i,o] + bias[o]; x is (..., n_in), y is (..., n_out)."""
    y = matmul(x.reshape(-1, x.shape[-1]), weight)
    y += bias
    return y.reshape(*x.shape[:-1], y.shape[-1])


def linear_backward(dy, x, weight, dweight, dbias):
    """dx = dy weight^T; adds dweight += x^T dy and dbias += sum_n dy. dy is (..., n_out), x and dx are (..., n_in)."""
    rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    add_product(dweight, rows.T, dy_rows)
    dbias += column_sum(dy_rows)
    return matmul(dy_rows, weight.T).reshape(x.shape)
