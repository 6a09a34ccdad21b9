"""Exercise 12: the backward pass of attention to another text.

In the first Transformer, queries come from the decoder's text, and keys and values come from the encoder's text:

    s = q k^T scale             (B, H, T, S), -inf where the key is padding
    p = softmax of each row of s
    o = p v                     q and o are (B, H, T, D), k and v (B, H, S, D)

Hint: the formulas are those of exercise 3. Here T and S differ, so a wrong transpose shows. The padding needs no line
of its own, because p is 0 there.

The bug that people make: they transpose k and v once too often. Where there are as many positions as heads, all shapes
still fit: https://github.com/huggingface/diffusers/pull/14341

    numgpt gradcheck docs/exercises/12_cross_attention.py
"""

import numpy as np

import numgpt
from numgpt.layers.cross_attention import cross_attention


def cross_attention_backward(do, q, k, v, p, scale):
    """dq, (B, H, T, D), dk and dv, (B, H, S, D); p, (B, H, T, S), is what forward kept."""
    raise NotImplementedError("dq, dk and dv")


class CrossAttention:
    def forward(self, q, k, v):
        padding = np.array([[False] * 6, [False] * 4 + [True] * 2])
        o, self.kept = cross_attention(q, k, v, q.shape[-1] ** -0.5, padding)
        return o

    def backward(self, do):
        kept = self.kept
        return cross_attention_backward(do, kept.q, kept.k, kept.v, kept.p, kept.scale)


def check():
    rng = np.random.default_rng(0)
    q, (k, v) = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((2, 2, 3, 6, 4))
    return numgpt.check_layer(CrossAttention(), q, k, v)
