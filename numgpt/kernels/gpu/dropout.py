"""Dropout's masks and their use."""

import math

import cupy
import numpy as np


def draw_dropped(rng, shape, p, like):
    """True with probability p for each element by itself; `like` says only that the GPU is meant.

    Millions of draws would keep the host busy for longer than the GPU has work: it draws two keys, and the GPU
    hashes each element's number with them. A run's masks still follow from the one generator, on any GPU.
    """
    keys = rng.integers(0, 2**32, 2).tolist()
    numbers = cupy.arange(math.prod(shape), dtype=np.uint32)
    return hashed_below(numbers, *keys, round(p * 2**32)).reshape(shape)


@cupy.fuse
def hashed_below(number, key0, key1, threshold):
    """Whether a hash of each number, uniform in [0, 2^32), is below the threshold.

    The mixing, twice with a key each, is Chris Wellons's lowbias32 (https://nullprogram.com/blog/2018/07/31/).
    """
    for key in (key0, key1):
        number = number ^ key
        number = number ^ (number >> 16)
        number = number * 0x7FEB352D
        number = number ^ (number >> 15)
        number = number * 0x846CA68B
        number = number ^ (number >> 16)
    return number < threshold


def drop(x, dropped, p):
    """x / (1 - p), and 0 where dropped; x itself where that is None."""
    return x if dropped is None else drop_scaled(x, dropped, 1 / (1 - p))


@cupy.fuse
def drop_scaled(x, dropped, factor):
    """x factor, and 0 where dropped."""
    return cupy.where(dropped, 0, x * factor)
