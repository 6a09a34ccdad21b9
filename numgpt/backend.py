"""Which array module an array belongs to, and how arrays come into being and move."""

import numpy as np


def to_host(x):
    """A NumPy array with the values of `x`, whatever device it lies on."""
    return np.asarray(x)
