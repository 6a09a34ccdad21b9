"""Dropout (Srivastava et al. 2014), in the form that needs no change at inference."""

import numpy as np

from numgpt.layers.base import Layer


class Dropout(Layer):
    """While training, set each value to 0 with probability p and scale the rest by 1/(1-p); at inference do nothing.

    x, y, dy, dx have the same shape, any. m is 0 with probability p, else 1, drawn anew by every forward:

        y  = x * m / (1 - p)         so that the mean of y over the draws is x
        dx = dy * m / (1 - p)        with the very m of the forward

    `rng` is a numpy.random.Generator; all dropout layers of a model draw from one, so one seed fixes a run.
    """

    def __init__(self, p, rng):
        super().__init__()
        self.p = p
        self.rng = rng

    def forward(self, x):
        if not self.training or self.p == 0:
            self.keep(None)
            return x
        scale = 1 / (1 - self.p)
        mask = (self.rng.random(x.shape, dtype=np.float32) >= self.p).astype(x.dtype)
        mask *= scale
        self.keep(mask)
        return x * mask

    def backward(self, dy):
        (mask,) = self.take()
        return dy if mask is None else dy * mask
