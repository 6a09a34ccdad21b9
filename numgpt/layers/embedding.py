"""The table that turns ids into vectors, and the same table read backwards as the output head.

The layer looks up one row of the table per id; a model has one for tokens and one for positions. ids is an int array of
any shape, each in [0, N); weight is (N, C); y, dy are ids.shape + (C,).

    y[..., :] = weight[ids[...], :]

Backward: a row was copied to every place where its id occurs, so it collects the gradient of all of them. (A look-up is
x @ weight with one-hot rows x, and this is dweight = x^T @ dy without the zeros.) Ids have no gradient.

    dweight[i, :] += sum over the places where ids = i of dy[..., :]

The output head scores every token by the dot product of its embedding with the final state (Press and Wolf 2017).
x, dx are (..., C); logits, dlogits are (..., V); weight is the token embedding's own (V, C) table.

    logits[n,v] = sum_c x[n,c] weight[v,c]                 logits = x @ weight^T

Backward: a model uses the table twice, at the bottom as a look-up and here, so its gradient is the sum of both; each
use adds to the same `dweight`, and nothing else is needed.

    dweight[v,c] += sum_n dlogits[n,v] x[n,c]              dweight += dlogits^T @ x
    dx[n,c]       = sum_v dlogits[n,v] weight[v,c]         dx       = dlogits @ weight
"""

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer, draw_normal
from numgpt.layers.inputs import check_input, check_integers
from numgpt.numbers import check_size


@definition
def embedding(weight, ids):
    """y."""
    return weight[ids]


@definition
def embedding_backward(dy, ids, dweight):
    """Adds to dweight. (`dweight[ids] += dy` would add only the last of the rows that have equal ids.)"""
    for i, row in zip(ids.reshape(-1), dy.reshape(-1, dy.shape[-1]), strict=True):
        dweight[i] += row


@definition
def tied_head(x, weight):
    """logits."""
    return x @ weight.T


@definition
def tied_head_backward(dlogits, x, weight, dweight):
    """dx; adds to dweight."""
    dweight += dlogits.reshape(-1, dlogits.shape[-1]).T @ x.reshape(-1, x.shape[-1])
    return dlogits @ weight


class Embedding(Layer):
    """The look-up. Its parameter `weight`, (n, n_embd), is drawn from N(0, 0.02^2)."""

    weight: Array  # (N, C)
    dweight: Array

    def __init__(self, n: int, n_embd: int, seed: int | None = 0) -> None:
        super().__init__()
        self.parameter("weight", check_size(n, "n"), check_size(n_embd, "n_embd"))
        self.start(seed)

    def initialise(self, rng: np.random.Generator) -> None:
        draw_normal(rng, self.weight, 0.02)

    def forward(self, ids: Array) -> Array:
        ids = np.asarray(check_integers(ids, "ids", 0, len(self.weight)), like=self.weight)
        self.keep(ids)
        return embedding(self.weight, ids)

    def backward(self, dy: Array) -> None:
        embedding_backward(dy, self.take(), self.dweight)


class TiedHead(Layer):
    """The output head; its only parameters are those of `embedding`."""

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = check_table(embedding)

    def forward(self, x: Array) -> Array:
        check_input(x, self.embedding.weight.shape[1])
        self.keep(x)
        return tied_head(x, self.embedding.weight)

    def backward(self, dlogits: Array) -> Array:
        return tied_head_backward(dlogits, self.take(), self.embedding.weight, self.embedding.dweight)


def check_table(embedding: Embedding) -> Embedding:
    """`embedding` itself. Raises InputError unless it is an Embedding."""
    if not isinstance(embedding, Embedding):
        raise InputError(f"the head reads the table of an Embedding, not {quoted(embedding)}")
    return embedding
