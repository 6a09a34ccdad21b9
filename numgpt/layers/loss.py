"""Softmax with cross-entropy: what training minimises, the model's mean surprise, in nats, at the tokens that came.

logits, dlogits are (..., V); targets is an int array of logits.shape[:-1]; N counts the targets that are not -1.

    p    = softmax_V(logits)
    loss = -1/N sum_n log p[n, targets[n]]
         =  1/N sum_n ( log sum_v exp(logits[n,v])  -  logits[n, targets[n]] )

The second form never takes the logarithm of a rounded probability, and subtracting each row's largest logit first,
which changes neither p nor the loss, keeps exp from overflowing.

Backward: the gradient of the logarithm of the sum is p, that of the target's own logit -1.

    dlogits[n,v] = (p[n,v] - [v = targets[n]]) / N         and 0 in rows whose target is -1

The gradient is the prediction minus what came; in each row it sums to 0.

In training, the output head and the loss are one step, so that a kernel need never hold all logits at once. x, dx are
(..., C); weight is the token embedding's (V, C) table; forward and backward are the two formulas in turn:

    logits = x @ weight^T            dweight += dlogits^T @ x            dx = dlogits @ weight
"""

from typing import Any, NamedTuple

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.embedding import Embedding, check_table, tied_head, tied_head_backward
from numgpt.layers.inputs import check_input, check_integers

IGNORE = -1  # a target that does not count


class Surprise(NamedTuple):
    """What `cross_entropy` keeps: log p, (N, V), for the places and targets that count."""

    log_p: Array
    shape: tuple[int, ...]
    places: tuple[Array, ...]
    targets: Array


@definition
def cross_entropy(logits, targets):
    """The loss, and what `cross_entropy_backward` needs. targets are on the host, where ids are checked."""
    counted = np.nonzero(targets != IGNORE)
    places = tuple(np.asarray(axis, like=logits) for axis in counted)
    targets = np.asarray(targets[counted], like=logits)
    z = logits[places]
    z = z - z.max(-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    loss = -log_p[np.arange(len(z), like=logits), targets].mean()
    return loss, Surprise(log_p, logits.shape, places, targets)


@definition
def cross_entropy_backward(kept):
    """dlogits."""
    log_p, shape, places, targets = kept
    N = len(log_p)
    error = np.exp(log_p)
    error[np.arange(N, like=log_p), targets] -= 1
    dlogits = np.zeros_like(log_p, shape=shape)
    dlogits[places] = error / N
    return dlogits


class TiedSurprise(NamedTuple):
    """What `tied_cross_entropy` keeps."""

    x: Array
    surprise: Surprise


@definition
def tied_cross_entropy(x, weight, targets):
    """The loss of the logits x weight^T, and what `tied_cross_entropy_backward` needs."""
    loss, surprise = cross_entropy(tied_head(x, weight), targets)
    return loss, TiedSurprise(x, surprise)


@definition
def tied_cross_entropy_backward(kept, weight, dweight):
    """dx; adds to dweight."""
    x, surprise = kept
    return tied_head_backward(cross_entropy_backward(surprise), x, weight, dweight)


class CrossEntropy(Layer):
    """The loss, from logits (..., V)."""

    def forward(self, logits: Array, targets: np.ndarray) -> float:
        """The loss. Raises InputError for targets that do not fit the logits, or if none counts."""
        check_input(logits, name="logits")
        targets = check_targets(targets, logits.shape[:-1], logits.shape[-1])
        loss, kept = cross_entropy(logits, targets)
        self.keep(kept)
        return real(loss)

    def backward(self) -> Array:
        """dlogits."""
        return cross_entropy_backward(self.take())


class TiedCrossEntropy(Layer):
    """The output head and the loss in one; its only parameters are those of `embedding`."""

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = check_table(embedding)

    def forward(self, x: Array, targets: np.ndarray) -> float:
        """The loss. Raises InputError for targets that do not fit x, or if none counts."""
        V, C = self.embedding.weight.shape
        check_input(x, C)
        targets = check_targets(targets, x.shape[:-1], V)
        loss, kept = tied_cross_entropy(x, self.embedding.weight, targets)
        self.keep(kept)
        return real(loss)

    def backward(self) -> Array:
        """dx."""
        return tied_cross_entropy_backward(self.take(), self.embedding.weight, self.embedding.dweight)


def real(loss):
    """The loss as a Python number, which waits for the GPU; complex only in the proof by the complex step."""
    return complex(loss) if loss.dtype.kind == "c" else float(loss)


def check_targets(targets: Any, shape: tuple[int, ...], V: int) -> np.ndarray:
    """`targets` as ints of that shape in [-1, V). Raises InputError for anything else, and if none counts."""
    if not shape:
        raise InputError("there must be an axis of positions: the loss takes one target for each")
    targets = check_integers(targets, "targets", IGNORE, V)
    if targets.shape != tuple(shape):
        raise InputError(
            f"targets have shape {quoted(targets.shape)}, where {quoted(tuple(shape))} are to be predicted"
        )
    if (targets == IGNORE).all():
        raise InputError("there is no target to learn from: every one is -1 (ignored)")
    return targets
