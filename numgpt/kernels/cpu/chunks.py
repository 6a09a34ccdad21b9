"""Elementwise formulas and formulas over rows, arranged so that memory is read less.

An elementwise formula of ten operations over a large array reads and writes main memory ten times. Here such a
formula runs over chunks of it that stay in the processor's second-level cache, with the results of each
operation written over scratch that is already there, and over several chunks at once where the array is large.
"""

from numgpt.kernels.cpu.threads import run_side_by_side

CHUNK = 65536  # elements: 256 KB in float32, so that an input, an output and two scratch arrays share 1 MB
THREADED = 2**17  # elements below which threads cost more than they bring
SMALL = 2**13  # elements below which BLAS uses one thread anyway


def over_chunks(work, *arrays):
    """work(*slices) for CHUNK elements at a time of equally long 1-d arrays."""
    slices = [slice(i, i + CHUNK) for i in range(0, arrays[0].size, CHUNK)]
    in_turn_or_side_by_side(lambda here: work(*[array[here] for array in arrays]), slices, arrays[0].size)


def over_rows(work, *arrays):
    """work(*slices) for about CHUNK elements at a time of 2-d arrays of equally many rows; the results, in order."""
    step = max(1, CHUNK // arrays[0].shape[1])
    found = [None] * -(-len(arrays[0]) // step)

    def one(i):
        found[i] = work(*[array[i * step : (i + 1) * step] for array in arrays])

    in_turn_or_side_by_side(one, range(len(found)), arrays[0].size)
    return found


def in_turn_or_side_by_side(work, items, size):
    """work(item) for every item, side by side if the arrays have THREADED elements."""

    def in_turn(items):
        for item in items:
            work(item)

    if size < SMALL:
        in_turn(items)
    elif size < THREADED:
        run_side_by_side(in_turn, [items])
    else:
        run_side_by_side(work, items)
