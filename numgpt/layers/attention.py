"""Masked multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

import math

import numpy as np

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
        ds = p * (dp - sum_u(dp * p))         since dp[t,u]/ds[t,w] = p[t,u] ([u = w] - p[t,w])
        dq = ds k / sqrt(D)
        dk = ds^T q / sqrt(D)

    Masked scores have p = 0, so ds = 0: nothing flows back from the future. The factor 1/sqrt(D) keeps the
    scores' variance at 1 when q and k have variance 1; here it multiplies q, which is smaller than s.

    With a cache (`numgpt.model.KVCache`), x holds only the positions that follow those already in it: T new
    queries meet S >= T keys, and the last query lines up with the last key.
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
        q, k, v = self.split(self.c_attn.forward(x))
        q = q * self.scale
        start = None
        if cache is not None:
            k, v, start = cache.extend(k, v)
        s = q @ k.swapaxes(-1, -2)
        mask_future(s, start)
        p = softmax(s)
        p_dropped = self.attn_drop.forward(p)
        self.keep(q, k, v, p, p_dropped)
        o = p_dropped @ v
        return self.resid_drop.forward(self.c_proj.forward(merge(o)))

    def backward(self, dy):
        q, k, v, p, p_dropped = self.take()
        do = self.heads(self.c_proj.backward(self.resid_drop.backward(dy)))
        dv = p_dropped.swapaxes(-1, -2) @ do
        dp = self.attn_drop.backward(do @ v.swapaxes(-1, -2))
        ds = p * (dp - (dp * p).sum(-1, keepdims=True))
        dq = ds @ k
        dq *= self.scale
        dk = ds.swapaxes(-1, -2) @ q
        return self.c_attn.backward(np.concatenate([merge(dq), merge(dk), merge(dv)], -1))

    def split(self, qkv):
        """(B, T, 3C) -> three (B, H, T, D), all views."""
        B, T, width = qkv.shape
        return qkv.reshape(B, T, 3, self.n_head, -1).transpose(2, 0, 3, 1, 4)

    def heads(self, x):
        """(B, T, C) -> (B, H, T, D), a view."""
        B, T, C = x.shape
        return x.reshape(B, T, self.n_head, -1).swapaxes(1, 2)


def merge(x):
    """(B, H, T, D) -> (B, T, C): the heads side by side again."""
    B, H, T, D = x.shape
    return x.swapaxes(1, 2).reshape(B, T, H * D)


def mask_future(s, start=None):
    """Set s[..., t, u], (B, H, T, S), to -inf in place where key u comes after query t.

    With `start`, (B,), a row of the batch begins at key start[b] and does not see the padding before it;
    every query sees itself, so that the softmax of a padding position, which nobody reads, is defined.
    """
    T, S = s.shape[-2:]
    if T == 1 and start is None:
        return
    query = np.arange(S - T, S)[:, None]
    key = np.arange(S)
    hidden = key > query
    if start is not None:
        hidden = hidden | ((key < start[:, None, None]) & (key != query))
        hidden = hidden[:, None]
    np.copyto(s, -np.inf, where=hidden)


def softmax(s):
    """exp(s) / sum(exp(s)) along the last axis, in place; the largest s is subtracted so that exp cannot overflow."""
    s -= s.max(-1, keepdims=True)
    np.exp(s, out=s)
    s /= s.sum(-1, keepdims=True)
    return s
