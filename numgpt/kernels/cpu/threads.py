"""Running independent pieces of work side by side, when they are long enough to be worth it."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from threading import Lock

_cut_for = None


def cut_for(n):
    """Have work be cut as on n cores: the cut decides the last bits, which are to be those of another process."""
    global _cut_for
    _cut_for = n


def n_cores():
    """How many cores work is cut for: those that this process may use, unless `cut_for` says another number."""
    return _cut_for or n_available()


@cache
def n_available(pid=0):
    """How many cores a process may use."""
    return len(os.sched_getaffinity(pid)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def blas_libraries():
    """The controls of every BLAS in the process; none where threadpoolctl is not installed."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return ThreadpoolController().select(user_api="blas").lib_controllers


@cache
def helpers():
    """A pool of a thread for every core but the caller's, and the controls of BLAS's own threads.

    (None, []) where there is one core or threadpoolctl is not installed: then all work is done in order.
    """
    blas = blas_libraries()
    return (ThreadPoolExecutor(n_cores() - 1), blas) if blas and n_cores() > 1 else (None, [])


class Turn:
    """Whose turn it is to run side by side, one caller at a time: it holds `lock`, and BLAS had `limits` before."""

    def __init__(self):
        self.lock = Lock()
        self.limits = None


_turn = Turn()


def start_anew():
    """In the child of a fork, which has none of its parent's threads: forget the pool and whose turn it was.

    A parent that was in the middle of its work had BLAS at one thread; nobody gives the child its threads back.
    """
    global _turn
    limits, _turn = _turn.limits, Turn()
    if limits is not None:
        for library, limit in zip(helpers()[1], limits, strict=True):
            library.set_num_threads(limit)
    helpers.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)


def equal_parts(n, count):
    """n things in a row in `count` slices, as long as each other but for one thing."""
    return [slice(n * i // count, n * (i + 1) // count) for i in range(count)]


def run_all(work, items, threaded):
    """work(item) for every item: by `run_side_by_side` if `threaded`, else in this thread, and BLAS keeps its own."""
    if threaded:
        run_side_by_side(work, items)
    else:
        for item in items:
            work(item)


def run_side_by_side(work, items):
    """work(item) for every item, on as many cores as BLAS may use; a free thread takes the next item.

    Meanwhile BLAS keeps to one thread, even if there is one item only: a thread of BLAS's own that has run out
    of work goes on asking for more for some 25 milliseconds, and takes a core from Python's threads all that time.
    So what a training step multiplies is multiplied here; BLAS's threads serve the products of generation, which
    are too short for Python's.

    The threads are told what NumPy is to do about an overflow (np.errstate) as the caller was.
    """
    pool, blas = helpers()
    turn = _turn
    limits = [library.num_threads for library in blas]
    if pool is None or max(limits) == 1 or not turn.lock.acquire(blocking=False):
        for item in items:
            work(item)
        return
    waiting = deque(items)

    def work_off():
        while waiting:
            try:
                item = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            work(item)

    try:
        turn.limits = limits
        for library in blas:
            library.set_num_threads(1)
        others = [pool.submit(copy_context().run, work_off) for _ in range(min(max(limits), n_cores(), len(items)) - 1)]
        try:
            work_off()
        finally:
            waiting.clear()
            for other in others:
                other.result()
    finally:
        for library, limit in zip(blas, limits, strict=True):
            library.set_num_threads(limit)
        turn.limits = None
        turn.lock.release()
