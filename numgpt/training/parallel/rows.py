"""Which rows of a batch are this process's, and the dropout of exactly these."""

import math
from functools import partial

import numpy as np

from numgpt.layers.dropout import Dropout, draw_dropped
from numgpt.training.parallel.team import share


class Dealing:
    """The rows of the batch at hand that are a process's. `model`'s dropout is drawn for them as of the whole batch."""

    def __init__(self, model, rank, size):
        self.rank, self.size, self.rng = rank, size, model.rng
        self.rows, self.n_rows = slice(0, 1), 1
        for _, layer in model.named_layers():
            if size > 1 and isinstance(layer, Dropout):
                layer.draw = partial(self.draw, layer)

    def own(self, batch):
        """(the same batch with this process's rows alone, whether they are to be learnt from).

        Where there are fewer rows than processes, one without any reads the first, so that its generator is where the
        others' are, and learns nothing.
        """
        self.n_rows = len(batch[0])
        self.rows = share(self.n_rows, self.rank, self.size)
        learning = self.rows.stop > self.rows.start
        if not learning:
            self.rows = slice(0, 1)
        return [part[self.rows] if isinstance(part, np.ndarray) else part for part in batch], learning

    def draw(self, layer, shape, like):
        """In the place of Dropout.draw: of the mask that one process draws for all rows, those of `shape`."""
        if not (layer.training and layer.p):
            return None
        return draw_dropped(WordsOf(self.rng, self.rows, self.n_rows, math.prod(shape[1:])), shape, layer.p, like)


class WordsOf:
    """In a generator's place for one draw: it jumps over the words of other rows, which cost nothing.

    draw_dropped takes four elements from a word of 64 bits, so that a row may begin within one.
    """

    def __init__(self, rng, rows, n_rows, width):
        self.rng, self.first, self.last, self.n = rng, rows.start * width, rows.stop * width, n_rows * width

    def integers(self, low, high, size, dtype, endpoint):
        before, after, total = self.first // 4, -(-self.last // 4), -(-self.n // 4)
        self.rng.bit_generator.advance(before)
        drawn = self.rng.integers(low, high, after - before, dtype=dtype, endpoint=endpoint)
        self.rng.bit_generator.advance(total - after)
        words = np.zeros(4 * size, np.uint16)
        elements = drawn.view(np.uint16)[self.first - 4 * before : self.last - 4 * before]
        words[: len(elements)] = elements
        return words.view(np.uint64)
