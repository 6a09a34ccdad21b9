"""Label smoothing at the price of the plain loss, on the CPU.

The even part of q is the same for all tokens, so that it can be summed over V before anything is multiplied. With
w = mean_v weight[v], whose score x . w is the mean of a row's logits:

    loss       = nll + e mean_n( x[n] . (weight[targets[n]] - w) )
    dlogits    = p / N - (1 - e) [v = targets[n]] / N - e / (V N)      the first two by loss.py, the last as
    dx[n]     -= e / N w                               dweight[v] -= e / (V N) sum_n x[n]
"""

from typing import Any, NamedTuple

import numpy as np

from numgpt.kernels.cpu.loss import IGNORE, Exponentials, backward_with_share, tied_cross_entropy
from numgpt.kernels.cpu.products import rows_of


class Smoothed(NamedTuple):
    """What `smoothed_cross_entropy` keeps."""

    x: Any
    exponentials: Exponentials
    smoothing: float


def smoothed_cross_entropy(x, weight, targets, smoothing):
    """The mean of -sum_v q[n,v] log p[n,v] over the rows whose target is not -1."""
    nll, exponentials = tied_cross_entropy(x, weight, targets)
    counted = targets != IGNORE
    favour = np.vecdot(x[counted], weight[targets[counted]] - weight.mean(0))
    return nll + smoothing * favour.mean(dtype=np.float64), Smoothed(x, exponentials, smoothing)


def smoothed_cross_entropy_backward(kept, weight, dweight):
    """dx; adds to dweight. What was kept is written over."""
    x, exponentials, smoothing = kept
    counted = exponentials.targets.reshape(-1) != IGNORE
    N, V = int(counted.sum()), len(weight)
    dx = backward_with_share(exponentials, weight, dweight, 1 - smoothing)
    rows_of(dx)[counted] -= smoothing / N * weight.mean(0)
    dweight -= smoothing / (V * N) * rows_of(x)[counted].sum(0)
    return dx
