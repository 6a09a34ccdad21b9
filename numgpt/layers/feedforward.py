"""The position-wise feed-forward network (Vaswani et al. 2017, section 3.3)."""

from numgpt.layers.base import Layer
from numgpt.layers.dropout import Dropout
from numgpt.layers.gelu import GELU
from numgpt.layers.linear import Linear


class FeedForward(Layer):
    """Two linear maps with a bend between them, the same at every position.

    x, y, dy, dx are (B, T, C); inside, the width is 4C.

        y  = dropout( act( x @ W_fc + b_fc ) @ W_proj + b_proj )

    Backward is the chain rule, one layer after the other from the last to the first:

        dx = fc.backward( act.backward( proj.backward( dropout.backward(dy) ) ) )

    `act` is GELU unless another activation layer, such as ReLU(), is given.
    """

    def __init__(self, n_embd, p_drop=0.0, rng=None, act=None):
        super().__init__()
        self.c_fc = Linear(n_embd, 4 * n_embd)
        self.act = act or GELU()
        self.c_proj = Linear(4 * n_embd, n_embd)
        self.drop = Dropout(p_drop, rng)

    def forward(self, x):
        return self.drop.forward(self.c_proj.forward(self.act.forward(self.c_fc.forward(x))))

    def backward(self, dy):
        return self.c_fc.backward(self.act.backward(self.c_proj.backward(self.drop.backward(dy))))
