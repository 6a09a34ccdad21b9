"""The encoder and decoder blocks of the first Transformer (Vaswani et al. 2017, section 3.1).

Each part f of a block sits inside a residual step, with LayerNorm in one of two places:

    PostNorm, as in 2017    y = norm(x + f(x))       g = norm.backward(dy)    dx = g + f.backward(g)
    PreNorm, as in GPT-2    y = x + f(norm(x))       g = dy                   dx = g + norm.backward(f.backward(g))

Both are written as what happens before f (`enter`) and after it (`leave`); the gradients pass them in reverse order.
With PostNorm the stream is normalised at every step; with PreNorm its gradient meets no layer on its way down.
"""

import numpy as np

from numgpt.config import TransformerConfig
from numgpt.layers import Attention, CrossAttention, Embedding, FeedForward, Layer, LayerNorm, Linear
from numgpt.layers.base import Array, draw_normal
from numgpt.model.block import ACTIVATIONS
from numgpt.model.cache import LayerCache


class PostNorm(Layer):
    """A residual step whose sum is normalised."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = LayerNorm(config.d_model, config.eps, seed=None)

    def enter(self, x: Array) -> Array:
        return x

    def leave(self, x: Array, f: Array) -> Array:
        return self.norm.forward(x + f)

    def leave_backward(self, dy: Array) -> Array:
        return self.norm.backward(dy)

    def enter_backward(self, g: Array, dn: Array) -> Array:
        return g + dn


class PreNorm(Layer):
    """A residual step whose part reads a normalised copy of the stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = LayerNorm(config.d_model, config.eps, seed=None)

    def enter(self, x: Array) -> Array:
        return self.norm.forward(x)

    def leave(self, x: Array, f: Array) -> Array:
        return x + f

    def leave_backward(self, dy: Array) -> Array:
        return dy

    def enter_backward(self, g: Array, dn: Array) -> Array:
        return g + self.norm.backward(dn)


def feed_forward(config: TransformerConfig, rng: np.random.Generator | None) -> FeedForward:
    """The feed-forward network that both kinds of block end in."""
    return FeedForward(config.d_model, config.dropout, rng, ACTIVATIONS[config.activation](), config.d_ff, seed=None)


class EncoderBlock(Layer):
    """Attention of a text to itself, then a feed-forward network. x, y are (B, S, C); padding is (B, S) bool or None.

    h = step(x, n -> attn(n, n))        y = step(h, mlp)
    """

    def __init__(self, config: TransformerConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        step = PreNorm if config.norm_first else PostNorm
        self.attn_step, self.mlp_step = step(config), step(config)
        self.attn = CrossAttention(config.d_model, config.heads, config.dropout, rng, seed=None)
        self.mlp = feed_forward(config, rng)

    def forward(self, x: Array, padding: Array | None) -> Array:
        n = self.attn_step.enter(x)
        h = self.attn_step.leave(x, self.attn.forward(n, n, padding))
        return self.mlp_step.leave(h, self.mlp.forward(self.mlp_step.enter(h)))

    def backward(self, dy: Array) -> Array:
        g = self.mlp_step.leave_backward(dy)
        dh = self.mlp_step.enter_backward(g, self.mlp.backward(g))
        g = self.attn_step.leave_backward(dh)
        dn, dmemory = self.attn.backward(g)  # the text is its own memory
        return self.attn_step.enter_backward(g, dn + dmemory)


def encode(x: Array, padding: Array, blocks: list[EncoderBlock], norm: LayerNorm | None) -> Array:
    """The memory (B, S, C): the embedded texts x after all blocks, and after the final LayerNorm if there is one."""
    for block in blocks:
        x = block.forward(x, padding)
    return norm.forward(x) if norm else x


def encode_backward(dmemory: Array, blocks: list[EncoderBlock], norm: LayerNorm | None) -> Array:
    """The gradient of `encode` at x, from that at its output."""
    dx = norm.backward(dmemory) if norm else dmemory
    for block in reversed(blocks):
        dx = block.backward(dx)
    return dx


def draw_weights(model: Layer, table: Embedding, rng: np.random.Generator) -> None:
    """Draw initial weights that preserve unit variance (Glorot and Bengio 2010): N(0, 2 / (n_in + n_out)).

    The rows of the table get a length of about 1.
    """
    for _, layer in model.named_layers():
        if isinstance(layer, Linear):
            draw_normal(rng, layer.weight, (2 / sum(layer.weight.shape)) ** 0.5)
    draw_normal(rng, table.weight, table.weight.shape[1] ** -0.5)


class DecoderBlock(Layer):
    """Causal attention, attention to the encoder's memory, then a feed-forward network. x, y are (B, T, C).

    h = step(x, attn)        c = step(h, n -> cross(n, memory))        y = step(c, mlp)
    """

    def __init__(self, config: TransformerConfig, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        step = PreNorm if config.norm_first else PostNorm
        self.attn_step, self.cross_step, self.mlp_step = step(config), step(config), step(config)
        self.attn = Attention(config.d_model, config.heads, config.dropout, rng, seed=None)
        self.cross = CrossAttention(config.d_model, config.heads, config.dropout, rng, seed=None)
        self.mlp = feed_forward(config, rng)

    def forward(self, x: Array, memory: Array, padding: Array | None) -> Array:
        return self.decode(x, *self.cross.keys_and_values(memory), padding)

    def decode(self, x: Array, k: Array, v: Array, padding: Array | None, cache: LayerCache | None = None) -> Array:
        """`forward`, from the memory's keys and values; with a cache, x holds only the positions after those in it."""
        h = self.attn_step.leave(x, self.attn.forward(self.attn_step.enter(x), cache))
        c = self.cross_step.leave(h, self.cross.attend(self.cross_step.enter(h), k, v, padding))
        return self.mlp_step.leave(c, self.mlp.forward(self.mlp_step.enter(c)))

    def backward(self, dy: Array) -> tuple[Array, Array]:
        """dx and dmemory."""
        g = self.mlp_step.leave_backward(dy)
        dc = self.mlp_step.enter_backward(g, self.mlp.backward(g))
        g = self.cross_step.leave_backward(dc)
        dn, dmemory = self.cross.backward(g)
        dh = self.cross_step.enter_backward(g, dn)
        g = self.attn_step.leave_backward(dh)
        return self.attn_step.enter_backward(g, self.attn.backward(g)), dmemory
