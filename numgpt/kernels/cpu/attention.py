"""Attention without ever holding the T x T probabilities, on the CPU (after Dao et al. 2022, FlashAttention).

The work is cut into tiles, a block of queries against the keys that it may see, that stay in the caches;
keys after the block are never visited, which is half of all. Backward computes a tile's probabilities again from
the logarithm of each row's sum of exponentials, which forward has kept: p = exp(s - lse).
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from numgpt.kernels.cpu.memory import empty
from numgpt.kernels.cpu.threads import equal_parts, n_cores, run_all

TILE = 262144  # scores in a tile: 1 MB in float32
BLOCK = 128  # queries in a tile at most: the last of a block sees that many keys that the first does not
THREADED = 2**21  # scores times channels below which threads cost more than they bring


class Tiled(NamedTuple):
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
    (B, H, T, D), in memory laid out (B, T, H, D), and what backward needs.
    """
    B, H, T, D = q.shape
    S = k.shape[2]
    o = empty((B, T, H, D), q.dtype).swapaxes(1, 2)
    lse = np.empty((B, H, T, 1), q.dtype)
    scaled = q * scale

    def one_group(group):
        (room,) = rooms(1, group, T, S, q.dtype)
        for here, seen in query_blocks(group, T, S):
            p = scores(scaled[here], k[seen], room)
            hide(p, here, start)
            m = p.max(-1, keepdims=True)
            p -= m
            np.exp(p, out=p)
            total = p.sum(-1, keepdims=True)
            lse[here] = m + np.log(total)
            if dropped is not None:
                np.copyto(p, 0, where=dropped[here][..., seen[2]])
                total *= 1 - p_drop
            np.matmul(p, v[seen], out=o[here])
            o[here] /= total

    run(one_group, B, H, T, S, D)
    return o, Tiled(q, k, v, o, lse, scale, dropped, p_drop)


def attention_backward(do, kept):
    """dq, dk, dv of `attention` (without `start`) as 3H heads: (B, 3H, T, D), in memory laid out (B, T, 3H, D).

    With p = exp(q k^T scale - lse), m = 1/(1 - p_drop) where kept and 0 where dropped, delta = sum_D(do o):

        dv = (p m)^T do     ds = p ( (do v^T) m - delta )     dq = ds k scale     dk = ds^T q scale

    delta is the sum_u(dp p) of the softmax's own backward: sum_u p m (do . v_u) = do . sum_u p m v_u = do . o.
    """
    q, k, v, o, lse, scale, dropped, p_drop = kept
    B, H, T, D = q.shape
    dqkv = empty((B, T, 3 * H, D), q.dtype).swapaxes(1, 2)
    dq, dk, dv = dqkv[:, :H], dqkv[:, H : 2 * H], dqkv[:, 2 * H :]
    q = q * scale
    delta = np.vecdot(do, o)[..., None]

    def one_group(group):
        room, second_room = rooms(2, group, T, T, q.dtype)
        for here, seen in query_blocks(group, T, T):
            p = scores(q[here], k[seen], room)
            hide(p, here, None)
            p -= lse[here]
            np.exp(p, out=p)
            dp = scores(do[here], v[seen], second_room)
            if dropped is not None:
                lost = dropped[here][..., seen[2]]
                dp *= 1 / (1 - p_drop)
                np.copyto(dp, 0, where=lost)
            dp -= delta[here]
            dp *= p
            if dropped is not None:
                p *= 1 / (1 - p_drop)
                np.copyto(p, 0, where=lost)
            add_rows(dv, p.swapaxes(-1, -2) @ do[here], here, seen)
            np.matmul(dp, k[seen], out=dq[here])
            add_rows(dk, dp.swapaxes(-1, -2) @ q[here], here, seen)
        dq[group] *= scale

    run(one_group, B, H, T, T, D)
    return dqkv


def rooms(n, group, T, S, dtype):
    """n flat arrays for the scores of any block of a group: memory that all of them use is still in the cache."""
    return empty((n, in_group(group) * block_length(group, T, S) * S), dtype)


def scores(q, k, room):
    """q k^T, (rows, heads, t, u), at the beginning of `room`."""
    shape = (*q.shape[:3], k.shape[2])
    return np.matmul(q, k.swapaxes(-1, -2), out=room[: math.prod(shape)].reshape(shape))


def add_rows(total, part, here, seen):
    """total[seen] += part, where the last block of rows, which no block of queries reached before, starts from 0."""
    fresh = here[2].start
    total[seen[0], seen[1], fresh : seen[2].stop] = part[:, :, fresh:]
    if fresh:
        total[seen[0], seen[1], :fresh] += part[:, :, :fresh]


def query_blocks(group, T, S):
    """(index of a block of queries, index of the keys that its last query sees) for each block of a group of heads."""
    rows, heads = group
    step = block_length(group, T, S)
    for first in range(0, T, step):
        last = min(first + step, T)
        yield (rows, heads, slice(first, last)), (rows, heads, slice(0, S - T + last))


def block_length(group, T, S):
    """How many of T queries are in a block."""
    return max(1, min(T, BLOCK, TILE // (in_group(group) * S)))


def in_group(group):
    """How many heads a group has, counted in every row."""
    rows, heads = group
    return (rows.stop - rows.start) * (heads.stop - heads.start)


def hide(s, here, start):
    """Set scores (b, h, t, u) of the block `here` to -inf where key u comes after the query, or before start."""
    t, u = s.shape[-2:]
    if t > 1:
        s[..., u - t :] += future(t, s.dtype)
    if start is not None:
        padding = np.arange(u) < start[here[0], None, None, None]
        itself = np.arange(u) == np.arange(u - t, u)[:, None]
        np.copyto(s, -np.inf, where=padding & ~itself)


@lru_cache(maxsize=8)
def future(t, dtype):
    """(t, t): 0 on and below the diagonal, -inf above it."""
    return np.triu(np.full((t, t), -np.inf, dtype), 1)


def run(one_group, B, H, T, S, D):
    """Cut B rows of H heads into groups of about a tile each and work through them, on all cores if there is enough."""
    threaded = T > 1 and B * H * T * S * D >= THREADED
    heads = max(1, TILE // (min(T, BLOCK) * S))
    if heads >= H:
        n = -(-B // (heads // H))
        if threaded:
            n = min(B, -(-n // n_cores()) * n_cores())  # as many for one core as for another
        groups = [(rows, slice(0, H)) for rows in equal_parts(B, n)]
    else:
        groups = [(slice(b, b + 1), slice(h, min(h + heads, H))) for b in range(B) for h in range(0, H, heads)]
    run_all(one_group, groups, threaded)
