"""Attention to another text without ever holding all T x S probabilities, on the CPU: attention.py's tiles.

Every query sees all keys but padding, so that a tile is a block of queries against all keys of its texts.
"""

from typing import Any, NamedTuple

import numpy as np

from numgpt.kernels.cpu.attention import block_length, rooms, run, scores
from numgpt.kernels.cpu.memory import empty


class Tiled(NamedTuple):
    """What `cross_attention` keeps: as attention.py's, and what is added to the scores, -inf where padding is."""

    q: Any
    k: Any
    v: Any
    o: Any
    lse: Any
    scale: float
    dropped: Any
    p_drop: float
    mask: Any


def cross_attention(q, k, v, scale, padding=None, dropped=None, p_drop=0.0):
    """o = dropout(softmax(q k^T scale + mask)) v, of keys that are no padding; 0 in a row of padding alone.

    q is (B, H, T, D); k, v are (B, H, S, D); padding is (B, S) bool. dropped, (B, H, T, S) bool, marks the
    probabilities that dropout sets to 0. Returns o, (B, H, T, D), in memory laid out (B, T, H, D), and what backward
    needs.
    """
    B, H, T, D = q.shape
    S = k.shape[2]
    o = empty((B, T, H, D), q.dtype).swapaxes(1, 2)
    lse = np.empty((B, H, T, 1), q.dtype)
    scaled, mask = q * scale, mask_of(padding, q.dtype)

    def one_group(group):
        (room,) = rooms(1, group, T, S, q.dtype)
        for here in query_blocks(group, T, S):
            p = masked(scaled, k, mask, here, room)
            m = p.max(-1, keepdims=True)
            m[m == -np.inf] = 0  # a row of padding alone
            p -= m
            np.exp(p, out=p)
            total = p.sum(-1, keepdims=True)
            total[total == 0] = 1
            lse[here] = m + np.log(total)
            if dropped is not None:
                np.copyto(p, 0, where=dropped[here])
                total *= 1 - p_drop
            np.matmul(p, v[here[:2]], out=o[here])
            o[here] /= total

    run(one_group, B, H, T, S, D)
    return o, Tiled(q, k, v, o, lse, scale, dropped, p_drop, mask)


def cross_attention_backward(do, kept):
    """dq, (B, H, T, D), in memory laid out (B, T, H, D); dk and dv as 2H heads, (B, 2H, S, D), likewise.

    The formulas are those of `numgpt.kernels.cpu.attention.attention_backward`.
    """
    q, k, v, o, lse, scale, dropped, p_drop, mask = kept
    B, H, T, D = q.shape
    S = k.shape[2]
    dq = empty((B, T, H, D), q.dtype).swapaxes(1, 2)
    dkv = empty((B, S, 2 * H, D), q.dtype).swapaxes(1, 2)
    dk, dv = dkv[:, :H], dkv[:, H:]
    q = q * scale
    delta = np.vecdot(do, o)[..., None]

    def one_group(group):
        dk[group], dv[group] = 0, 0
        room, second_room = rooms(2, group, T, S, q.dtype)
        for here in query_blocks(group, T, S):
            p = masked(q, k, mask, here, room)
            p -= lse[here]
            np.exp(p, out=p)
            dp = scores(do[here], v[group], second_room)
            if dropped is not None:
                dp *= 1 / (1 - p_drop)
                np.copyto(dp, 0, where=dropped[here])
            dp -= delta[here]
            dp *= p
            if dropped is not None:
                p *= 1 / (1 - p_drop)
                np.copyto(p, 0, where=dropped[here])
            dv[group] += p.swapaxes(-1, -2) @ do[here]
            np.matmul(dp, k[group], out=dq[here])
            dk[group] += dp.swapaxes(-1, -2) @ q[here]
        dq[group] *= scale

    run(one_group, B, H, T, S, D)
    return dq, dkv


def mask_of(padding, dtype):
    """(B, 1, 1, S): -inf where there is padding, else 0; None for none."""
    return None if padding is None or not padding.any() else np.where(padding, -np.inf, 0).astype(dtype)[:, None, None]


def masked(q, k, mask, here, room):
    """The scores of a block of queries, -inf where padding is."""
    s = scores(q[here], k[here[:2]], room)
    if mask is not None:
        s += mask[here[0]]
    return s


def query_blocks(group, T, S):
    """The index of each block of queries of a group of heads."""
    rows, heads = group
    step = block_length(group, T, S)
    for first in range(0, T, step):
        yield rows, heads, slice(first, min(first + step, T))
