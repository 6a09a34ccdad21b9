"""One transformer block."""

from collections.abc import Callable
from functools import partial

import numpy as np

from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.layers import GELU, Attention, ExactGELU, FeedForward, Layer, LayerNorm, ReLU, Swish
from numgpt.layers.base import Array
from numgpt.model.cache import LayerCache
from numgpt.numbers import check_number

# Under the names that published configurations use.
ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    "gelu_new": GELU,
    "gelu": ExactGELU,
    "relu": ReLU,
    "silu": Swish,
    "quick_gelu": partial(Swish, 1.702),
}


class Block(Layer):
    """Two steps along the residual stream, each reading a normalised copy of it (Radford et al. 2019, section 2.3).

    x, y, dy, dx are (B, T, C).

        h = x + attn( ln_1(x) )
        y = h + mlp( ln_2(h) )

    Backward: a sum passes its gradient unchanged to both terms, so the gradient of the stream bypasses the layers, and
    what comes back through each layer is added to it.

        dh = dy + ln_2.backward( mlp.backward(dy) )
        dx = dh + ln_1.backward( attn.backward(dh) )

    config: a GPTConfig. index: the block's place in the model, from 0. rng draws the dropout masks, seed the initial
    weights; for seed=None see `Layer`. Raises InputError for another config, and for an index below 0.
    """

    def __init__(
        self, config: GPTConfig, index: int = 0, rng: np.random.Generator | None = None, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_config(config)
        index = int(check_number(index, "index", low=0, whole=True))
        C, p_drop, eps = config.n_embd, config.dropout, config.layer_norm_epsilon
        self.ln_1 = LayerNorm(C, eps, seed=None)
        self.attn = Attention(C, config.n_head, p_drop, rng, config.attention_scale(index), seed=None)
        self.ln_2 = LayerNorm(C, eps, seed=None)
        self.mlp = FeedForward(C, p_drop, rng, ACTIVATIONS[config.activation](), config.n_inner, seed=None)
        self.start(seed)

    def forward(self, x: Array, cache: LayerCache | None = None) -> Array:
        h = x + self.attn.forward(self.ln_1.forward(x), cache)
        return h + self.mlp.forward(self.ln_2.forward(h))

    def backward(self, dy: Array) -> Array:
        dh = dy + self.ln_2.backward(self.mlp.backward(dy))
        return dh + self.ln_1.backward(self.attn.backward(dh))


def check_config(config: GPTConfig) -> None:
    """Raise InputError unless `config` is a GPTConfig."""
    if not isinstance(config, GPTConfig):
        raise InputError(f"config must be a GPTConfig, not {quoted(config)}")
