"""Exercise 8: back through the residual stream of a block.

    h = x + attn(ln_1(x))       y = h + mlp(ln_2(h))            all (B, T, C)

Each layer has backward(dy), which adds to the gradients of its own weights and returns the gradient at its input. Given
dy, find dx.

Hint: a sum passes its gradient on unchanged to both of its terms. So h receives gradient twice: directly from y, and
through the MLP.

The bug that people make: they forget one of the two paths, and the gradient vanishes from block to block. Or they add
up both paths before LayerNorm's backward, which then also removes part of the gradient that went past it.
https://github.com/paiml/entrenar/issues/313

    numgpt gradcheck docs/exercises/08_residual.py
"""

import numpy as np

import numgpt
from numgpt.layers import Attention, FeedForward, LayerNorm


def block_backward(dy, ln_1, attn, ln_2, mlp):
    """dx; each of the four layers goes back once."""
    raise NotImplementedError("dh, then dx")


class Block:
    def __init__(self, C, H):
        self.ln_1, self.attn, self.ln_2, self.mlp = LayerNorm(C), Attention(C, H), LayerNorm(C), FeedForward(C)

    def forward(self, x):
        h = x + self.attn.forward(self.ln_1.forward(x))
        return h + self.mlp.forward(self.ln_2.forward(h))

    def backward(self, dy):
        return block_backward(dy, self.ln_1, self.attn, self.ln_2, self.mlp)


def check():
    return numgpt.check_layer(Block(6, 2), np.random.default_rng(0).standard_normal((2, 3, 6)))
