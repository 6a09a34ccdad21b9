"""Exercise 9: attention with a cache.

When a text is generated, the keys and values of earlier positions need not be computed again: a cache keeps them. New
positions bring their own q, k and v, (B, H, T, D). The cache holds the keys and values of the S0 positions before them,
each (B, H, S0, D).

Hint: append the new keys to the old ones. The new positions are S0, S0 + 1, ...: which of the S0 + T keys may each of
them see? The last query lines up with the last key.

The bug that people make: a mask that lines up the first query with the first key. With a cache of 100 positions, the
next token then sees only one of them: https://github.com/pytorch/pytorch/issues/103082

    numgpt gradcheck docs/exercises/09_kv_cache.py
"""

import numpy as np

from numgpt.gradcheck import held_to
from numgpt.layers.attention import attention


def attend(q, k, v, cache):
    """o, (B, H, T, D), and the new cache. cache: (keys, values), each (B, H, S0, D); S0 is 0 at the beginning."""
    raise NotImplementedError("o, and the keys and values of all positions so far")


def check():
    q, k, v = np.random.default_rng(0).standard_normal((3, 2, 3, 6, 4))
    expected, _ = attention(q, k, v, 4**-0.5)  # all six positions at once
    cache = k[:, :, :0], v[:, :, :0]
    for first, last in (0, 2), (3, 4), (5, 5):
        new = np.s_[:, :, first : last + 1]
        o, cache = attend(q[new], k[new], v[new], cache)
        yield held_to(f"o at {first}-{last}", o, expected[new])
    yield held_to("cached keys", cache[0], k)
    yield held_to("cached values", cache[1], v)
