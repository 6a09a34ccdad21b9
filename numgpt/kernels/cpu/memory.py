"""Large arrays in memory that was used before.

An operating system hands out memory page by page as it is first touched, and zeroes each page: for many arrays
that costs more than what is computed into them. So the memory of an array that is no longer used is kept for the
next of its size. What is kept counts as memory of the process, so a large process is never larger for it than its
arrays were at their largest moment.
"""

import math
import mmap
import os
import weakref
from collections import deque
from contextlib import suppress
from threading import Lock

import numpy as np

KEPT = 2**30  # bytes kept at most while no array uses them
FREELY = 2**28  # bytes of a process that is not large: it may keep more than its arrays ever were
SMALL = 2**16  # bytes below which an array may as well have fresh memory
HUGE = 2**22  # bytes from which on larger pages are asked for, of which fewer have to be zeroed one by one
ACCESS = mmap.ACCESS_COPY if hasattr(os, "fork") else mmap.ACCESS_DEFAULT  # what is forked gets a copy
ROOMY = 1.25  # times the bytes that are asked for a block may have


class Pool:
    """Blocks of memory: in_use and most are bytes in arrays, now and at their largest moment.

    free: bytes -> blocks of that many bytes that no array uses. returned: blocks that are to come there. An array can
    die at any moment, even while its thread is in here; so its block only waits.
    """

    def __init__(self):
        self.free: dict[int, list[memoryview]] = {}
        self.returned: deque[memoryview] = deque()
        self.in_use = self.most = 0
        self.unlock()

    def unlock(self):
        """After a fork, where no other thread is left that could hold the lock."""
        self.lock = Lock()

    def take(self, size):
        """A block of at least `size` bytes: a free one of that size, or up to ROOMY times as large, or a new one."""
        with self.lock:
            self.take_in()
            block = self.fitting(size)
            if block is None:
                self.let_go(max(0, max(FREELY, self.most) - self.in_use - size))
                block = new(size)
            self.in_use += block.nbytes
            self.most = max(self.most, self.in_use)
        return block

    def give_back(self, block):
        """Make a block available."""
        self.returned.append(block)
        if self.lock.acquire(blocking=False):
            try:
                self.take_in()
            finally:
                self.lock.release()

    def take_in(self):
        """Bring what was returned where it is found."""
        while self.returned:
            block = self.returned.popleft()
            self.in_use -= block.nbytes
            self.free.setdefault(block.nbytes, []).append(block)
        self.let_go(KEPT)

    def fitting(self, size):
        """The smallest free block that may serve, if there is one."""
        sizes = [other for other in self.free if size <= other <= ROOMY * size]
        return self.remove(min(sizes)) if sizes else None

    def let_go(self, limit):
        """Keep no more than `limit` bytes; those go first whose size has most."""
        excess = sum(size * len(blocks) for size, blocks in self.free.items()) - limit
        while excess > 0:
            excess -= self.remove(max(self.free, key=lambda size: size * len(self.free[size]))).nbytes

    def remove(self, size):
        """One of the free blocks of a size."""
        block = self.free[size].pop()
        if not self.free[size]:
            del self.free[size]
        return block


def new(size):
    """A block from the operating system, which has it back as soon as it is let go: malloc would keep some."""
    try:
        block = mmap.mmap(-1, size, access=ACCESS)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes of memory cannot be had") from error
    if size >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # of a kernel without
            block.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(block)


pool = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.unlock)


def empty(shape, dtype):
    """np.empty(shape, dtype), perhaps in used memory; it comes back when the last view of the array is gone."""
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    block = pool.take(size)
    array = np.frombuffer(
        block[:size], dtype
    )  # every view of it has this array as its base, as a memoryview cannot be one
    weakref.finalize(array, pool.give_back, block).atexit = False
    return array.reshape(shape)


def empty_like(x):
    """`empty` of the shape and dtype of x."""
    return empty(x.shape, x.dtype)
