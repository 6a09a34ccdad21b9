"""Layer normalisation (Ba, Kiros and Hinton 2016, section 3): mean 0 and variance 1, then scale and shift.

x, y, dy, dx are (..., C); weight, bias are (C,); rstd, one over the standard deviation, is (..., 1).

    mu   = mean_C(x)             rstd = 1 / sqrt(mean_C((x - mu)^2) + eps)
    xhat = (x - mu) * rstd       y    = xhat * weight + bias

Backward, where g = dy * weight is the gradient at xhat, and sums run over all positions:

    dbias = sum(dy)              dweight = sum(dy * xhat)
    dx    = rstd * (g - mean_C(g) - xhat * mean_C(g * xhat))

To derive dx: xhat_i depends on x_j directly, through mu and through rstd,

    d xhat_i / d x_j = rstd * ( [i = j] - 1/C - xhat_i xhat_j / C )

and dx_j is the sum over i of g_i times that. The two means remove from g the part that would shift or stretch x, which
the layer undoes. eps is part of rstd, so the formula is exact with it.
"""

from typing import NamedTuple

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input
from numgpt.numbers import check_number, check_size


class Normalised(NamedTuple):
    """What `layernorm` keeps."""

    xhat: Array
    rstd: Array


@definition
def layernorm(x, weight, bias, eps):
    """y, and what `layernorm_backward` needs."""
    mu = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mu) ** 2).mean(-1, keepdims=True) + eps)
    xhat = (x - mu) * rstd
    return xhat * weight + bias, Normalised(xhat, rstd)


@definition
def layernorm_backward(dy, kept, weight, dweight, dbias):
    """dx; adds to dweight and dbias."""
    xhat, rstd = kept
    positions = tuple(range(dy.ndim - 1))
    dweight += (dy * xhat).sum(positions)
    dbias += dy.sum(positions)
    g = dy * weight
    return rstd * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))


class LayerNorm(Layer):
    """LayerNorm over the last axis. Its parameters `weight` and `bias`, (n_embd,), start at 1 and 0; eps is above 0."""

    weight: Array  # (C,)
    dweight: Array
    bias: Array  # (C,)
    dbias: Array

    def __init__(self, n_embd: int, eps: float = 1e-5, seed: int | None = 0) -> None:
        super().__init__()
        C = check_size(n_embd, "n_embd")
        eps = check_number(eps, "eps", above=0)
        self.eps = eps
        self.parameter("weight", C)
        self.parameter("bias", C)
        self.start(seed)

    def initialise(self, rng: np.random.Generator) -> None:
        self.weight[...] = 1
        self.bias[...] = 0

    def forward(self, x: Array) -> Array:
        check_input(x, len(self.weight))
        y, kept = layernorm(x, self.weight, self.bias, self.eps)
        self.keep(kept)
        return y

    def backward(self, dy: Array) -> Array:
        return layernorm_backward(dy, self.take(), self.weight, self.dweight, self.dbias)
