"""What a process of a run is told of the others."""

STEP, ARRAYS, LOSS, END = range(4)  # what rank 0 says before it does the same


def share(n, rank, size):
    """Which of n things, in a row, are those of `rank` out of `size`: a slice."""
    return slice(n * rank // size, n * (rank + 1) // size)


class Alone:
    """The team of a run that is one process; Processes and MPI have the same methods."""

    rank, size = 0, 1

    def part(self, n):
        """Which of n things in a row are this process's, a slice."""
        return share(n, self.rank, self.size)

    def say(self, word):
        """From rank 0: what all do next, one of the words above. From others: nothing."""

    def sum(self, number):
        """The sum of what every process gives, in the order of ranks."""
        return number

    def reduce(self, grads):
        """Give this process's part of the flat gradients the sum of all processes'; the rest is left anyhow."""

    def share(self, values):
        """Give every process the others' parts of the flat weights."""

    def gather(self, own, n):
        """At rank 0, all parts of a flat array of n, of which `own` is this process's; elsewhere None."""
        return own


ALONE = Alone()
