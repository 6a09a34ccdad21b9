import numpy as np


def attend(q, k, v, cache):
    keys, values = (np.concatenate([old, new], axis=2) for old, new in zip(cache, (k, v), strict=True))
    T, S = q.shape[2], keys.shape[2]
    s = q @ keys.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    s = np.where(np.tri(T, S, S - T, dtype=bool), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True) @ values, (keys, values)
