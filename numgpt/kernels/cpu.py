"""The hot functions, for NumPy arrays: the formulas of the layers, arranged so that memory is read and written less.

An elementwise formula of ten operations over a large array reads and writes main memory ten times. Here such a
formula runs over chunks of it that stay in the processor's second-level cache, with the results of each
operation written over scratch that is already there.
"""

import math

import numpy as np

CHUNK = 32768  # elements: 128 KB in float32, so that an input, an output and two scratch arrays share 1 MB

# Python floats: a NumPy float64 scalar would turn float32 arrays into float64 ones.
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715
TINY = 1e-30


def chunks(*arrays):
    """Slices of equally long 1-d arrays, CHUNK elements at a time."""
    for start in range(0, arrays[0].size, CHUNK):
        yield [array[start : start + CHUNK] for array in arrays]


def row_chunks(*arrays):
    """Slices of 2-d arrays of equally many rows, about CHUNK elements at a time."""
    step = max(1, CHUNK // arrays[0].shape[1])
    for start in range(0, len(arrays[0]), step):
        yield [array[start : start + step] for array in arrays]


def gelu(x):
    """y = x (1 + t) / 2 with t = tanh(sqrt(2/pi) (x + 0.044715 x^3))."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    for x_, t in chunks(x.reshape(-1), y.reshape(-1)):
        gelu_tanh(x_, t)
        t += 1
        t *= x_
        t *= 0.5
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
    dx = np.empty_like(x)
    scratch = np.empty((2, min(CHUNK, x.size)), x.dtype)
    for x_, dy_, dx_ in chunks(x.reshape(-1), dy.reshape(-1), dx.reshape(-1)):
        t, u = scratch[:, : x_.size]
        gelu_tanh(x_, t)
        np.multiply(x_, x_, out=u)
        u *= 3 * CUBIC * SQRT_2_OVER_PI
        u += SQRT_2_OVER_PI
        u *= x_
        np.multiply(t, t, out=dx_)
        np.subtract(1, dx_, out=dx_)
        u *= dx_
        t += 1
        t += u
        t *= 0.5
        np.multiply(t, dy_, out=dx_)
    return dx


def layernorm(x, weight, bias, eps):
    """y = xhat weight + bias, with xhat = (x - mean_C(x)) rstd and rstd = 1 / sqrt(mean_C((x - mean)^2) + eps).

    x is (..., C). Returns y, xhat, both (..., C), and rstd, (..., 1).
    """
    C = x.shape[-1]
    y, xhat = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    rstd = np.empty((*x.shape[:-1], 1), x.dtype)
    for x_, y_, xhat_, rstd_ in row_chunks(*(a.reshape(-1, a.shape[-1]) for a in (x, y, xhat, rstd))):
        np.subtract(x_, x_.sum(-1, keepdims=True) / C, out=xhat_)
        variance = np.vecdot(xhat_, xhat_)[:, None] / C
        np.divide(1, np.sqrt(variance + eps), out=rstd_)
        xhat_ *= rstd_
        np.multiply(xhat_, weight, out=y_)
        y_ += bias
    return y, xhat, rstd


def layernorm_backward(dy, xhat, rstd, weight, dweight, dbias):
    """dx = rstd (g - mean_C(g) - xhat mean_C(g xhat)) with g = dy weight; adds to dweight and dbias, (C,).

    dweight += sum(dy xhat) and dbias += sum(dy) over all positions.
    """
    C = dy.shape[-1]
    dx = np.empty(dy.shape, dy.dtype)
    scratch = np.empty((max(1, CHUNK // C), C), dy.dtype)
    for dy_, xhat_, rstd_, dx_ in row_chunks(*(a.reshape(-1, a.shape[-1]) for a in (dy, xhat, rstd, dx))):
        t = scratch[: len(dy_)]
        dbias += dy_.sum(0)
        np.multiply(dy_, xhat_, out=t)
        dweight += t.sum(0)
        np.multiply(dy_, weight, out=dx_)
        mean, projection = dx_.sum(-1, keepdims=True) / C, np.vecdot(dx_, xhat_)[:, None] / C
        dx_ -= mean
        np.multiply(xhat_, projection, out=t)
        dx_ -= t
        dx_ *= rstd_
    return dx


def cross_entropy(logits, targets, ignore):
    """The mean of -log p[n, targets[n]] over the N rows whose target is not `ignore`, and its gradient at the logits.

        p = softmax_V(logits)        dlogits[n,v] = (p[n,v] - [v = targets[n]]) / N, and 0 in the other rows

    logits is (rows, V), targets (rows,); at least one must count. Returns a float and dlogits, (rows, V).
    """
    counted = targets != ignore
    n = int(counted.sum())
    dlogits = np.empty(logits.shape, logits.dtype)
    nll = np.empty((len(logits), 1), logits.dtype)
    for z, target, d, nll_ in row_chunks(logits, targets[:, None], dlogits, nll):
        np.subtract(z, z.max(-1, keepdims=True), out=d)
        score = np.take_along_axis(d, target, -1)
        np.exp(d, out=d)
        total = d.sum(-1, keepdims=True)
        np.subtract(np.log(total), score, out=nll_)
        d *= 1 / (n * total)
    at_target = np.flatnonzero(counted)
    dlogits[at_target, targets[at_target]] -= 1 / n
    if n < len(logits):
        dlogits[~counted] = 0
    return float(nll[counted].sum(dtype=np.float64)) / n, dlogits


def add_product(out, a, b):
    """out += a @ b; where `out` is still all zero, the product is written straight into it."""
    if out[0, 0] == 0 and not out.any():
        np.matmul(a, b, out=out)
    else:
        out += a @ b


def draw_dropped(rng, shape, p):
    """True with probability p, rounded to 1/65536, for each element by itself.

    Two random bytes an element: four times as fast as a random float each.
    """
    size = math.prod(shape)
    words = rng.integers(0, 2**64 - 1, -(-size // 4), dtype=np.uint64, endpoint=True)
    return (words.view(np.uint16)[:size] < round(p * 65536)).reshape(shape)


def drop(x, dropped, keep_rate):
    """x / keep_rate, and 0 where dropped."""
    y = x * (1 / keep_rate)
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
    scratch = np.empty(min(CHUNK, w.size), w.dtype)
    for w_, g_, m_, v_ in chunks(w, g, m, v):
        t = scratch[: w_.size]
        np.add(g_, TINY, out=t)
        t -= m_
        t *= 1 - beta1
        m_ += t
        np.multiply(g_, g_, out=t)
        t += TINY
        t -= v_
        t *= 1 - beta2
        v_ += t
        np.sqrt(v_, out=t)
        t *= root
        t += eps
        np.divide(m_, t, out=t)
        t *= lr
        if decay:
            w_ *= 1 - decay
        w_ -= t


def squared_norm(x):
    """sum(x^2) of a flat array, as a float; summed chunk by chunk in float64, so that its rounding does not grow."""
    return math.fsum(float(np.dot(part, part)) for (part,) in chunks(x))


def scatter_add(table, ids, rows):
    """table[ids[i]] += rows[i] for every i; ids that occur twice are added twice.

    table is (N, C); ids is any shape of ints in [0, N); rows is ids.shape + (C,). `table[ids] += rows` would add
    only the last of equal ids, and np.add.at is five times slower than this loop.
    """
    for i, row in zip(ids.ravel().tolist(), rows.reshape(-1, rows.shape[-1]), strict=True):
        table[i] += row
