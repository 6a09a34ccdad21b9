"""The table that turns ids into vectors, and the same table read backwards as the output head."""

from numgpt.backend import array_module
from numgpt.kernels import product, scatter_add
from numgpt.layers.base import Layer, draw_normal


class Embedding(Layer):
    """Look up one row of a table per id: the tokens' table and the positions' table are both this.

    ids is an int array of any shape, each in [0, N); weight is (N, C); y, dy are ids.shape + (C,).

        y[..., :] = weight[ids[...], :]

    Backward: a row was copied to every place where its id stands, so it collects the gradient of them all.
    (A look-up is x @ weight with one-hot rows x, and this is dweight = x^T @ dy without the zeros.)

        dweight[i, :] += sum over the places where ids = i of dy[..., :]

    Ids are not differentiable: backward returns nothing.
    """

    def __init__(self, n, n_embd):
        super().__init__()
        self.parameter("weight", n, n_embd)

    def initialise(self, rng):
        draw_normal(rng, self.weight, 0.02)

    def forward(self, ids):
        ids = array_module(self.weight).asarray(ids)
        self.keep(ids)
        return self.weight[ids]

    def backward(self, dy):
        (ids,) = self.take()
        scatter_add(self.dweight, ids, dy)


class TiedHead(Layer):
    """Score every token by the dot product of its embedding with the final state (Press and Wolf 2017).

    x, dx are (..., C); logits, dlogits are (..., V); weight is the token embedding's own (V, C) table.

        logits[n,v] = sum_c x[n,c] weight[v,c]                 logits = x @ weight^T

    Backward: the table is used twice in a model, at the bottom as a look-up and here, so its gradient is
    the sum of both; each adds to the same `dweight`, and nothing else is needed.

        dweight[v,c] += sum_n dlogits[n,v] x[n,c]              dweight += dlogits^T @ x
        dx[n,c]       = sum_v dlogits[n,v] weight[v,c]         dx       = dlogits @ weight
    """

    def __init__(self, embedding):
        super().__init__()
        self._embedding = embedding  # the underscore keeps the shared table from being listed twice

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1])
        self.keep(rows)
        return product(rows, self._embedding.weight.T).reshape(*x.shape[:-1], -1)

    def backward(self, dlogits):
        (rows,) = self.take()
        dlogits_rows = dlogits.reshape(-1, dlogits.shape[-1])
        self._embedding.dweight += product(dlogits_rows.T, rows)
        return product(dlogits_rows, self._embedding.weight).reshape(*dlogits.shape[:-1], -1)
