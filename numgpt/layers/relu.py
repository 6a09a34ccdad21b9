"""The rectified linear unit, which the first transformers had in GELU's place (Vaswani et al. 2017, section 3.3)."""

import numpy as np

from numgpt.layers.base import Layer


class ReLU(Layer):
    """Let positive values pass and stop the others.

    x, y, dy, dx have the same shape, any.

        y  = max(x, 0)
        dx = dy where x > 0, else 0

    At x = 0 there is no derivative; 0 is taken, as everyone does.
    """

    def forward(self, x):
        self.keep(x > 0)
        return np.maximum(x, 0)

    def backward(self, dy):
        (positive,) = self.take()
        return dy * positive
