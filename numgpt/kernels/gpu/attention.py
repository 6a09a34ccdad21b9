"""Attention on the GPU: as on the CPU, the T x T probabilities are made block by block of queries, twice, never kept.

A block is large, to keep the GPU busy, and small beside what training keeps; keys that come after it are not visited.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import cupy
import numpy as np

from numgpt.kernels.gpu.dropout import drop_scaled
from numgpt.kernels.gpu.matmul import gemm, matmul, stacked

SCORES = 2**25  # in a block: 128 MB in float32
FEWEST = 64  # queries in a block, unless there are fewer: tensor cores work on tiles of about that


class Blockwise(NamedTuple):
    """What `attention` keeps: no p, but lse, (B, H, T, 1), the logarithms of the rows' sums of exponentials."""

    q: Any
    k: Any
    v: Any
    o: Any
    lse: Any
    scale: float
    dropped: Any
    p_drop: float


def attention(q, k, v, scale, dropped=None, p_drop=0.0, start=None):
    """o = dropout(softmax(q k^T scale + mask)) v, where query t sees no key after position S - T + t.

    q is (B, H, T, D); k, v are (B, H, S, D). dropped, (B, H, T, S) bool, marks the probabilities that dropout sets
    to 0. start, (B,), hides the keys before start[b] in row b, though never a query from itself. Returns o,
    (B, H, T, D), and what backward needs.
    """
    q, k, v = stacked(q), stacked(k), stacked(v)
    o = cupy.empty(q.shape, q.dtype)
    lse = cupy.empty((*q.shape[:-1], 1), q.dtype)
    for here, seen in query_blocks(q, k):
        s = scores(q[here], k[seen], scale, start)
        m = s.max(-1, keepdims=True)
        p = exp_difference(s, m)
        total = p.sum(-1, keepdims=True)
        log_sum(lse[here], m, total)
        if dropped is not None:
            p = drop_scaled(p, dropped[here][..., seen[2]], 1 / (1 - p_drop))
        block = o[here]
        gemm(p, v[seen], block)
        block /= total
    return o, Blockwise(q, k, v, o, lse, scale, dropped, p_drop)


def attention_backward(do, kept):
    """dq, dk, dv of `attention` (without `start`) as 3H heads: (B, 3H, T, D).

    With p = exp(q k^T scale - lse), m = 1/(1 - p_drop) where kept and 0 where dropped, delta = sum_D(do o):

        dv = (p m)^T do     ds = p ( (do v^T) m - delta )     dq = ds k scale     dk = ds^T q scale
    """
    q, k, v, o, lse, scale, dropped, p_drop = kept
    do = stacked(do)
    dqkv = cupy.zeros((3, *q.shape), q.dtype)
    dq, dk, dv = dqkv
    delta = (do * o).sum(-1, keepdims=True)
    for here, seen in query_blocks(q, k):
        p = exp_difference(scores(q[here], k[seen], scale, None), lse[here])
        dp = matmul(do[here], v[seen].swapaxes(-1, -2))
        if dropped is not None:
            lost = dropped[here][..., seen[2]]
            dp = drop_scaled(dp, lost, 1 / (1 - p_drop))
        ds = softmax_backward(p, dp, delta[here])
        if dropped is not None:
            p = drop_scaled(p, lost, 1 / (1 - p_drop))
        gemm(p.swapaxes(-1, -2), do[here], dv[seen], add=True)
        gemm(ds, k[seen], dq[here], scale)
        gemm(ds.swapaxes(-1, -2), q[here], dk[seen], scale, add=True)
    return cupy.concatenate([dq, dk, dv], axis=1)


def query_blocks(q, k):
    """(index of a block of queries, index of the keys that its last query sees), from the first to the last."""
    B, H, T, _ = q.shape
    S = k.shape[2]
    step = max(FEWEST, SCORES // (B * H * S) // FEWEST * FEWEST)
    whole = slice(None)
    for first in range(0, T, step):
        last = min(first + step, T)
        yield (whole, whole, slice(first, last)), (whole, whole, slice(0, S - T + last))


def scores(q, k, scale, start):
    """q k^T scale, (B, H, t, u), and -inf where a key comes after the query, or before start."""
    t, u = q.shape[2], k.shape[2]
    s = cupy.empty((*q.shape[:2], t, u), q.dtype)
    gemm(q, k.swapaxes(-1, -2), s, scale)
    if t > 1:
        newest = s[..., u - t :]
        newest += future(t, s.dtype)
    if start is not None:
        keys, queries = cupy.arange(u), cupy.arange(u - t, u)[:, None]
        hidden = (keys < start[:, None, None, None]) & (keys != queries)
        s = cupy.where(hidden, -np.inf, s)
    return s


@lru_cache(maxsize=8)
def future(t, dtype):
    """(t, t): 0 on and below the diagonal, -inf above it."""
    return cupy.asarray(np.triu(np.full((t, t), -np.inf, dtype), 1))


@cupy.fuse
def log_sum(lse, m, total):
    """lse = m + log(total), in place."""
    cupy.add(m, cupy.log(total), lse)


@cupy.fuse
def exp_difference(s, m):
    """exp(s - m)."""
    return cupy.exp(s - m)


@cupy.fuse
def softmax_backward(p, dp, delta):
    """p (dp - delta)."""
    return p * (dp - delta)
