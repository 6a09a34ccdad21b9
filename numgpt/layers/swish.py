"""The sigmoid-weighted linear unit, or swish (Ramachandran, Zoph and Le 2017): x times a gate, a sigmoid of x.

x, y, dy, dx may have any shape, the same for all. beta is 1 in what configurations call "silu" or "swish", and 1.702 in
"quick_gelu", where the sigmoid approximates the Gaussian probability in GELU (Hendrycks and Gimpel 2016, section 2).

    g  = 1 / (1 + exp(-beta x))
    y  = x g

Backward, by the product rule, with dg/dx = beta g (1 - g):

    dx = dy * ( g + beta x g (1 - g) )
"""

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input
from numgpt.numbers import check_number


@definition
def sigmoid(x):
    """1 / (1 + exp(-x)), by tanh, which cannot overflow."""
    return (1 + np.tanh(x / 2)) / 2


@definition
def swish(x, beta):
    """y."""
    return x * sigmoid(beta * x)


@definition
def swish_backward(dy, x, beta):
    """dx."""
    g = sigmoid(beta * x)
    return dy * (g + beta * x * g * (1 - g))


class Swish(Layer):
    """x sigmoid(beta x), on arrays of any shape; it has no parameters."""

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = check_number(beta, "beta")

    def forward(self, x: Array) -> Array:
        check_input(x)
        self.keep(x)
        return swish(x, self.beta)

    def backward(self, dy: Array) -> Array:
        return swish_backward(dy, self.take(), self.beta)
