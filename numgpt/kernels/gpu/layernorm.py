"""Layer normalisation in fused kernels."""

from typing import Any, NamedTuple

import cupy

from numgpt.kernels.gpu.sums import column_sum, parted


class Normalised(NamedTuple):
    """What `layernorm` keeps."""

    xhat: Any
    rstd: Any


def layernorm(x, weight, bias, eps):
    """y = xhat weight + bias, with xhat = (x - mean_C(x)) rstd and rstd = 1 / sqrt(mean_C((x - mean)^2) + eps).

    x is (..., C). Returns y and what backward needs: xhat, both (..., C), and rstd, (..., 1).
    """
    mean = x.mean(-1, keepdims=True)
    rstd = reciprocal_root(squared_deviation(x, mean)[..., None], 1 / x.shape[-1], eps)
    y, xhat = scale_and_shift(x, mean, rstd, weight, bias)
    return y, Normalised(xhat, rstd)


@cupy.fuse
def squared_deviation(x, mean):
    """sum_C((x - mean)^2)."""
    return cupy.sum((x - mean) * (x - mean), axis=-1)


@cupy.fuse
def reciprocal_root(sum_of_squares, share, eps):
    """1 / sqrt(sum share + eps)."""
    return 1 / cupy.sqrt(sum_of_squares * share + eps)


@cupy.fuse
def scale_and_shift(x, mean, rstd, weight, bias):
    """y = xhat weight + bias and xhat = (x - mean) rstd."""
    xhat = (x - mean) * rstd
    return xhat * weight + bias, xhat


def layernorm_backward(dy, kept, weight, dweight, dbias):
    """dx = rstd (g - mean_C(g) - xhat mean_C(g xhat)) with g = dy weight; adds to dweight and dbias, (C,).

    dweight += sum(dy xhat) and dbias += sum(dy) over all positions.
    """
    C = dy.shape[-1]
    shape, (dy, xhat, rstd) = dy.shape, (a.reshape(-1, a.shape[-1]) for a in (dy, *kept))
    dbias += column_sum(dy)
    dweight += sums_of_products(parted(dy), parted(xhat)).sum(0)
    total, projection = row_sum(dy, weight)[:, None], row_projection(dy, weight, xhat)[:, None]
    return take_out(dy, weight, xhat, rstd, total, projection, 1 / C).reshape(shape)


@cupy.fuse
def sums_of_products(dy, xhat):
    """sum(dy xhat) over the rows of each part."""
    return cupy.sum(dy * xhat, axis=1)


@cupy.fuse
def row_sum(dy, weight):
    """sum_C(g)."""
    return cupy.sum(dy * weight, axis=-1)


@cupy.fuse
def row_projection(dy, weight, xhat):
    """sum_C(g xhat)."""
    return cupy.sum(dy * weight * xhat, axis=-1)


@cupy.fuse
def take_out(dy, weight, xhat, rstd, total, projection, share):
    """rstd (g - total share - xhat projection share)."""
    return rstd * (dy * weight - share * (total + xhat * projection))
