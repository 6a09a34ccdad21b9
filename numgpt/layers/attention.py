"""Masked multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

import math

from numgpt.kernels import attention, attention_backward
from numgpt.layers.base import Layer
from numgpt.layers.dropout import Dropout
from numgpt.layers.linear import Linear


class Attention(Layer):
    """Let every position gather from itself and those before it, as much from each as query and key agree.

    x, y, dy, dx are (B, T, C); q, k, v are (B, H, T, D) with D = C/H; scores and p are (B, H, T, T).
    c_attn makes queries, keys and values in one product: x @ W is (B, T, 3C), its last axis laid out (3, H, D).

        q, k, v = split(x @ W_attn + b_attn)
        s       = q k^T / sqrt(D)             s[t,u] = -inf for u > t: no position sees what comes after it
        p       = softmax_u(s)                p[t,u] = exp(s[t,u]) / sum_w exp(s[t,w])
        o       = dropout(p) v
        y       = dropout( merge(o) @ W_proj + b_proj )

    Backward, from the bottom line up; transposes swap the last two axes:

        dv = p^T do        (p as dropout left it)
        dp = do v^T        (then back through dropout)
        ds = p * (dp - sum_u(dp * p))         as p[t,u] changes with s[t,w] by p[t,u] ([u = w] - p[t,w])
        dq = ds k / sqrt(D)
        dk = ds^T q / sqrt(D)

    Masked scores have p = 0, so ds = 0: nothing flows back from the future. The factor 1/sqrt(D) keeps the
    scores' variance at 1 when q and k have variance 1; here it multiplies q, which is smaller than s.

    With a cache (`numgpt.model.KVCache`), x holds only the positions that follow those already in it: T new
    queries meet S >= T keys, and the last query lines up with the last key.

    p is never kept: backward computes it again, p = exp(s - lse), from lse[t] = log sum_w exp(s[t,w]), and takes
    sum_u(dp * p) as do . o, to which it is equal because o = dropout(p) v.
    """

    def __init__(self, n_embd, n_head, p_drop=0.0, rng=None):
        super().__init__()
        self.n_head = n_head
        self.scale = 1 / math.sqrt(n_embd // n_head)
        self.c_attn = Linear(n_embd, 3 * n_embd)
        self.c_proj = Linear(n_embd, n_embd)
        self.attn_drop = Dropout(p_drop, rng)
        self.resid_drop = Dropout(p_drop, rng)

    def forward(self, x, cache=None):
        B, T, C = x.shape
        q, k, v = self.split(self.c_attn.forward(x))
        start = None
        if cache is not None:
            k, v, start = cache.extend(k, v)
        dropped = self.attn_drop.dropped((B, self.n_head, T, k.shape[2]), q)
        o, lse = attention(q, k, v, self.scale, dropped, 1 - self.attn_drop.p, start)
        self.keep(q, k, v, o, lse, dropped)
        return self.resid_drop.forward(self.c_proj.forward(merge(o)))

    def backward(self, dy):
        q, k, v, o, lse, dropped = self.take()
        do = self.heads(self.c_proj.backward(self.resid_drop.backward(dy)))
        dqkv = attention_backward(do, q, k, v, o, lse, self.scale, dropped, 1 - self.attn_drop.p)
        return self.c_attn.backward(dqkv.transpose(1, 3, 0, 2, 4).reshape(*dy.shape[:2], -1))

    def split(self, qkv):
        """(B, T, 3C) -> q, k, v, each (B, H, T, D), all views."""
        B, T, _ = qkv.shape
        return qkv.reshape(B, T, 3, self.n_head, -1).transpose(2, 0, 3, 1, 4)

    def heads(self, x):
        """(B, T, C) -> (B, H, T, D), a view."""
        B, T, _ = x.shape
        return x.reshape(B, T, self.n_head, -1).swapaxes(1, 2)


def merge(x):
    """(B, H, T, D) -> (B, T, C): the heads side by side again."""
    B, H, T, D = x.shape
    return x.swapaxes(1, 2).reshape(B, T, H * D)
