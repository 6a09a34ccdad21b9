"""Layer normalisation in two passes over memory, some rows at a time."""

from typing import Any, NamedTuple

import numpy as np

from numgpt.kernels.cpu.chunks import over_rows
from numgpt.kernels.cpu.memory import empty_like


class Normalised(NamedTuple):
    """What `layernorm` keeps."""

    xhat: Any
    rstd: Any


def layernorm(x, weight, bias, eps):
    """y = xhat weight + bias, with xhat = (x - mean_C(x)) rstd and rstd = 1 / sqrt(mean_C((x - mean)^2) + eps).

    x is (..., C). Means are products with a vector of 1/C, as BLAS adds up faster than NumPy does.
    """
    C = x.shape[-1]
    y, xhat = empty_like(x), empty_like(x)
    rstd = np.empty((*x.shape[:-1], 1), x.dtype)
    mean = np.full((C, 1), 1 / C, x.dtype)

    def some_rows(x, y, xhat, rstd):
        np.subtract(x, x @ mean, out=xhat)
        np.multiply(xhat, xhat, out=y)
        np.divide(1, np.sqrt(y @ mean + eps), out=rstd)
        xhat *= rstd
        np.multiply(xhat, weight, out=y)
        y += bias

    over_rows(some_rows, *(a.reshape(-1, a.shape[-1]) for a in (x, y, xhat, rstd)))
    return y, Normalised(xhat, rstd)


def layernorm_backward(dy, kept, weight, dweight, dbias):
    """dx = rstd (g - mean_C(g) - xhat mean_C(g xhat)) with g = dy weight; adds to dweight and dbias, (C,).

    dweight += sum(dy xhat) and dbias += sum(dy) over all positions.
    """
    xhat, rstd = kept
    C = dy.shape[-1]
    dx = empty_like(dy)
    mean_of_weighted = (weight / C)[:, None]

    def some_rows(dy, xhat, rstd, dx):
        ones, t = np.ones(len(dy), dy.dtype), empty_like(dy)
        np.multiply(dy, xhat, out=t)
        sums = ones @ t, ones @ dy
        projection = t @ mean_of_weighted
        np.multiply(dy, weight, out=dx)
        dx -= dy @ mean_of_weighted
        np.multiply(xhat, projection, out=t)
        dx -= t
        dx *= rstd
        return sums

    for dw, db in over_rows(some_rows, *(a.reshape(-1, a.shape[-1]) for a in (dy, xhat, rstd, dx))):
        dweight += dw
        dbias += db
    return dx
