"""What a process of a run is told of the others."""

STEP, ARRAYS, LOSS, END = range(4)  # what rank 0 says before it does the same


def share(n, rank, size):
    """Which of n things, in a row, are those of `rank` out of `size`: a slice."""
    return slice(n * rank // size, n * (rank + 1) // size)


class Alone:
    """The team of a run that is one process; Processes and MPI have the same methods.

    overlaps: whether gradients can be on their way while this process computes others.
    """

    rank, size, overlaps = 0, 1, False

    @property
    def others(self):
        """All ranks but this process's."""
        return [rank for rank in range(self.size) if rank != self.rank]

    def say(self, word):
        """From rank 0: what all do next, one of the words above. From others: nothing."""

    def sum(self, number):
        """The sum of what every process gives, in the order of ranks."""
        return number

    def reduce(self, grads, buckets):
        """Give this process's part of each bucket of the flat gradients the sum of all processes' gradients.

        buckets: gives one bucket after the other as they are completed, in the same order everywhere.
        """
        for _ in buckets:
            pass

    def share(self, values):
        """Give every process the others' parts of the flat weights."""

    def gather(self, own, n):
        """At rank 0, all parts of a flat array of n, of which `own` are this process's in a row; elsewhere None."""
        return own


ALONE = Alone()
