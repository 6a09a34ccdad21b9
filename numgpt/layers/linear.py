"""The affine map that attention and the feed-forward network are made of: multiply by a matrix, add a bias.

x, dx are (..., n_in); y, dy are (..., n_out); weight is (n_in, n_out), as in GPT-2's files; bias is (n_out,). The map
is the same at every position; n runs over all positions.

    y[n,o] = sum_i x[n,i] weight[i,o] + bias[o]            y = x @ weight + bias

Backward: weight[i,o] carries x[n,i] to y[n,o] in every row n, so its gradient sums over the rows; x[n,i] reaches every
y[n,o], so its gradient sums over the outputs.

    dweight[i,o] = sum_n x[n,i] dy[n,o]                    dweight = x^T @ dy
    dbias[o]     = sum_n dy[n,o]                           dbias   = sum_n dy
    dx[n,i]      = sum_o dy[n,o] weight[i,o]               dx      = dy @ weight^T
"""

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer, draw_normal
from numgpt.layers.inputs import check_input
from numgpt.numbers import check_size


@definition
def linear(x, weight, bias):
    """y."""
    return x @ weight + bias


@definition
def linear_backward(dy, x, weight, dweight, dbias):
    """dx; adds to dweight and dbias."""
    rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    dweight += rows.T @ dy_rows
    dbias += dy_rows.sum(0)
    return dy @ weight.T


class Linear(Layer):
    """The affine map of the last axis. Its parameters are `weight`, (n_in, n_out), and `bias`, (n_out,).

    Weights are drawn from N(0, 0.02^2), biases start at 0 (Radford et al. 2018, section 4.1); for seed see `Layer`.
    """

    weight: Array  # (n_in, n_out)
    dweight: Array
    bias: Array  # (n_out,)
    dbias: Array

    def __init__(self, n_in: int, n_out: int, seed: int | None = 0) -> None:
        super().__init__()
        n_in, n_out = check_size(n_in, "n_in"), check_size(n_out, "n_out")
        self.parameter("weight", n_in, n_out)
        self.parameter("bias", n_out)
        self.start(seed)

    def initialise(self, rng: np.random.Generator) -> None:
        draw_normal(rng, self.weight, 0.02)
        self.bias[...] = 0

    def forward(self, x: Array) -> Array:
        check_input(x, len(self.weight))
        self.keep(x)
        return linear(x, self.weight, self.bias)

    def backward(self, dy: Array) -> Array:
        return linear_backward(dy, self.take(), self.weight, self.dweight, self.dbias)
