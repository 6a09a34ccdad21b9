"""The flat gradients in buckets, and their sum over all processes, which begins while backward still runs.

Backward goes through the blocks from the last to the first, and adds nothing more to the gradients of a block that it
has left. So a bucket of these is sent while the matrix products of earlier blocks run. What is not a block's own, such
as the embeddings, which also get the gradient of the output head, waits for the end of backward.
"""

from contextvars import copy_context
from functools import cache
from threading import Condition, Thread

from numgpt.training.parallel.team import share

FEWEST, MOST = 8, 32  # buckets of a model: a small one's also leave during backward, a large one's are long messages
LONG = 1 << 20  # numbers that take far longer to send than the latency of a network


@cache
def buckets_of(n):
    """Slices of n numbers in a row, in the order in which backward completes them: the last one first."""
    size = max(1, min(-(-n // FEWEST), max(-(-n // MOST), LONG)))
    return tuple(slice(start, min(start + size, n)) for start in reversed(range(0, n, size)))


@cache
def parts_of(n, rank, size):
    """Which of n numbers in a row belong to `rank` out of `size`: an equal part of each bucket, slices."""
    if size == 1:
        return (slice(0, n),)
    return tuple(part_of(bucket, rank, size) for bucket in buckets_of(n))


def part_of(bucket, rank, size):
    """Which part of a bucket belongs to `rank`."""
    part = share(length(bucket), rank, size)
    return slice(bucket.start + part.start, bucket.start + part.stop)


def length(part):
    """How many numbers a part has."""
    return part.stop - part.start


def pieces(own, parts):
    """(part, the piece of `own` for it) for each of `parts`; `own` has all pieces in a row."""
    start = 0
    for part in parts:
        stop = start + length(part)
        yield part, own[start:stop]
        start = stop


class Reduction:
    """The sum of the gradients of `model` over the team: `begin` before the last backward of a step, `finish` after it.

    A team whose numbers go over a wire (`overlaps`) sums in a second thread between the two, any other in `finish`.
    """

    def __init__(self, model, team):
        self.model, self.team = model, team
        self.changed, self.left = Condition(), set()  # left: the blocks that the last backward has left so far
        blocks = blocks_of(model) if team.overlaps else []
        spans = [span(model, block) for block in blocks]
        buckets = [(bucket, left_when(bucket, spans)) for bucket in buckets_of(model.grads.size)]
        self.buckets = sorted(buckets, key=lambda bucket: bucket[1] is None)  # stable: those that wait for the end last
        for i, block in enumerate(blocks):
            block.backward = self.noting(i, block.backward)

    def noting(self, i, backward):
        """The backward of block i, after which its gradients can be summed."""

        def noted(*arguments):
            result = backward(*arguments)
            with self.changed:
                self.left.add(i)
                self.changed.notify()
            return result

        return noted

    def begin(self, factor):
        """From here on, whatever backward completes is multiplied by `factor` and summed."""
        self.factor, self.left, self.over, self.error, self.thread = factor, set(), False, None, None
        if self.team.overlaps:
            self.thread = Thread(target=copy_context().run, args=(self.sum_all,), daemon=True)
            self.thread.start()

    def finish(self):
        """Return when this process's parts of model.grads are the sums; the rest is left as it may be."""
        with self.changed:
            self.over = True
            self.changed.notify()
        if self.thread is None:
            self.sum_all()
        else:
            self.thread.join()
        if self.error is not None:
            raise self.error

    def sum_all(self):
        """Sum all buckets, each as soon as backward has left it."""
        try:
            self.team.reduce(self.model.grads, self.completed())
        except BaseException as error:
            self.error = error

    def completed(self):
        """The buckets, each once its gradients will not change any more."""
        for bucket, blocks in self.buckets:
            with self.changed:
                self.changed.wait_for(lambda blocks=blocks: self.over or (blocks is not None and blocks <= self.left))
            if self.factor != 1:
                self.model.grads[bucket] *= self.factor
            yield bucket


def blocks_of(model):
    """The layers that stand in lists, as a GPT's blocks do."""
    return [layer for path, layer in model.named_layers() if path.rpartition(".")[2].isdecimal()]


def span(model, block):
    """Where in the flat gradients the matrices of a block stand, which are next to each other: a slice."""
    matrices = [gradient for _, _, gradient in block.named_parameters() if gradient.ndim > 1]
    first = min(address(gradient) for gradient in matrices) - address(model.grads)
    start = first // model.grads.itemsize
    return slice(start, start + sum(gradient.size for gradient in matrices))


def address(array):
    """Where in memory an array begins."""
    return array.__array_interface__["data"][0]


def left_when(bucket, spans):
    """The numbers of the blocks that a bucket belongs to; None if a part of it belongs to none."""
    common = {i: min(bucket.stop, s.stop) - max(bucket.start, s.start) for i, s in enumerate(spans)}
    blocks = {i for i, n in common.items() if n > 0}
    return blocks if sum(common[i] for i in blocks) == length(bucket) else None
