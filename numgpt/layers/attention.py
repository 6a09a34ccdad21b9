"""Masked multi-head self-attention (Vaswani et al. 2017, section 3.2).

Every position gathers values from itself and earlier positions, weighted by how well query and key agree. x, y, dy, dx
are (B, T, C); q, k, v, o are (B, H, T, D) with D = C/H; s and p are (B, H, T, T).

    q, k, v = heads(x @ W_attn + b_attn)
    s       = q k^T scale                 s[t,u] = -inf for u > t: no position sees what comes after it
    p       = softmax_u(s)                p[t,u] = exp(s[t,u]) / sum_w exp(s[t,w])
    o       = dropout(p) v
    y       = dropout( merge(o) @ W_proj + b_proj )

Backward, from the bottom line up; transposes swap the last two axes:

    dv = dropout(p)^T do
    dp = dropout(do v^T)                  with the very mask of the forward
    ds = p * (dp - sum_u(dp * p))         as p[t,u] changes with s[t,w] by p[t,u] ([u = w] - p[t,w])
    dq = ds k scale
    dk = ds^T q scale

Masked scores have p = 0, so ds = 0: nothing flows back from the future. scale = 1/sqrt(D) keeps the scores' variance at
1 when q and k have variance 1.

With a cache (`numgpt.model.KVCache`), x holds only the positions that follow those already in it: T new queries meet
S >= T keys, and the last query lines up with the last key.
"""

import math
from typing import NamedTuple

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.dropout import Dropout, drop
from numgpt.layers.inputs import check_input
from numgpt.layers.linear import Linear
from numgpt.numbers import check_heads, check_number, check_size


class Attended(NamedTuple):
    """What `attention` keeps."""

    q: Array
    k: Array
    v: Array
    p: Array
    scale: float
    dropped: Array | None
    p_drop: float


@definition
def attention(q, k, v, scale, dropped=None, p_drop=0.0, start=None):
    """o, and what `attention_backward` needs.

    dropped, (B, H, T, S) bool, marks the probabilities that dropout sets to 0. start, (B,): see `visible`.
    """
    s = q @ k.swapaxes(-1, -2) * scale
    s = np.where(visible(s, start), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))  # less the largest, which cancels, so that exp cannot overflow
    p = p / p.sum(-1, keepdims=True)
    o = drop(p, dropped, p_drop) @ v
    return o, Attended(q, k, v, p, scale, dropped, p_drop)


@definition
def attention_backward(do, kept):
    """dq, dk and dv side by side, as 3H heads: (B, 3H, T, D)."""
    q, k, v, p, scale, dropped, p_drop = kept
    dv = drop(p, dropped, p_drop).swapaxes(-1, -2) @ do
    dp = drop(do @ v.swapaxes(-1, -2), dropped, p_drop)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True))
    dq = ds @ k * scale
    dk = ds.swapaxes(-1, -2) @ q * scale
    return np.concatenate([dq, dk, dv], axis=1)


def visible(s, start):
    """Which keys each query may see: bools of the shape of the scores s, (B, H, T, S).

    start, (B,), hides the keys before start[b] in row b, which are padding; every query still sees itself.
    """
    T, S = s.shape[-2:]
    past_and_itself = np.tril(np.ones_like(s, dtype=bool), S - T)
    if start is None:
        return past_and_itself
    past = np.tril(past_and_itself, S - T - 1)
    padding = np.arange(S, like=start) < start[:, None, None, None]
    return past_and_itself & ~(past & padding)


def heads(x, n_head):
    """(B, T, n_head D) -> (B, n_head, T, D), a view."""
    B, T, _ = x.shape
    return x.reshape(B, T, n_head, -1).swapaxes(1, 2)


def merge(x):
    """The inverse of `heads`: (B, n_head, T, D) -> (B, T, n_head D)."""
    B, n_head, T, D = x.shape
    return x.swapaxes(1, 2).reshape(B, T, n_head * D)


class Attention(Layer):
    """The layer. c_attn makes queries, keys and values in one product, as 3H heads; c_proj maps o back to C channels.

    scale: 1/sqrt(D) unless another is given. Raises InputError unless n_head divides n_embd.
    """

    def __init__(
        self,
        n_embd: int,
        n_head: int,
        p_drop: float = 0.0,
        rng: np.random.Generator | None = None,
        scale: float | None = None,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        n_embd, n_head = check_size(n_embd, "n_embd"), check_size(n_head, "n_head")
        check_heads(n_embd, n_head)
        self.n_head = n_head
        self.scale = 1 / math.sqrt(n_embd // n_head) if scale is None else check_number(scale, "scale")
        self.c_attn = Linear(n_embd, 3 * n_embd, seed=None)
        self.c_proj = Linear(n_embd, n_embd, seed=None)
        self.attn_drop = Dropout(p_drop, rng)
        self.resid_drop = Dropout(p_drop, rng)
        self.start(seed)

    def forward(self, x: Array, cache=None) -> Array:
        check_input(x, len(self.c_attn.weight))
        if len(x.shape) != 3:
            raise InputError(f"x must be (B, T, C), but has shape {quoted(tuple(x.shape))}")
        H = self.n_head
        qkv = heads(self.c_attn.forward(x), 3 * H)
        q, k, v = qkv[:, :H], qkv[:, H : 2 * H], qkv[:, 2 * H :]
        start = None
        if cache is not None:
            k, v, start = cache.extend(k, v)
        dropped = self.attn_drop.draw((*q.shape[:3], k.shape[2]), q)
        o, kept = attention(q, k, v, self.scale, dropped, self.attn_drop.p, start)
        self.keep(kept)
        return self.resid_drop.forward(self.c_proj.forward(merge(o)))

    def backward(self, dy: Array) -> Array:
        do = heads(self.c_proj.backward(self.resid_drop.backward(dy)), self.n_head)
        return self.c_attn.backward(merge(attention_backward(do, self.take())))
