"""Cross-entropy with label smoothing (Szegedy et al. 2016, section 7; Vaswani et al. 2017, section 5.4).

A model trained to be certain makes its logits ever larger. Here a share e of the probability is spread over all V
tokens: the model learns q[n,v] = (1 - e) [v = targets[n]] + e/V instead of the target alone. x is (..., C), weight
(V, C) the token embedding's table, targets ints of x.shape[:-1], of which N are not -1; sums over n run over these.

    logits = x @ weight^T            log p = logits - log sum_v exp(logits)
    loss   = -1/N sum_n sum_v q[n,v] log p[n,v]
           = -1/N sum_n ( (1 - e) log p[n, targets[n]]  +  e mean_v log p[n,v] )

Backward: since sum_v q = 1, the gradient of the logarithm of the sum is p, as without smoothing; each logit adds -q.

    dlogits = (p - q) / N            and 0 in rows whose target is -1
    dweight += dlogits^T @ x         dx = dlogits @ weight

The smallest loss is no longer 0 but the entropy of q, at p = q; with e = 0 this is the cross-entropy of loss.py.
"""

from typing import NamedTuple

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.embedding import Embedding, check_table, tied_head, tied_head_backward
from numgpt.layers.inputs import check_input
from numgpt.layers.loss import Surprise, check_targets, cross_entropy, cross_entropy_backward, real
from numgpt.numbers import check_number


class Smoothed(NamedTuple):
    """What `smoothed_cross_entropy` keeps."""

    x: Array
    surprise: Surprise
    smoothing: float


@definition
def smoothed_cross_entropy(x, weight, targets, smoothing):
    """The loss, and what `smoothed_cross_entropy_backward` needs. targets are on the host."""
    nll, surprise = cross_entropy(tied_head(x, weight), targets)
    loss = (1 - smoothing) * nll - smoothing * surprise.log_p.mean(-1).mean()
    return loss, Smoothed(x, surprise, smoothing)


@definition
def smoothed_cross_entropy_backward(kept, weight, dweight):
    """dx; adds to dweight."""
    x, surprise, smoothing = kept
    N, V = surprise.log_p.shape
    dlogits = cross_entropy_backward(surprise)  # (p - [v = targets]) / N; q spreads a share of it
    dlogits[surprise.places] -= smoothing / (V * N)
    dlogits[(*surprise.places, surprise.targets)] += smoothing / N
    return tied_head_backward(dlogits, x, weight, dweight)


class SmoothedCrossEntropy(Layer):
    """The output head and the loss in one; its only parameters are those of `embedding`."""

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = check_table(embedding)

    def forward(self, x: Array, targets: np.ndarray, smoothing: float = 0.1) -> float:
        """The loss. Raises InputError as `TiedCrossEntropy` does, and for a smoothing not in [0, 1]."""
        V, C = self.embedding.weight.shape
        check_input(x, C)
        smoothing = check_number(smoothing, "smoothing", low=0, high=1)
        targets = check_targets(targets, x.shape[:-1], V)
        loss, kept = smoothed_cross_entropy(x, self.embedding.weight, targets, smoothing)
        self.keep(kept)
        return real(loss)

    def backward(self) -> Array:
        """dx."""
        return smoothed_cross_entropy_backward(self.take(), self.embedding.weight, self.embedding.dweight)
