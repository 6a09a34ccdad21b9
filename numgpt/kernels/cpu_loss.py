"""The tied head and the cross-entropy in one, block by block of the vocabulary, on the CPU."""

import numpy as np

from numgpt.kernels.cpu_linear import add_product
from numgpt.kernels.memory import empty
from numgpt.kernels.threads import run_side_by_side

BLOCK = 4096  # tokens in a block at most
CHUNK = 131072  # elements that a pass works on at once, so that what it reads and writes stays in the cache
GROUPS = 4  # sums of dx that are added up in the end, the same ones however many threads there are


def tied_cross_entropy(x, weight, targets, ignore):
    """The mean of -log p[n, targets[n]] over the rows whose target is not `ignore`, p = softmax_V(x weight^T).

    x is (N, C), weight (V, C), targets (N,); at least one must count. Returns a float and what the gradient needs:
    for each block of the vocabulary e = exp(logits - m), (N, tokens), m being each row's largest logit there,
    and the factors, (N, 1), that turn e into p.
    """
    N, V = len(x), len(weight)
    spans = blocks(V)
    e = [None] * len(spans)
    m, total = np.empty((2, len(spans), N, 1), x.dtype)
    score = np.empty(N, x.dtype)

    def one_block(i):
        here = spans[i]
        e[i] = z = empty((N, here.stop - here.start), x.dtype)
        np.matmul(x, weight[here].T, out=z)
        rows = np.flatnonzero((targets >= here.start) & (targets < here.stop))
        score[rows] = z[rows, targets[rows] - here.start]
        for rows in row_slices(z):
            np.max(z[rows], -1, keepdims=True, out=m[i, rows])
            z[rows] -= m[i, rows]
            np.exp(z[rows], out=z[rows])
            np.sum(z[rows], -1, keepdims=True, out=total[i, rows])

    run_side_by_side(one_block, range(len(spans)))
    top = m.max(0)
    scale = np.exp(m - top)
    whole = (total * scale).sum(0)
    counted = targets != ignore
    nll = (top + np.log(whole))[counted, 0] - score[counted]
    return float(nll.mean(dtype=np.float64)), (e, scale / whole)


def tied_cross_entropy_backward(kept, x, weight, targets, ignore, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x, with dlogits = (p - [v = targets[n]]) / N, 0 where ignored.

    kept is what `tied_cross_entropy` returned; its blocks are written over and given up one by one.
    """
    e, factors = kept
    spans = blocks(len(weight))
    counted = targets != ignore
    factors *= counted[:, None] / counted.sum()
    factors = factors.astype(x.dtype, copy=False)
    groups = [range(first, len(spans), GROUPS) for first in range(min(GROUPS, len(spans)))]
    dx = [None] * len(groups)

    def one_group(g):
        for i in groups[g]:
            here, dlogits = spans[i], e[i]
            e[i] = None
            for rows in row_slices(dlogits):
                dlogits[rows] *= factors[i, rows]
            rows = np.flatnonzero((targets >= here.start) & (targets < here.stop))
            dlogits[rows, targets[rows] - here.start] -= 1 / counted.sum()
            add_product(dlogits.T, x, dweight[here])
            if dx[g] is None:
                dx[g] = dlogits @ weight[here]
            else:
                dx[g] += dlogits @ weight[here]

    run_side_by_side(one_group, range(len(groups)))
    return sum(dx[1:], start=dx[0])


def blocks(V):
    """Slices that cut V tokens into an even number of blocks, so that two cores have as much to do."""
    n = 1 if V <= BLOCK else 4 * -(-V // (4 * BLOCK))
    return [slice(V * i // n, V * (i + 1) // n) for i in range(n)]


def row_slices(x):
    """Slices of about CHUNK elements' worth of rows of a matrix."""
    step = max(1, CHUNK // x.shape[1])
    return [slice(start, start + step) for start in range(0, len(x), step)]
