"""Large arrays in memory that was used before.

An operating system hands out memory page by page as it is first touched, and zeroes each page: for many arrays
that costs more than what is computed into them. So the memory of an array that is no longer used is kept for the
next of its size.
"""

import math
import weakref
from contextlib import suppress

import numpy as np

KEPT = 2**30  # bytes kept at most while no array uses them
SMALL = 2**16  # bytes below which an array may as well have fresh memory
ROOMY = 3  # times the bytes that are asked for a block may have

# bytes -> blocks of that many bytes that no array uses, the size used last at the end
_free: dict[int, list[memoryview]] = {}


def empty(shape, dtype):
    """np.empty(shape, dtype), perhaps in used memory; it comes back when the last view of the array is gone."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    block = _take(size)
    array = np.frombuffer(
        block[:size], dtype
    )  # every view of it has this array as its base, as a memoryview cannot be one
    weakref.finalize(array, _keep, block).atexit = False
    return array.reshape(shape)


def _take(size):
    """A block of at least `size` bytes: a free one of that size, or up to ROOMY times as large, or a new one."""
    larger = sorted(other for other, blocks in list(_free.items()) if blocks and size < other <= ROOMY * size)
    for fitting in [size, *larger]:
        with suppress(KeyError, IndexError):  # which another thread may have taken
            return _free[fitting].pop()
    return memoryview(np.empty(size, np.uint8))


def empty_like(x):
    """`empty` of the shape and dtype of x."""
    return empty(x.shape, x.dtype)


def _keep(block):
    """Make a block available; where more than KEPT bytes are, let go of those whose size was used longest ago."""
    blocks = _free.pop(block.nbytes, [])
    blocks.append(block)
    _free[block.nbytes] = blocks
    while sum(size * len(blocks) for size, blocks in list(_free.items())) > KEPT:
        oldest = next(iter(_free))
        if len(_free[oldest]) > 1:
            _free[oldest].pop()
        else:
            _free.pop(oldest, None)
