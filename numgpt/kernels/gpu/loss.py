"""The tied head and the cross-entropy in one, on the GPU: the logits of all tokens in one array, written over twice."""

from typing import Any, NamedTuple

import cupy
import numpy as np

from numgpt.kernels.gpu.matmul import add_product, matmul

IGNORE = -1  # a target that does not count


class Exponentials(NamedTuple):
    """What `tied_cross_entropy` keeps: e = exp(logits - m), (N, V), m being each row's largest logit, and its sums."""

    x: Any
    targets: Any
    e: Any
    total: Any


def tied_cross_entropy(x, weight, targets):
    """The mean of -log p[n, targets[n]] over the rows whose target is not -1, p = softmax_V(x weight^T).

    x is (..., C), weight (V, C); targets, of x.shape[:-1], lies on the host, where ids are checked; one must count.
    """
    logits = matmul(x.reshape(-1, x.shape[-1]), weight.T)
    rows, columns = counted(targets)
    m = logits.max(-1, keepdims=True)
    score = logits[rows, columns] - m.reshape(-1)[rows]
    exp_in_place(logits, m)
    total = logits.sum(-1, keepdims=True)
    nll = cupy.log(total.reshape(-1)[rows]) - score
    return nll.sum(dtype=np.float64) / len(rows), Exponentials(x, targets, logits, total)


def tied_cross_entropy_backward(kept, weight, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x, with dlogits = (p - [v = targets[n]]) / N, 0 where ignored.

    What was kept is written over.
    """
    x, targets, dlogits, total = kept
    rows, columns = counted(targets)
    share = ((targets.reshape(-1) != IGNORE) / len(rows)).astype(x.dtype)
    dlogits *= cupy.asarray(share[:, None]) / total
    dlogits[rows, columns] -= 1 / len(rows)
    add_product(dweight, dlogits.T, x.reshape(-1, x.shape[-1]))
    return matmul(dlogits, weight).reshape(x.shape)


def counted(targets):
    """The places of the targets that count, in the order of all rows, and those targets, on the device."""
    targets = targets.reshape(-1)
    rows = np.flatnonzero(targets != IGNORE)
    return cupy.asarray(rows), cupy.asarray(targets[rows])


@cupy.fuse
def exp_in_place(z, m):
    """z = exp(z - m)."""
    cupy.exp(z - m, z)
