"""Work that is dealt to several processes: those of --processes N, or those that mpiexec started.

    if follow_mpi(follow): return 0
    with leading_mpi(), dealing(args.processes, args.device) as deal:
        for result in deal(work, items): ...

`deal` yields work(item) in the order of the items, as the built-in map does; for one process it is that map. Every
process gets `work` once, pickled with all that it holds: the first process's own model, not one that may have taken its
name since. Only the first process reads, prints and writes.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from numgpt.errors import InputError
from numgpt.kernels.cpu.threads import cut_for, n_available, n_cores
from numgpt.training.parallel.processes import cores_of, end_with_the_first, keep_to
from numgpt.training.parallel.start import mpi, read_number

EXPECTED = (
    InputError,
    OSError,
    MemoryError,
)  # what rank 0 reports in one line; anything else is a bug, with its traceback
LOST = (
    "a process has died, perhaps because memory ran out: use fewer --processes; with --out, the same command continues "
    "where this one ended"
)


@contextmanager
def dealing(processes, device):
    """A context with a function deal(work, *columns), like the built-in map; processes that it started end with it.

    For any number of processes the results are the same but for rounding, as each cuts its work as a single one would;
    they are the same to the bit if each has one BLAS thread. processes: the text of --processes; None: 1. Raises
    InputError for anything but a number of processes, for several on a GPU, and if one of them dies.
    """
    n = read_processes(processes, device)
    try:
        with ExitStack() as stack:
            if mpi():
                yield lambda *work: stack.enter_context(closing(deal_by_mpi(mpi(), *work)))
            else:
                yield map if n == 1 else partial(deal_to_pool, stack, n)
    except BrokenProcessPool:
        raise InputError(LOST) from None


def read_processes(text, device):
    """--processes as a number; None: 1. Raises InputError for several on a GPU."""
    n = 1 if text is None else read_number(text)
    if device != "cpu" and (n > 1 or mpi()):
        raise InputError("several processes work on the CPU only: leave out --device, or --processes")
    return n


def deal_to_pool(stack, n, work, *columns):
    """Deal to n processes of this machine, each of which takes the next item when it is ready."""
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(n, context, begin, (work, n_cores(), context.Value("i", 0), cores_of(n)))

    @stack.callback
    def end():
        for child in multiprocessing.active_children():
            if child not in others:
                child.kill()
        pool.shutdown(cancel_futures=True)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the others inherit it: Ctrl-C is for this process
    try:
        return pool.map(do, *columns)
    finally:
        signal.signal(signal.SIGINT, before)


def begin(work, cut, n_begun, cores):
    """In a process of the pool: take the next share of the cores, and `work`."""
    global _work
    cut_for(cut)
    threading.Thread(target=end_with_the_first, daemon=True).start()
    with n_begun.get_lock():
        keep_to(cores[n_begun.value], len(cores))
        n_begun.value += 1
    _work = work


def do(*item):
    """In a process of the pool: the work on one item."""
    return _work(*item)


def deal_by_mpi(team, work, *columns):
    """Deal to the processes of mpiexec, in rounds: in each, rank r gets item r of those that are left."""
    cut = n_available(os.getppid())  # of mpiexec: it may have bound this process to one of its cores
    cut_for(cut)
    team.comm.bcast((work, cut), 0)
    items = list(zip(*columns, strict=True))
    try:
        for first in range(0, len(items), team.size):
            hands = [items[i : i + 1] for i in range(first, first + team.size)]
            for result in play(team.comm, work, team.comm.scatter(hands, 0)):
                if isinstance(result, EXPECTED):
                    raise result
                yield result
    finally:
        team.comm.scatter([None] * team.size, 0)


def follow(team, orders):
    """At every rank but 0: do its part of each round."""
    while orders is not None:
        work, cut = orders
        cut_for(cut)
        while (hand := team.comm.scatter(None, 0)) is not None:
            play(team.comm, work, hand)
        orders = team.orders()


def play(comm, work, hand):
    """Do the work on the items in `hand`; at rank 0, return the results of all ranks in order."""
    found = comm.gather([outcome(work, item) for item in hand], 0)
    return [result for part in found or [] for result in part]


def outcome(work, item):
    """The result of `work`, or the error that rank 0 is to report."""
    try:
        return work(*item)
    except EXPECTED as error:
        return error
