"""Processes of one machine: numbers go through memory that they share, and a barrier says when they are there."""

import math
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from multiprocessing import connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from numgpt.errors import InputError
from numgpt.training.parallel.buckets import parts_of, pieces
from numgpt.training.parallel.team import Alone, share

HEADER = 4096  # bytes: the word of rank 0, and two numbers of each rank
SHARED = "/dev/shm"  # where Linux has memory that processes share
LOST = 1  # exit status of a run that lost a process


class Processes(Alone):
    """The team of one of `size` processes. Made at rank 0, it brings the others up in `recruit`.

    Until `dismiss`, this process has its share of the cores alone.
    """

    def __init__(self, size):
        self.rank, self.size, self.turn = 0, size, 0
        self.cores = cores_of(size)
        self.barrier = multiprocessing.get_context("spawn").Barrier(size)
        self.memory, self.started = None, []
        self.release = keep_to(self.cores[0], size)

    def recruit(self, orders, model):
        """Start the other processes, give them their Orders, and all of them the weights of this one's model."""
        n_bytes = HEADER + (self.size + 1) * model.values.nbytes
        check_room(n_bytes)
        self.memory = SharedMemory(create=True, size=n_bytes)
        self.lay_out(model)
        self.weights[...] = model.values
        context = multiprocessing.get_context("spawn")
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the others inherit: Ctrl-C is for rank 0
        try:
            for rank in range(1, self.size):
                arguments = (rank, self.cores, self.barrier, self.memory.name, orders)
                self.started.append(context.Process(target=work, args=arguments, daemon=True))
                self.started[-1].start()
        finally:
            signal.signal(signal.SIGINT, before)
        threading.Thread(target=self.watch, daemon=True).start()
        self.barrier.wait()

    def start(self, model):
        """At another rank: take the weights of rank 0."""
        self.lay_out(model)
        model.values[...] = self.weights
        self.barrier.wait()

    def lay_out(self, model):
        """Name the shared memory's pieces: word, numbers, a slot of gradients for each rank, weights.

        The model's gradients move to this process's slot, where the others can read them.
        """
        n, dtype = model.values.size, model.values.dtype
        self.word = np.ndarray(1, np.int64, self.memory.buf)
        self.numbers = np.ndarray((2, self.size), np.float64, self.memory.buf, 64)
        self.slots = np.ndarray((self.size, n), dtype, self.memory.buf, HEADER)
        self.weights = np.ndarray(n, dtype, self.memory.buf, HEADER + self.slots.nbytes)
        model.grads = self.slots[self.rank]
        model.bind()

    def watch(self):
        """End the run when one of the others ends before it was told to: nobody would ever pass a barrier again."""
        lost = connection.wait([other.sentinel for other in self.started])
        mapped = self.memory  # until the end: the main thread may be writing to it
        if mapped is None:
            return
        rank = 1 + [other.sentinel for other in self.started].index(lost[0])
        print(
            f"numgpt: process {rank} of {self.size} is gone, so the run ends; any checkpoint that it has is "
            "whole: continue with --resume",
            file=sys.stderr,
            flush=True,
        )
        self.dismiss()
        os._exit(LOST)

    def dismiss(self):
        """Have the others gone, and free the memory."""
        memory, self.memory = self.memory, None
        if memory is not None:
            for other in self.started:
                other.kill()
            memory.unlink()
        self.release()

    def say(self, word):
        if self.rank == 0 and self.memory is not None:
            self.word[0] = word
            self.barrier.wait()

    def hear(self):
        """At another rank: the next word."""
        self.barrier.wait()
        return int(self.word[0])

    def sum(self, number):
        self.turn ^= 1  # who writes the next number may do so while others still read this one
        self.numbers[self.turn, self.rank] = number
        self.barrier.wait()
        return math.fsum(self.numbers[self.turn].tolist())

    def reduce(self, grads, buckets):
        """See Alone. `grads` is this process's slot."""
        super().reduce(grads, buckets)
        self.barrier.wait()
        for part in parts_of(grads.size, self.rank, self.size):
            for rank in self.others:
                grads[part] += self.slots[rank, part]

    def share(self, values):
        for part in parts_of(values.size, self.rank, self.size):
            self.weights[part] = values[part]
        self.barrier.wait()
        for rank in self.others:
            for part in parts_of(values.size, rank, self.size):
                values[part] = self.weights[part]

    def gather(self, own, n):
        for part, piece in pieces(own, parts_of(n, self.rank, self.size)):
            self.slots[0, part] = piece
        self.barrier.wait()
        whole = self.slots[0].copy() if self.rank == 0 else None
        self.barrier.wait()
        return whole


class Follower(Processes):
    """The same at another rank, which is brought up by rank 0."""

    def __init__(self, rank, size, barrier, memory):
        self.rank, self.size, self.turn = rank, size, 0
        self.barrier, self.memory, self.started = barrier, memory, []


def work(rank, cores, barrier, name, orders):
    """The life of another process."""
    from numgpt.training.parallel.worker import follow

    size = len(cores)
    keep_to(cores[rank], size)
    threading.Thread(target=end_with_the_first, daemon=True).start()
    try:
        follow(Follower(rank, size, barrier, SharedMemory(name)), orders)
    except (InputError, OSError, MemoryError) as error:
        print(f"numgpt: process {rank}: {error}", file=sys.stderr)
        sys.exit(LOST)


def end_with_the_first():
    """Wait until rank 0 is gone; then nobody needs this process."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(LOST)


def cores_of(size):
    """The cores of each process, lists; of a machine with fewer cores than processes all for each; None if unknown."""
    if not hasattr(os, "sched_getaffinity"):
        return [None] * size
    cores = sorted(os.sched_getaffinity(0))
    return [cores[share(len(cores), rank, size)] or cores for rank in range(size)]


def keep_to(cores, size):
    """Have this process run on these cores alone, and BLAS on as many threads. Returns what undoes it."""
    from threadpoolctl import threadpool_limits

    if cores is None:
        return threadpool_limits(max(1, (os.cpu_count() or 1) // size)).restore_original_limits
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    limits = threadpool_limits(len(cores))

    def release():
        os.sched_setaffinity(0, before)
        limits.restore_original_limits()

    return release


def check_room(n_bytes):
    """Raise InputError where the machine has not so much memory to share: to write beyond it would end the process."""
    if os.path.isdir(SHARED) and shutil.disk_usage(SHARED).free < n_bytes:
        raise InputError(
            f"{SHARED} has {shutil.disk_usage(SHARED).free / 2**20:,.0f} MB free, and {n_bytes / 2**20:,.0f} are "
            "needed: make it larger, or use fewer processes"
        )
