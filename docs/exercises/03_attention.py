"""Exercise 3: the backward pass of attention, through the softmax.

    s = q k^T scale             (B, H, T, T), -inf where a position would see what comes after it
    p = softmax of each row of s
    o = p v                     q, k, v, o are (B, H, T, D)

Given do, find dq, dk and dv.

Hint: begin with the last line. o = p v is a matrix product, which gives dv and dp. A row of p sums to 1, so raising one
score lowers all other probabilities of its row: the derivative of p[u] with respect to s[w] is p[u] ([u = w] - p[w]).
Multiply this by dp[u] and sum over u to get ds[w]. Then s is a matrix product again, which gives dq and dk.

The bug that people make: dp * p * (1 - p). This is only the diagonal of the derivative: right for a sigmoid, wrong for
a softmax. https://github.com/deeplearning4j/libnd4j/issues/440

    numgpt gradcheck docs/exercises/03_attention.py
"""

import numpy as np

import numgpt
from numgpt.layers.attention import attention


def attention_backward(do, q, k, v, p, scale):
    """dq, dk and dv, each (B, H, T, D); p, (B, H, T, T), is what forward kept."""
    raise NotImplementedError("dv, dp, ds, dq and dk")


class Attention:
    def forward(self, q, k, v):
        o, self.kept = attention(q, k, v, q.shape[-1] ** -0.5)
        return o

    def backward(self, do):
        kept = self.kept
        return attention_backward(do, kept.q, kept.k, kept.v, kept.p, kept.scale)


def check():
    q, k, v = np.random.default_rng(0).standard_normal((3, 2, 3, 4, 5))
    return numgpt.check_layer(Attention(), q, k, v)
