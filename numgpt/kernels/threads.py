"""Running independent pieces of work side by side, when they are long enough to be worth it."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def workers():
    """A pool of as many threads as this process may use cores, and the control of BLAS's own threads.

    (None, None) where there is one core or threadpoolctl is not installed: then all work is done in order.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None, None
    return (ThreadPoolExecutor(cores), ThreadpoolController()) if cores > 1 else (None, None)


def run_side_by_side(work, items):
    """work(item) for every item, on all cores at once.

    While Python's threads run, each product keeps to one thread: two pools of threads that wait for each other
    on the same cores are three times slower than either alone.
    """
    pool, blas = workers()
    if pool is None or len(items) < 2:
        for item in items:
            work(item)
        return
    with blas.limit(limits=1, user_api="blas"):
        list(pool.map(work, items))
