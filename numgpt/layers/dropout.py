"""Dropout (Srivastava et al. 2014), in the form that needs no change at inference."""

from numgpt.kernels import draw_dropped, drop
from numgpt.layers.base import Layer


class Dropout(Layer):
    """While training, set each value to 0 with probability p and scale the rest by 1/(1-p); at inference do nothing.

    x, y, dy, dx have the same shape, any. m is 0 with probability p, else 1 / (1 - p), drawn anew by every forward:

        y  = x * m           so that the mean of y over the draws is x
        dx = dy * m          with the very m of the forward

    `rng` is a numpy.random.Generator; all dropout layers of a model draw from one, so one seed fixes a run.
    """

    def __init__(self, p, rng):
        super().__init__()
        self.p = p
        self.rng = rng

    def forward(self, x):
        dropped = self.dropped(x.shape, x)
        self.keep(dropped)
        return x if dropped is None else drop(x, dropped, 1 - self.p)

    def backward(self, dy):
        (dropped,) = self.take()
        return dy if dropped is None else drop(dy, dropped, 1 - self.p)

    def dropped(self, shape, like):
        """Where m is 0, as bools of the given shape, where `like` lies; None when nothing is dropped."""
        return draw_dropped(self.rng, shape, self.p, like) if self.training and self.p else None
