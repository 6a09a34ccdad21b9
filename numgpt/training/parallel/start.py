"""How a run gets its team, and is left by it."""

import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels.cpu.threads import n_cores
from numgpt.training.parallel.mpi import MPI, started_by_mpiexec
from numgpt.training.parallel.processes import Processes, on_one_core
from numgpt.training.parallel.team import ALONE
from numgpt.training.parallel.worker import follow, orders_of

MOST = 64
AUTO = "auto"
GAIN = 1.2  # how much faster a step has to be with a process a core for them to be taken


@cache
def mpi():
    """The team that mpiexec has made; None where this process was started by itself."""
    return MPI() if started_by_mpiexec() else None


def follow_mpi():
    """Whether this process is another than the first of mpiexec's; it has then done all that it is there for."""
    team = mpi()
    if team is None or team.rank == 0:
        return False
    try:
        orders = team.orders()
        if orders is not None:
            follow(team, orders)
    except BaseException:
        team.fail()
    return True


def read_processes(text, device):
    """AUTO, or a number of processes. Raises InputError for another text, and for several processes on a GPU."""
    if text != AUTO and not (text.isdecimal() and 1 <= int(text) <= MOST):
        raise InputError(f"--processes must be a number from 1 to {MOST}, or auto, not {quoted(text)}")
    if device != "cpu" and (text != "1" or mpi()):
        raise InputError("several processes train on the CPU only: leave out --device, or --processes")
    return text if text == AUTO else int(text)


@contextmanager
def teamed(session, processes):
    """The Session whose steps are made by all the processes that are asked for; they are gone in the end."""
    team = mpi() or processes_of(session, processes)
    if team is ALONE:
        yield session
        return
    try:
        session = replace(session, trainer=session.trainer.joining(team))
        team.recruit(orders_of(session), session.trainer.model.values)
        yield session
    except Exception as error:
        if not isinstance(error, InputError | OSError):  # which come between two words; another may come anywhere
            team.fail()
        raise
    finally:
        team.dismiss()


def processes_of(session, processes):
    """The team of so many processes on this machine."""
    n = faster(session.trainer) if processes == AUTO else processes
    return ALONE if n == 1 else Processes(n)


def faster(trainer):
    """1, or as many processes as there are cores, whichever makes a step faster; says what was measured.

    A process of several computes its rows on one core. So what is compared is a batch on all cores with a part of it on
    one; what the processes wait for each other is not in it, which is why GAIN is asked for.
    """
    n = n_cores()
    if n == 1:
        return 1
    together = seconds(trainer, 1)
    with on_one_core():
        apart = seconds(trainer, n)
    chosen = n if apart * GAIN < together else 1
    print(
        f"processes: {chosen} (gradients of a batch take {together:.3f} s on {n} cores, {apart:.3f} s dealt to {n} "
        "processes)",
        file=sys.stderr,
    )
    return chosen


def seconds(trainer, n):
    """What the gradients of the first of n parts of a batch take, the second time; nothing of the trainer changes."""
    before = trainer.state()
    batch = trainer.batches.draw()
    own = [part[: -(-len(part) // n)] if hasattr(part, "shape") else part for part in batch]
    for _ in range(2):
        start = time.perf_counter()
        trainer.model.loss(*own)
        trainer.model.backward()
        elapsed = time.perf_counter() - start
    trainer.model.zero_grad()
    trainer.set_state(before)
    return elapsed
