"""Processes of any number of machines, through MPI: mpiexec -n N numgpt train ...

All have to see the folder of the run under the same path.
"""

import math
import os

import numpy as np

from numgpt.errors import InputError
from numgpt.training.parallel.team import END, Alone, share

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "MPI_LOCALNRANKS")  # mpiexec tells by these that it is there


def started_by_mpiexec():
    """Whether this process is one of several that mpiexec has started."""
    return any(os.environ.get(name, "1") not in ("", "1") for name in SIZES)


class MPI(Alone):
    """The team of a process that mpiexec has started. Raises InputError without the mpi4py library."""

    def __init__(self):
        try:
            from mpi4py import MPI as mpi
        except ImportError as error:
            raise InputError(f"mpiexec needs the mpi4py library: pip install 'numgpt[mpi]' ({error})") from None
        self.comm = mpi.COMM_WORLD
        self.in_place = mpi.IN_PLACE
        self.rank, self.size, self.recruited = self.comm.rank, self.comm.size, False
        self.dismissed = False

    def recruit(self, orders, values):
        """At rank 0: give the others their Orders, and the weights `values`."""
        self.comm.bcast(orders, 0)
        self.recruited = True
        self.start(values)

    def orders(self):
        """At another rank: its Orders; None where rank 0 has nothing to do."""
        return self.comm.bcast(None, 0)

    def start(self, values):
        """Take the weights of rank 0."""
        self.comm.Bcast(values, 0)

    def dismiss(self):
        """At rank 0: let the others go."""
        if not self.dismissed:
            self.dismissed = True
            self.comm.bcast(END if self.recruited else None, 0)

    def say(self, word):
        if self.rank == 0 and self.recruited:
            self.comm.bcast(word, 0)

    def hear(self):
        """At another rank: the next word."""
        return self.comm.bcast(None, 0)

    def sum(self, number):
        return math.fsum(self.comm.allgather(float(number)))

    def reduce(self, grads):
        own = self.part(grads.size)
        counts, starts = self.layout(grads.size)
        n = counts[self.rank]
        received = np.empty((self.size, n), grads.dtype)
        self.comm.Alltoallv([grads, (counts, starts)], [received, ([n] * self.size, range(0, n * self.size, n or 1))])
        grads[own] = received[0]
        for part in received[1:]:
            grads[own] += part

    def share(self, values):
        self.comm.Allgatherv(self.in_place, [values, self.layout(values.size)])

    def gather(self, own, n):
        whole = np.empty(n, own.dtype) if self.rank == 0 else None
        self.comm.Gatherv(own, [whole, self.layout(n)] if self.rank == 0 else None, 0)
        return whole

    def layout(self, n):
        """(how many of n each rank has, where they begin)."""
        parts = [share(n, rank, self.size) for rank in range(self.size)]
        return [part.stop - part.start for part in parts], [part.start for part in parts]

    def fail(self):
        """End the processes of all ranks at once: this one cannot go on, and they would wait for ever."""
        self.comm.Abort(1)
