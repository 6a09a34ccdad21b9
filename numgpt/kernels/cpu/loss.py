"""The tied head and the cross-entropy in one, block by block of the vocabulary, on the CPU."""

from typing import Any, NamedTuple

import numpy as np

from numgpt.kernels.cpu.chunks import cut
from numgpt.kernels.cpu.memory import empty
from numgpt.kernels.cpu.products import added_product, rows_of
from numgpt.kernels.cpu.threads import equal_parts, run_side_by_side

IGNORE = -1  # a target that does not count
BLOCK = 4096  # tokens in a block at most
CHUNK = 131072  # elements that a pass works on at once, so that what it reads and writes stays in the cache
AGAIN = 4  # of so many blocks one is not kept but made again: 124M at T = 1024 takes 51 MB less and 1% more time
GROUPS = 4  # sums of dx that are added up in the end, the same ones however many threads there are


class Exponentials(NamedTuple):
    """What `tied_cross_entropy` keeps.

    e[i] = exp(logits - m[i]) for the i-th block of the vocabulary, (N, tokens), m[i], (N, 1), being each row's largest
    logit there, or None, see AGAIN; factors[i], (N, 1), turn e[i] into p.
    """

    x: Any
    targets: Any
    e: list
    m: Any
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
        z = product(rows, weight[here].T)
        there = np.flatnonzero((columns >= here.start) & (columns < here.stop))
        score[there] = z[there, columns[there] - here.start]
        for some in row_slices(z):
            np.max(z[some], -1, keepdims=True, out=m[i, some])
            z[some] -= m[i, some]
            np.exp(z[some], out=z[some])
            np.sum(z[some], -1, keepdims=True, out=total[i, some])
        if i % AGAIN != AGAIN - 1:
            e[i] = z

    run_side_by_side(one_block, range(len(spans)))
    top = m.max(0)
    scale = np.exp(m - top)
    whole = (total * scale).sum(0)
    counted = columns != IGNORE
    nll = (top + np.log(whole))[counted, 0] - score[counted]
    return nll.mean(dtype=np.float64), Exponentials(x, targets, e, m, scale / whole)


def tied_cross_entropy_backward(kept, weight, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x, with dlogits = (p - [v = targets[n]]) / N, 0 where ignored.

    What was kept is written over, and its blocks are given up one by one.
    """
    return backward_with_share(kept, weight, dweight, 1)


def backward_with_share(kept, weight, dweight, share):
    """`tied_cross_entropy_backward` with dlogits = (p - share [v = targets[n]]) / N; smoothed labels' is below 1."""
    x, targets, e, m, factors = kept
    rows, columns = rows_of(x), targets.reshape(-1)
    spans = blocks(len(weight))
    counted = columns != IGNORE
    factors *= counted[:, None] / counted.sum()
    groups = [range(first, len(spans), GROUPS) for first in range(min(GROUPS, len(spans)))]
    dx: list = [None] * len(groups)

    def one_group(g):
        for i in groups[g]:
            here = spans[i]
            dlogits = exponentials(rows, weight[here], m[i]) if e[i] is None else e[i]
            e[i] = None
            for some in row_slices(dlogits):
                dlogits[some] *= factors[i, some]
            there = np.flatnonzero((columns >= here.start) & (columns < here.stop))
            dlogits[there, columns[there] - here.start] -= share / counted.sum()
            for add, *piece in added_product(dlogits.T, rows, dweight[here]):
                add(*piece)
            part = product(dlogits, weight[here])
            dx[g] = part if dx[g] is None else np.add(dx[g], part, out=part)

    run_side_by_side(one_group, range(len(groups)))
    return sum(dx[1:], start=dx[0]).reshape(x.shape)


def exponentials(rows, weight, m):
    """e of a block, as `tied_cross_entropy` makes it."""
    z = product(rows, weight.T)
    for some in row_slices(z):
        z[some] -= m[some]
        np.exp(z[some], out=z[some])
    return z


def product(a, b):
    """a @ b, in used memory where there is some."""
    return np.matmul(a, b, out=empty((len(a), b.shape[1]), a.dtype))


def blocks(V):
    """Slices that cut V tokens into an even number of blocks, so that two cores have as much to do."""
    n = 1 if V <= BLOCK else 4 * -(-V // (4 * BLOCK))
    return equal_parts(V, n)


def row_slices(x):
    """Slices of about CHUNK elements' worth of rows of a matrix."""
    return cut(len(x), max(1, CHUNK // x.shape[1]))
