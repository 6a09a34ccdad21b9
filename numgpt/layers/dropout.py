"""Dropout (Srivastava et al. 2014), in the form that needs no change at inference.

In training, each value becomes 0 with probability p and the others are scaled by 1/(1-p); at inference nothing happens.
x, y, dy, dx may have any shape, the same for all. m is 0 with probability p, else 1 / (1 - p), drawn anew each time:

    y  = x * m           so that the mean of y over the draws is x
    dx = dy * m          with the very m of the forward
"""

import math

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input
from numgpt.numbers import check_number


@definition
def drop(x, dropped, p):
    """y = x m, where m is 0 if `dropped`, else 1 / (1 - p); x itself if `dropped` is None."""
    return x if dropped is None else np.where(dropped, 0, x / (1 - p))


@definition
def draw_dropped(rng, shape, p, like):
    """Where m is 0: True with probability p, rounded to 1/65536, independently for each element, on `like`'s device.

    Two random bytes per element are compared with p: drawing a float for each would take four times as long.
    """
    size = math.prod(shape)
    words = rng.integers(0, 2**64 - 1, -(-size // 4), dtype=np.uint64, endpoint=True)
    return np.asarray((words.view(np.uint16)[:size] < round(p * 65536)).reshape(shape), like=like)


class Dropout(Layer):
    """The layer; p is in [0, 1). All dropout layers of a model draw from one `rng`, so that one seed fixes a run."""

    def __init__(self, p: float, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.p = check_number(p, "the probability of dropping", low=0, below=1)
        if rng is not None and not isinstance(rng, np.random.Generator):
            raise InputError(f"rng must be a numpy.random.Generator, not {quoted(rng)}")
        self.rng = rng or np.random.default_rng(0)

    def forward(self, x: Array) -> Array:
        check_input(x)
        dropped = self.draw(x.shape, x)
        self.keep(dropped)
        return drop(x, dropped, self.p)

    def backward(self, dy: Array) -> Array:
        return drop(dy, self.take(), self.p)

    def draw(self, shape: tuple[int, ...], like: Array) -> Array | None:
        """The result of `draw_dropped`, or None if nothing is dropped."""
        return draw_dropped(self.rng, shape, self.p, like) if self.training and self.p else None
