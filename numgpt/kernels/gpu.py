"""The hot functions, for CuPy arrays: those of cpu.py under the same names.

An elementwise formula is one kernel (`cupy.fuse` makes it of the plain formula) instead of a pass over the GPU's
memory for each of its operations. A fused function gets its constants ready made: of Python numbers that it
computed itself CuPy would make float64.
"""

import math

import cupy
import cupyx
import numpy as np

from numgpt.kernels.gpu_attention import attention, attention_backward, drop_scaled
from numgpt.kernels.gpu_loss import tied_cross_entropy, tied_cross_entropy_backward
from numgpt.kernels.gpu_matmul import add_product, matmul, set_precision

__all__ = [
    "adamw_update",
    "attention",
    "attention_backward",
    "draw_dropped",
    "drop",
    "gelu",
    "gelu_backward",
    "layernorm",
    "layernorm_backward",
    "linear",
    "linear_backward",
    "product",
    "scatter_add",
    "set_precision",
    "squared_norm",
    "tied_cross_entropy",
    "tied_cross_entropy_backward",
]

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715
PIECE = 2**24  # elements whose squares are in memory at once: 64 MB in float32
PARTS = 64  # CuPy gives 32 columns' sum to one block of threads, too few blocks for a GPU unless the rows are parted


@cupy.fuse
def gelu(x):
    """y = x (1 + t) / 2 with t = tanh(sqrt(2/pi) (x + 0.044715 x^3))."""
    t = cupy.tanh(SQRT_2_OVER_PI * (x + CUBIC * (x * x * x)))
    return 0.5 * x * (1 + t)


@cupy.fuse
def gelu_backward(dy, x):
    """dx = dy ( (1 + t) / 2 + x (1 - t^2) u' / 2 ) with u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)."""
    t = cupy.tanh(SQRT_2_OVER_PI * (x + CUBIC * (x * x * x)))
    du = SQRT_2_OVER_PI * (1 + 3 * CUBIC * (x * x))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)


def layernorm(x, weight, bias, eps):
    """y = xhat weight + bias, with xhat = (x - mean_C(x)) rstd and rstd = 1 / sqrt(mean_C((x - mean)^2) + eps).

    x is (..., C). Returns y, xhat, both (..., C), and rstd, (..., 1).
    """
    mean = x.mean(-1, keepdims=True)
    rstd = reciprocal_root(squared_deviation(x, mean)[..., None], 1 / x.shape[-1], eps)
    return *scale_and_shift(x, mean, rstd, weight, bias), rstd


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


def layernorm_backward(dy, xhat, rstd, weight, dweight, dbias):
    """dx = rstd (g - mean_C(g) - xhat mean_C(g xhat)) with g = dy weight; adds to dweight and dbias, (C,).

    dweight += sum(dy xhat) and dbias += sum(dy) over all positions.
    """
    C = dy.shape[-1]
    shape, (dy, xhat, rstd) = dy.shape, (a.reshape(-1, a.shape[-1]) for a in (dy, xhat, rstd))
    dbias += column_sum(dy)
    dweight += sums_of_products(parted(dy), parted(xhat)).sum(0)
    total, projection = row_sum(dy, weight)[:, None], row_projection(dy, weight, xhat)[:, None]
    return take_out(dy, weight, xhat, rstd, total, projection, 1 / C).reshape(shape)


def column_sum(x):
    """The sum of the rows of x, (N, C)."""
    return parted(x).sum(1).sum(0)


def parted(x):
    """x, (N, C), as (P, N/P, C), a view; P divides N and PARTS."""
    return x.reshape(math.gcd(len(x), PARTS), -1, x.shape[-1])


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


def product(a, b):
    """a @ b for matrices."""
    return matmul(a, b)


def linear(x, weight, bias):
    """y[n,o] = sum_i x[n,i] weight[i,o] + bias[o]; x is (N, n_in), y is (N, n_out)."""
    y = matmul(x, weight)
    y += bias
    return y


def linear_backward(dy, x, weight, dweight, dbias):
    """dx = dy weight^T; adds dweight += x^T dy and dbias += sum_n dy. dy is (N, n_out), x and dx are (N, n_in)."""
    add_product(dweight, x.T, dy)
    dbias += column_sum(dy)
    return matmul(dy, weight.T)


def draw_dropped(rng, shape, p):
    """True with probability p for each element by itself.

    Millions of draws would keep the host busy for longer than the GPU has work: it draws two keys, and the GPU
    hashes each element's number with them. A run's masks still follow from the one generator, on any GPU.
    """
    keys = rng.integers(0, 2**32, 2).tolist()
    numbers = cupy.arange(math.prod(shape), dtype=np.uint32)
    return hashed_below(numbers, *keys, round(p * 2**32)).reshape(shape)


@cupy.fuse
def hashed_below(number, key0, key1, threshold):
    """Whether a hash of each number, uniform in [0, 2^32), is below the threshold.

    The mixing, twice with a key each, is Chris Wellons's lowbias32 (https://nullprogram.com/blog/2018/07/31/).
    """
    for key in (key0, key1):
        number = number ^ key
        number = number ^ (number >> 16)
        number = number * 0x7FEB352D
        number = number ^ (number >> 15)
        number = number * 0x846CA68B
        number = number ^ (number >> 16)
    return number < threshold


def drop(x, dropped, keep_rate):
    """x / keep_rate, and 0 where dropped."""
    return drop_scaled(x, dropped, 1 / keep_rate)


def adamw_update(w, g, m, v, lr, beta1, beta2, root, eps, decay):
    """One step of AdamW on flat arrays, in place, in a single pass over the four.

        m += (1 - beta1) (g - m)        v += (1 - beta2) (g^2 - v)
        w  = w (1 - decay) - lr m / (root sqrt(v) + eps)

    lr and root hold the bias corrections: lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t).
    """
    adamw_pass(w, g, m, v, lr, 1 - beta1, 1 - beta2, root, eps, 1 - decay)


@cupy.fuse
def adamw_pass(w, g, m, v, lr, new1, new2, root, eps, kept):
    """The formulas of `adamw_update`."""
    m += new1 * (g - m)
    v += new2 * (g * g - v)
    w *= kept
    w -= lr * m / (root * cupy.sqrt(v) + eps)


def squared_norm(x):
    """sum(x^2) of a flat array, as a float, for which it waits until the GPU is there; summed in float64."""
    parts = [cupy.square(x[first : first + PIECE]).sum(dtype=np.float64) for first in range(0, x.size, PIECE)]
    return float(sum(parts))


def scatter_add(table, ids, rows):
    """table[ids[i]] += rows[i] for every i; ids that occur twice are added twice, in no fixed order.

    table is (N, C); ids is any shape of ints in [0, N); rows is ids.shape + (C,).
    """
    cupyx.scatter_add(table, ids, rows)
