"""Ids as the characters of a str, the id 262 as U+0106, for keeping many short lists of them.

Strings are joined several times as fast as tuples are chained, and Python's garbage collector, which every few thousand
new tuples looks at all there are, leaves them alone.
"""

import sys

import numpy as np

MOST = sys.maxunicode + 1  # ids that there are characters for


def to_characters(ids):
    """An array of ids, row by row, as a str."""
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def from_characters(text):
    """The list of ids."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").tolist()
