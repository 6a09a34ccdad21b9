"""Exercise 5: the backward pass of layer normalisation.

    mu   = mean_C(x)            rstd = 1 / sqrt(mean_C((x - mu)^2) + eps)
    xhat = (x - mu) * rstd      y    = xhat * weight + bias

x and y are (..., C), weight and bias (C,). Given dy, find dx, dweight and dbias.

Hint: g = dy * weight is the gradient at xhat. If mu and rstd were constants, dx would be rstd * g. They are not
constants. Shifting all of x, or stretching all of x, does not change xhat. So the parts of g in these two directions
must be removed.

The bug that people make: they subtract mean(g) twice, or not at all. The loss still falls, which hides the bug.
https://github.com/tenstorrent/tt-metal/issues/53204

    numgpt gradcheck docs/exercises/05_layernorm.py
"""

import numpy as np

import numgpt
from numgpt.layers.layernorm import layernorm


def layernorm_backward(dy, xhat, rstd, weight, dweight, dbias):
    """dx; adds to dweight and dbias, in place. xhat is (..., C), rstd (..., 1)."""
    raise NotImplementedError("dx, dweight and dbias")


class LayerNorm:
    def __init__(self, C):
        self.weight, self.dweight = np.ones(C), np.zeros(C)
        self.bias, self.dbias = np.zeros(C), np.zeros(C)

    def forward(self, x):
        y, self.kept = layernorm(x, self.weight, self.bias, 1e-5)
        return y

    def backward(self, dy):
        return layernorm_backward(dy, self.kept.xhat, self.kept.rstd, self.weight, self.dweight, self.dbias)


def check():
    return numgpt.check_layer(LayerNorm(5), np.random.default_rng(0).standard_normal((2, 3, 5)))
