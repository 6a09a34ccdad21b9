"""The tied head and the cross-entropy in one, block by block of the vocabulary, on the CPU."""

from typing import Any, NamedTuple

import numpy as np

from numgpt.kernels.cpu.memory import empty
from numgpt.kernels.cpu.products import add_product, rows_of
from numgpt.kernels.cpu.threads import run_side_by_side

IGNORE = -1  # a target that does not count
BLOCK = 4096  # tokens in a block at most
CHUNK = 131072  # elements that a pass works on at once, so that what it reads and writes stays in the cache
GROUPS = 4  # sums of dx that are added up in the end, the same ones however many threads there are


class Exponentials(NamedTuple):
    """What `tied_cross_entropy` keeps.

    e[i] = exp(logits - m) for the i-th block of the vocabulary, (N, tokens), m being each row's largest logit there;
    factors[i], (N, 1), turn e[i] into p.
    """

    x: Any
    targets: Any
    e: list
    factors: Any


def tied_cross_entropy(x, weight, targets):
    """The mean of -log p[n, targets[n]] over the rows whose target is not -1, p = softmax_V(x weight^T).

    x is (..., C), weight (V, C), targets int of x.shape[:-1], of which at least one must count. A block's exponentials
    are taken at once, less its own largest logit; the blocks' sums put together give each row's log-sum-exp.
    """
    rows, columns = rows_of(x), targets.reshape(-1)
    N, V = len(rows), len(weight)
    spans = blocks(V)
    e: list = [None] * len(spans)
    m, total = np.empty((2, len(spans), N, 1), x.dtype)
    score = np.empty(N, x.dtype)

    def one_block(i):
        here = spans[i]
        e[i] = z = empty((N, here.stop - here.start), x.dtype)
        np.matmul(rows, weight[here].T, out=z)
        there = np.flatnonzero((columns >= here.start) & (columns < here.stop))
        score[there] = z[there, columns[there] - here.start]
        for some in row_slices(z):
            np.max(z[some], -1, keepdims=True, out=m[i, some])
            z[some] -= m[i, some]
            np.exp(z[some], out=z[some])
            np.sum(z[some], -1, keepdims=True, out=total[i, some])

    run_side_by_side(one_block, range(len(spans)))
    top = m.max(0)
    scale = np.exp(m - top)
    whole = (total * scale).sum(0)
    counted = columns != IGNORE
    nll = (top + np.log(whole))[counted, 0] - score[counted]
    return nll.mean(dtype=np.float64), Exponentials(x, targets, e, scale / whole)


def tied_cross_entropy_backward(kept, weight, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x, with dlogits = (p - [v = targets[n]]) / N, 0 where ignored.

    What was kept is written over, and its blocks are given up one by one.
    """
    return backward_with_share(kept, weight, dweight, 1)


def backward_with_share(kept, weight, dweight, share):
    """`tied_cross_entropy_backward` with dlogits = (p - share [v = targets[n]]) / N; smoothed labels' is below 1."""
    x, targets, e, factors = kept
    rows, columns = rows_of(x), targets.reshape(-1)
    spans = blocks(len(weight))
    counted = columns != IGNORE
    factors *= counted[:, None] / counted.sum()
    groups = [range(first, len(spans), GROUPS) for first in range(min(GROUPS, len(spans)))]
    dx: list = [None] * len(groups)

    def one_group(g):
        for i in groups[g]:
            here, dlogits = spans[i], e[i]
            e[i] = None
            for some in row_slices(dlogits):
                dlogits[some] *= factors[i, some]
            there = np.flatnonzero((columns >= here.start) & (columns < here.stop))
            dlogits[there, columns[there] - here.start] -= share / counted.sum()
            add_product(dlogits.T, rows, dweight[here])
            if dx[g] is None:
                dx[g] = dlogits @ weight[here]
            else:
                dx[g] += dlogits @ weight[here]

    run_side_by_side(one_group, range(len(groups)))
    return sum(dx[1:], start=dx[0]).reshape(x.shape)


def blocks(V):
    """Slices that cut V tokens into an even number of blocks, so that two cores have as much to do."""
    n = 1 if V <= BLOCK else 4 * -(-V // (4 * BLOCK))
    return [slice(V * i // n, V * (i + 1) // n) for i in range(n)]


def row_slices(x):
    """Slices of about CHUNK elements' worth of rows of a matrix."""
    step = max(1, CHUNK // x.shape[1])
    return [slice(start, start + step) for start in range(0, len(x), step)]
