"""Large arrays in memory that was used before.

An operating system hands out memory page by page as it is first touched, and zeroes each page: for many arrays
that costs more than what is computed into them. So the memory of an array that is no longer used is kept for the
next of its size.
"""

import math
import weakref

import numpy as np

KEPT = 2**30  # bytes kept at most while no array uses them
SMALL = 2**16  # bytes below which an array may as well have fresh memory

# bytes -> blocks of that many bytes that no array uses, the size used last at the end
_free: dict[int, list[memoryview]] = {}


def empty(shape, dtype):
    """np.empty(shape, dtype), perhaps in used memory; it comes back when the last view of the array is gone."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    blocks = _free.get(size)
    try:
        block = blocks.pop()
    except (AttributeError, IndexError):
        block = memoryview(np.empty(size, np.uint8))
    array = np.frombuffer(block, dtype)  # every view of it has this array as its base, as a memoryview cannot be one
    weakref.finalize(array, _keep, block).atexit = False
    return array.reshape(shape)


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
