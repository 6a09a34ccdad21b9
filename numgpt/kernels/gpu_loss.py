"""The tied head and the cross-entropy in one, on the GPU: the logits of all tokens in one array, written over twice."""

import cupy
import numpy as np

from numgpt.kernels.gpu_matmul import add_product, matmul


def tied_cross_entropy(x, weight, targets, ignore):
    """The mean of -log p[n, targets[n]] over the rows whose target is not `ignore`, p = softmax_V(x weight^T).

    x is (N, C), weight (V, C); targets, (N,), lies on the host, where ids are checked; at least one must count.
    Returns a float, for which it waits until the GPU is there, and what the gradient needs: e = exp(logits - m),
    (N, V), m being each row's largest logit, and its sums, (N, 1).
    """
    logits = matmul(x, weight.T)
    rows, columns = counted(targets, ignore)
    m = logits.max(-1, keepdims=True)
    score = logits[rows, columns] - m.reshape(-1)[rows]
    exp_in_place(logits, m)
    total = logits.sum(-1, keepdims=True)
    nll = cupy.log(total.reshape(-1)[rows]) - score
    return float(nll.sum(dtype=np.float64)) / len(rows), (logits, total)


def tied_cross_entropy_backward(kept, x, weight, targets, ignore, dweight):
    """dx = dlogits weight; adds dweight += dlogits^T x, with dlogits = (p - [v = targets[n]]) / N, 0 where ignored.

    kept is what `tied_cross_entropy` returned; it is written over.
    """
    dlogits, total = kept
    rows, columns = counted(targets, ignore)
    share = ((targets != ignore) / len(rows)).astype(x.dtype)
    dlogits *= cupy.asarray(share[:, None]) / total
    dlogits[rows, columns] -= 1 / len(rows)
    add_product(dweight, dlogits.T, x)
    return matmul(dlogits, weight)


def counted(targets, ignore):
    """The places of the targets that are not `ignore`, and those targets, on the device."""
    rows = np.flatnonzero(targets != ignore)
    return cupy.asarray(rows), cupy.asarray(targets[rows])


@cupy.fuse
def exp_in_place(z, m):
    """z = exp(z - m)."""
    cupy.exp(z - m, z)
