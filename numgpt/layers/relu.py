"""The rectified linear unit, which the first Transformer had in place of GELU (Vaswani et al. 2017, section 3.3).

Positive values pass, others become 0. x, y, dy, dx may have any shape, the same for all.

    y  = max(x, 0)
    dx = dy where x > 0, else 0

At x = 0 there is no derivative; 0 is used, by convention.
"""

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input


@definition
def relu(x):
    """y."""
    return np.maximum(x, 0)


@definition
def relu_backward(dy, x):
    """dx."""
    return dy * (x > 0)


class ReLU(Layer):
    """max(x, 0), on arrays of any shape; it has no parameters."""

    def forward(self, x: Array) -> Array:
        check_input(x)
        self.keep(x)
        return relu(x)

    def backward(self, dy: Array) -> Array:
        return relu_backward(dy, self.take())
