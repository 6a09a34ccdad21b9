"""How a run gets its team, and is left by it."""

import shutil
import sys
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from numgpt.errors import InputError
from numgpt.files import newest_checkpoint, quoted
from numgpt.kernels.cpu.threads import n_cores
from numgpt.training.parallel.mpi import MPI, started_by_mpiexec
from numgpt.training.parallel.processes import Processes
from numgpt.training.parallel.team import ALONE
from numgpt.training.parallel.worker import follow, orders_of
from numgpt.training.session import DATA

MOST = 64
AUTO = "auto"
GAIN = 1.2  # how much faster a step has to be with a process a core for them to be taken
LONG = 1.0  # seconds of a batch whose matrix products are long enough for threads
WORTH = 20.0  # seconds of a run that is long enough to start processes for
PROGRAMS = ("numgpt", "numgpt.exe", "__main__.py")  # any other would be run anew by each process that is started


@cache
def mpi():
    """The team that mpiexec has made; None where this process was started by itself."""
    return MPI() if started_by_mpiexec() else None


def follow_mpi(follow=follow):
    """Whether this process is another than the first of mpiexec's; it has then done all that it is there for.

    follow(team, orders): what it does, given the first thing that rank 0 sends.
    """
    team = mpi()
    if team is None or team.rank == 0:
        return False
    try:
        orders = team.orders()
        if orders is not None:
            follow(team, orders)
    except BaseException:
        traceback.print_exc()
        team.fail()
    return True


@contextmanager
def leading_mpi():
    """While this lasts, rank 0 of mpiexec's works; whatever ends that, the others do not wait for it for ever."""
    team = mpi()
    try:
        yield
    except (InputError, OSError):  # between two words, or of all ranks at once
        raise
    except BaseException:
        if team:
            traceback.print_exc()
            team.fail()
        raise
    finally:
        if team:
            team.dismiss()


def read_processes(text, device):
    """AUTO, or a number of processes. Raises InputError for another text, and for several processes on a GPU."""
    n = AUTO if text == AUTO else read_number(text, ", or auto")
    if device != "cpu" and (text not in ("1", AUTO) or mpi()):
        raise InputError("several processes train on the CPU only: leave out --device, or --processes")
    return n if device == "cpu" else 1


def read_number(text, alternative=""):
    """A number of processes. Raises InputError for another text, with the `alternative` that there is to a number."""
    if not (text.isdecimal() and 1 <= int(text) <= MOST):
        raise InputError(f"--processes must be a number from 1 to {MOST}{alternative}, not {quoted(text)}")
    return int(text)


@contextmanager
def teamed(session, processes):
    """The Session whose steps are made by all the processes that are asked for; they are gone in the end."""
    team = mpi() or processes_of(session, processes)
    if team is ALONE:
        yield session
        return
    try:
        session = replace(session, trainer=session.trainer.joining(team))
        recruit(session, team)
        yield session
    finally:
        if team is not mpi():
            team.dismiss()


def recruit(session, team):
    """Have the others of the team stand where this process does; a run that cannot begin so leaves no data behind."""
    try:
        team.recruit(orders_of(session), session.trainer.model)
    except InputError:
        if newest_checkpoint(session.run) is None:
            shutil.rmtree(session.run / DATA, ignore_errors=True)
        raise


def processes_of(session, processes):
    """The team of so many processes on this machine.

    AUTO continues a run with as many as it had, so that it ends with the same bits as an undisturbed one.
    """
    n = processes
    if n == AUTO:
        n = min(session.processes, n_cores()) if session.processes else faster(session.trainer)
    return ALONE if n == 1 else Processes(n)


def faster(trainer):
    """1, or as many processes as there are cores, whichever makes a step faster; says what was measured.

    A process of several computes its rows on one core. So what is compared is a batch on all cores with a part of it on
    one; what the processes wait for each other is not in it, which is why GAIN is asked for.
    """
    from threadpoolctl import threadpool_limits

    n = n_cores()
    if n == 1 or Path(sys.argv[0]).name not in PROGRAMS:
        return 1
    together = seconds(trainer, 1)
    if together * (trainer.settings.max_steps - trainer.steps) * trainer.settings.accumulate < WORTH:
        return 1
    if together > LONG:
        print(f"processes: 1 (a batch takes {together:.1f} s on {n} cores: enough work for threads)", file=sys.stderr)
        return 1
    with threadpool_limits(1):  # and so the kernels have one
        apart = seconds(trainer, n)
    chosen = n if apart * GAIN < together else 1
    print(
        f"processes: {chosen} (gradients of a batch take {together:.3f} s on {n} cores, {apart:.3f} s dealt to {n} "
        "processes)",
        file=sys.stderr,
    )
    return chosen


def seconds(trainer, n):
    """What the gradients of the first of n parts of a batch take; nothing of the trainer changes.

    The least of three after a first time, which is slower; of a batch that takes LONG, that of the first.
    """
    before = trainer.state()
    batch = trainer.batches.draw()
    own = [part[: -(-len(part) // n)] if hasattr(part, "shape") else part for part in batch]
    times = [seconds_of(trainer.model, own)]
    if times[0] <= LONG:
        times = [seconds_of(trainer.model, own) for _ in range(3)]
    trainer.model.zero_grad()
    trainer.set_state(before)
    return min(times)


def seconds_of(model, batch):
    """What the gradients of a batch take."""
    start = time.perf_counter()
    model.loss(*batch)
    model.backward()
    return time.perf_counter() - start
