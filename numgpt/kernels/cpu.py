"""The hot elementwise functions, for NumPy arrays: the formulas of the layers, arranged so that memory is read less.

An elementwise formula of ten operations over a large array reads and writes main memory ten times. Here such a
formula runs over chunks of it that stay in the processor's second-level cache, with the results of each
operation written over scratch that is already there, and over several chunks at once where the array is large.
"""

import math

import numpy as np

from numgpt.kernels.memory import empty, empty_like
from numgpt.kernels.threads import run_side_by_side

CHUNK = 65536  # elements: 256 KB in float32, so that an input, an output and two scratch arrays share 1 MB
THREADED = 2**19  # elements below which threads cost more than they bring
SMALL = 2**13  # elements below which BLAS uses one thread anyway

# Python floats: a NumPy float64 scalar would turn float32 arrays into float64 ones.
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715
TINY = 1e-30


def over_chunks(work, *arrays):
    """work(*slices) for CHUNK elements at a time of equally long 1-d arrays."""
    slices = [slice(i, i + CHUNK) for i in range(0, arrays[0].size, CHUNK)]
    in_turn_or_side_by_side(lambda here: work(*[array[here] for array in arrays]), slices, arrays[0].size)


def over_rows(work, *arrays):
    """work(*slices) for about CHUNK elements at a time of 2-d arrays of equally many rows; the results, in order."""
    step = max(1, CHUNK // arrays[0].shape[1])
    found = [None] * -(-len(arrays[0]) // step)

    def one(i):
        found[i] = work(*[array[i * step : (i + 1) * step] for array in arrays])

    in_turn_or_side_by_side(one, range(len(found)), arrays[0].size)
    return found


def in_turn_or_side_by_side(work, items, size):
    """work(item) for every item, side by side if the arrays have THREADED elements."""

    def in_turn(items):
        for item in items:
            work(item)

    if size < SMALL:
        in_turn(items)
    elif size < THREADED:
        run_side_by_side(in_turn, [items])
    else:
        run_side_by_side(work, items)


def gelu(x):
    """y = x (1 + t) / 2 with t = tanh(sqrt(2/pi) (x + 0.044715 x^3))."""
    x = np.ascontiguousarray(x)
    y = empty_like(x)

    def one_chunk(x, t):
        gelu_tanh(x, t)
        t += 1
        t *= x
        t *= 0.5

    over_chunks(one_chunk, x.reshape(-1), y.reshape(-1))
    return y


def gelu_tanh(x, out):
    """out = tanh(sqrt(2/pi) (x + 0.044715 x^3)) = tanh(x (sqrt(2/pi) + sqrt(2/pi) 0.044715 x^2))."""
    np.multiply(x, x, out=out)
    out *= SQRT_2_OVER_PI * CUBIC
    out += SQRT_2_OVER_PI
    out *= x
    np.tanh(out, out=out)


def gelu_backward(dy, x):
    """dx = dy ( (1 + t) / 2 + x (1 - t^2) u' / 2 ) with u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2).

    t is computed again from x: that costs less than to write it in forward and to read it here.
    """
    x, dy = np.ascontiguousarray(x), np.ascontiguousarray(dy)
    dx = empty_like(x)

    def one_chunk(x, dy, dx):
        t, u = empty((2, x.size), x.dtype)
        gelu_tanh(x, t)
        np.multiply(x, x, out=u)
        u *= 3 * CUBIC * SQRT_2_OVER_PI
        u += SQRT_2_OVER_PI
        u *= x
        np.multiply(t, t, out=dx)
        np.subtract(1, dx, out=dx)
        u *= dx
        t += 1
        t += u
        t *= 0.5
        np.multiply(t, dy, out=dx)

    over_chunks(one_chunk, x.reshape(-1), dy.reshape(-1), dx.reshape(-1))
    return dx


def layernorm(x, weight, bias, eps):
    """y = xhat weight + bias, with xhat = (x - mean_C(x)) rstd and rstd = 1 / sqrt(mean_C((x - mean)^2) + eps).

    x is (..., C). Returns y, xhat, both (..., C), and rstd, (..., 1). Means are products with a vector of 1/C, as
    BLAS adds up faster than NumPy does.
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
    return y, xhat, rstd


def layernorm_backward(dy, xhat, rstd, weight, dweight, dbias):
    """dx = rstd (g - mean_C(g) - xhat mean_C(g xhat)) with g = dy weight; adds to dweight and dbias, (C,).

    dweight += sum(dy xhat) and dbias += sum(dy) over all positions.
    """
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


def draw_dropped(rng, shape, p):
    """True with probability p, rounded to 1/65536, for each element by itself.

    Two random bytes an element: four times as fast as a random float each.
    """
    size = math.prod(shape)
    words = rng.integers(0, 2**64 - 1, -(-size // 4), dtype=np.uint64, endpoint=True)
    return (words.view(np.uint16)[:size] < round(p * 65536)).reshape(shape)


def drop(x, dropped, keep_rate):
    """x / keep_rate, and 0 where dropped."""
    y = empty_like(x)
    np.multiply(x, 1 / keep_rate, out=y)
    np.copyto(y, 0, where=dropped)
    return y


def adamw_update(w, g, m, v, lr, beta1, beta2, root, eps, decay):
    """One step of AdamW on flat arrays, in place, in a single pass over the four.

        m += (1 - beta1) (g - m)        v += (1 - beta2) (g^2 - v)
        w  = w (1 - decay) - lr m / (root sqrt(v) + eps)

    lr and root hold the bias corrections: lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t). TINY is added to the
    gradient, and to its square, so that m and v of a parameter without gradient do not sink into denormal
    numbers, on which arithmetic is several times slower; it is below the rounding of any gradient above 1e-22.
    """

    def one_chunk(w, g, m, v):
        t = empty_like(g)
        np.add(g, TINY, out=t)
        t -= m
        t *= 1 - beta1
        m += t
        np.multiply(g, g, out=t)
        t += TINY
        t -= v
        t *= 1 - beta2
        v += t
        np.sqrt(v, out=t)
        t *= root
        t += eps
        np.divide(m, t, out=t)
        t *= lr
        if decay:
            w *= 1 - decay
        w -= t

    over_chunks(one_chunk, w, g, m, v)


def squared_norm(x):
    """sum(x^2) of a flat array, as a float; chunks are added up in float64, so that rounding does not grow."""
    sums = over_rows(lambda part: float(np.vdot(part, part)), x[:, None])
    return math.fsum(sums)


def scatter_add(table, ids, rows):
    """table[ids[i]] += rows[i] for every i; ids that occur twice are added twice.

    table is (N, C); ids is any shape of ints in [0, N); rows is ids.shape + (C,). `table[ids] += rows` would add
    only the last of equal ids, and np.add.at is five times slower than this loop.
    """
    for i, row in zip(ids.ravel().tolist(), rows.reshape(-1, rows.shape[-1]), strict=True):
        table[i] += row
