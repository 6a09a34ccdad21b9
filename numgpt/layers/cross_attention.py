"""Multi-head attention to another text, with its padding hidden (Vaswani et al. 2017, sections 3.2.2 and 3.2.3).

Every position of one text gathers values from all positions of another, the memory: in a translation, the target from
the source. x, y are (B, T, C); memory is (B, S, C); q, o are (B, H, T, D) and k, v (B, H, S, D), D = C/H; s, p are
(B, H, T, S). padding, (B, S) bool, is True where the memory's text has ended.

    q    = heads(x @ W_q + b_q)
    k, v = heads(memory @ W_kv + b_kv)
    s    = q k^T scale                 s[b,:,:,u] = -inf where padding[b,u]
    p    = softmax_u(s)                0 in a row whose text is padding alone: there is nothing to gather
    o    = dropout(p) v
    y    = merge(o) @ W_proj + b_proj

Backward has the formulas of self-attention, but they lead to two texts: q came from x, k and v from the memory.

    dv = dropout(p)^T do               dp = dropout(do v^T)
    ds = p * (dp - sum_u(dp * p))
    dq = ds k scale                    on to x
    dk = ds^T q scale                  with dv on to the memory

A hidden key has p = 0 for every query, so dk = dv = 0 there: padding learns nothing and teaches nothing. All queries of
a text add to the gradient of the same keys: that is the sum over t in ds^T q.

An encoder's self-attention is this with memory = x: every position sees every other, and x gets both gradients.
"""

import math

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers.attention import Attended, heads, merge
from numgpt.layers.base import Array, Layer
from numgpt.layers.dropout import Dropout, drop
from numgpt.layers.inputs import check_input
from numgpt.layers.linear import Linear
from numgpt.numbers import check_heads, check_size


@definition
def cross_attention(q, k, v, scale, padding=None, dropped=None, p_drop=0.0):
    """o, and what `cross_attention_backward` needs; dropped, (B, H, T, S) bool, marks what dropout sets to 0."""
    s = q @ k.swapaxes(-1, -2) * scale
    if padding is not None:
        s = np.where(padding[:, None, None, :], -np.inf, s)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0))  # the largest is -inf in a row of padding alone
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    return drop(p, dropped, p_drop) @ v, Attended(q, k, v, p, scale, dropped, p_drop)


@definition
def cross_attention_backward(do, kept):
    """dq, (B, H, T, D); and dk and dv side by side, as 2H heads: (B, 2H, S, D)."""
    q, k, v, p, scale, dropped, p_drop = kept
    dv = drop(p, dropped, p_drop).swapaxes(-1, -2) @ do
    dp = drop(do @ v.swapaxes(-1, -2), dropped, p_drop)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True))
    dq = ds @ k * scale
    dk = ds.swapaxes(-1, -2) @ q * scale
    return dq, np.concatenate([dk, dv], axis=1)


class CrossAttention(Layer):
    """The layer. c_q makes queries, c_kv keys and values as 2H heads; c_proj maps o back to C channels.

    Raises InputError unless n_head divides n_embd.
    """

    def __init__(
        self,
        n_embd: int,
        n_head: int,
        p_drop: float = 0.0,
        rng: np.random.Generator | None = None,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        n_embd, n_head = check_size(n_embd, "n_embd"), check_size(n_head, "n_head")
        check_heads(n_embd, n_head)
        self.n_head = n_head
        self.scale = 1 / math.sqrt(n_embd // n_head)
        self.c_q = Linear(n_embd, n_embd, seed=None)
        self.c_kv = Linear(n_embd, 2 * n_embd, seed=None)
        self.c_proj = Linear(n_embd, n_embd, seed=None)
        self.attn_drop = Dropout(p_drop, rng)
        self.start(seed)

    def forward(self, x: Array, memory: Array, padding: Array | None = None) -> Array:
        """y. Raises InputError for arrays that are not (B, T, C) and (B, S, C), or padding that is not (B, S) bools."""
        check_texts(x, memory, padding, len(self.c_q.weight))
        return self.attend(x, *self.keys_and_values(memory), padding)

    def keys_and_values(self, memory: Array) -> tuple[Array, Array]:
        """k, v, each (B, H, S, D): the same for every x, so decoding computes them once."""
        kv = heads(self.c_kv.forward(memory), 2 * self.n_head)
        return kv[:, : self.n_head], kv[:, self.n_head :]

    def attend(self, x: Array, k: Array, v: Array, padding: Array | None) -> Array:
        """y; k and v are those of `keys_and_values`."""
        q = heads(self.c_q.forward(x), self.n_head)
        dropped = self.attn_drop.draw((*q.shape[:3], k.shape[2]), q)
        o, kept = cross_attention(q, k, v, self.scale, padding, dropped, self.attn_drop.p)
        self.keep(kept)
        return self.c_proj.forward(merge(o))

    def backward(self, dy: Array) -> tuple[Array, Array]:
        """dx and dmemory."""
        do = heads(self.c_proj.backward(dy), self.n_head)
        dq, dkv = cross_attention_backward(do, self.take())
        return self.c_q.backward(merge(dq)), self.c_kv.backward(merge(dkv))


def check_texts(x: Array, memory: Array, padding: Array | None, C: int) -> None:
    """Raise InputError unless the arrays are a batch of texts, a memory for each, and its padding."""
    for name, array in ("x", x), ("memory", memory):
        check_input(array, C, name)
        if len(array.shape) != 3:
            raise InputError(f"{name} must be (B, T, C), but has shape {quoted(tuple(array.shape))}")
    if len(x) != len(memory):
        raise InputError(f"x holds {len(x)} texts, but memory {len(memory)}: there must be one for each")
    expected = tuple(memory.shape[:2])
    if padding is not None and (getattr(padding, "shape", None) != expected or padding.dtype.kind != "b"):
        raise InputError(f"padding must be bools of shape {expected}, one for each position of the memory")
