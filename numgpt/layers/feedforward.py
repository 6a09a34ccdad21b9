"""The position-wise feed-forward network (Vaswani et al. 2017, section 3.3): linear, activation, linear.

x, y, dy, dx are (B, T, C); inside, the width is n_inner, 4C unless another is given. Positions are computed
independently.

    y  = dropout( act( x @ W_fc + b_fc ) @ W_proj + b_proj )

Backward is the chain rule, one layer after the other from the last to the first:

    dx = fc.backward( act.backward( proj.backward( dropout.backward(dy) ) ) )
"""

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.layers.base import Array, Layer
from numgpt.layers.dropout import Dropout
from numgpt.layers.gelu import GELU
from numgpt.layers.linear import Linear
from numgpt.numbers import check_size


class FeedForward(Layer):
    """The network, on (..., n_embd). act: GELU unless another activation layer, such as ReLU(), is given."""

    def __init__(
        self,
        n_embd: int,
        p_drop: float = 0.0,
        rng: np.random.Generator | None = None,
        act: Layer | None = None,
        n_inner: int | None = None,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        n_embd = check_size(n_embd, "n_embd")
        n_inner = 4 * n_embd if n_inner is None else check_size(n_inner, "n_inner")
        if act is not None and not isinstance(act, Layer):
            raise InputError(f"act must be an activation layer, such as ReLU(), not {quoted(act)}")
        self.c_fc = Linear(n_embd, n_inner, seed=None)
        self.act = act or GELU()
        self.c_proj = Linear(n_inner, n_embd, seed=None)
        self.drop = Dropout(p_drop, rng)
        self.start(seed)

    def forward(self, x: Array) -> Array:
        return self.drop.forward(self.c_proj.forward(self.act.forward(self.c_fc.forward(x))))

    def backward(self, dy: Array) -> Array:
        return self.c_fc.backward(self.act.backward(self.c_proj.backward(self.drop.backward(dy))))
