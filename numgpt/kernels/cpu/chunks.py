"""Elementwise formulas and formulas over rows, arranged so that memory is read less.

An elementwise formula of ten operations over a large array reads and writes main memory ten times. Here such a
formula runs over chunks of it that stay in the processor's caches, with the results of each operation written over
scratch that is already there, and over several chunks at once where the array is large. Chunks are long all the same:
between two operations a thread waits for Python's lock, on some machines for longer than a short operation takes.
"""

from numgpt.kernels.cpu.threads import run_side_by_side

CHUNK = 3 * 2**16  # elements at most: 768 KB in float32
THREADED = 2**17  # elements below which threads cost more than they bring
SMALL = 2**13  # elements below which they are one chunk, and BLAS uses one thread anyway


def over_chunks(work, *arrays):
    """work(*slices) for CHUNK elements or fewer at a time of equally long 1-d arrays."""
    n = arrays[0].size
    if n < SMALL:
        work(*arrays)
        return
    in_turn_or_side_by_side(lambda here: work(*[array[here] for array in arrays]), cut(n, CHUNK), n)


def over_rows(work, *arrays):
    """work(*slices) for about CHUNK elements at a time of 2-d arrays of equally many rows; the results, in order."""
    if arrays[0].size < SMALL:
        return [work(*arrays)]
    slices = cut(len(arrays[0]), max(1, CHUNK // arrays[0].shape[1]))
    found = [None] * len(slices)

    def one(i):
        found[i] = work(*[array[slices[i]] for array in arrays])

    in_turn_or_side_by_side(one, range(len(found)), arrays[0].size)
    return found


def cut(n, most):
    """Slices of n things, `most` or fewer each; where they are several, an even number, for two cores to share."""
    count = -(-n // most)
    count += count % 2 if count > 1 else 0
    step = -(-n // max(1, count))
    return [slice(start, start + step) for start in range(0, n, max(1, step))]


def in_turn_or_side_by_side(work, items, size):
    """work(item) for every item, side by side if the arrays have THREADED elements."""

    def in_turn(items):
        for item in items:
            work(item)

    if size < THREADED:
        run_side_by_side(in_turn, [items])
    else:
        run_side_by_side(work, items)
