"""Processes of any number of machines, through MPI: mpiexec -n N numgpt train ...

All have to see the folder of the run under the same path.
"""

import math
import os
import time

import numpy as np

from numgpt.errors import InputError
from numgpt.training.parallel.buckets import buckets_of, length, part_of, parts_of, pieces
from numgpt.training.parallel.team import END, Alone, share

PAUSE = 2e-4  # seconds between two looks at what is on its way; MPI's own waiting would take the core from backward
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
        self.in_place, self.wait_all = mpi.IN_PLACE, mpi.Request.Waitall
        self.rank, self.size = self.comm.rank, self.comm.size
        self.overlaps = mpi.Query_thread() >= mpi.THREAD_SERIALIZED
        self.recruited = self.dismissed = False
        self.received = None

    def recruit(self, orders, model):
        """At rank 0: give the others their Orders, and the model's weights."""
        self.comm.bcast(orders, 0)
        self.recruited = True
        self.start(model)

    def orders(self):
        """At another rank: its Orders; None where rank 0 has nothing to do."""
        return self.comm.bcast(None, 0)

    def start(self, model):
        """Have the model take the weights of rank 0's."""
        self.comm.Bcast(model.values, 0)

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

    def reduce(self, grads, buckets):
        if self.received is None:
            most = max(map(length, parts_of(grads.size, self.rank, self.size)))
            self.received = np.empty((self.size, most), grads.dtype)
        places = [rank * self.received.shape[1] for rank in range(self.size)]
        for bucket in buckets:
            own = grads[part_of(bucket, self.rank, self.size)]
            sent, starts = self.layout(bucket)
            taken = [own.size] * self.size
            sent[self.rank] = taken[self.rank] = 0
            request = self.comm.Ialltoallv([grads[bucket], (sent, starts)], [self.received, (taken, places)])
            while not request.Test():
                time.sleep(PAUSE)
            for rank in self.others:
                own += self.received[rank, : own.size]

    def share(self, values):
        buckets = buckets_of(values.size)
        self.wait_all([self.comm.Iallgatherv(self.in_place, [values[b], self.layout(b)]) for b in buckets])

    def gather(self, own, n):
        if self.rank != 0:
            self.comm.Send(own, 0)
            return None
        whole = np.empty(n, own.dtype)
        for rank in range(self.size):
            parts = parts_of(n, rank, self.size)
            if rank != 0:
                own = np.empty(sum(map(length, parts)), own.dtype)
                self.comm.Recv(own, rank)
            for part, piece in pieces(own, parts):
                whole[part] = piece
        return whole

    def layout(self, bucket):
        """(how many numbers of a bucket each rank has, where in it they begin)."""
        parts = [share(length(bucket), rank, self.size) for rank in range(self.size)]
        return [length(part) for part in parts], [part.start for part in parts]

    def fail(self):
        """End the processes of all ranks at once: this one cannot go on, and they would wait for ever."""
        self.comm.Abort(1)
