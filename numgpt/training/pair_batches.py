"""Batches of pairs of texts, of similar lengths, so that little of them is padding."""

import numpy as np

from numgpt.errors import InputError
from numgpt.model.transformer import BEGIN, END, PAD
from numgpt.numbers import check_number
from numgpt.training.documents import counted


class PairPart:
    """The ids of P pairs: a Part whose documents are source, target, source, target, ..., without marks."""

    def __init__(self, part):
        self.ids, self.spans = part.ids, np.array(part.documents).reshape(-1, 2, 2)
        lengths = self.spans[:, :, 1] - self.spans[:, :, 0]
        self.widths = np.maximum(lengths[:, 0], lengths[:, 1] + 1)  # END is predicted too
        self.source_lengths, self.target_lengths = lengths.T

    @property
    def amount(self):
        """Its size, in words."""
        return f"{len(self.ids):,} tokens in {counted(len(self.spans), 'pair')}"

    def text(self, pair, side):
        """The ids of one side of a pair, a list. side: 0 for the source, 1 for the target."""
        begin, end = self.spans[pair, side]
        return self.ids[begin:end].tolist()

    def rows(self, pairs):
        """(src, tgt), int64, of the pairs with these numbers: (B, S), and (B, T) with BEGIN and END; both padded."""
        src = np.full((len(pairs), self.source_lengths[pairs].max()), PAD, np.int64)
        tgt = np.full((len(pairs), self.target_lengths[pairs].max() + 2), PAD, np.int64)
        tgt[:, 0] = BEGIN
        for row, pair in enumerate(pairs):
            source, target = self.text(pair, 0), self.text(pair, 1)
            src[row, : len(source)] = source
            tgt[row, 1 : len(target) + 1] = target
            tgt[row, len(target) + 1] = END
        return src, tgt

    def cut(self, pairs, budget):
        """Cut `pairs`, in order, into arrays of at most `budget` ids on each side, padding included.

        A single pair may have more.
        """
        batches, start, width = [], 0, 0
        for place, wider in enumerate(self.widths[pairs].tolist()):
            width = max(width, wider)
            if place > start and (place + 1 - start) * width > budget:
                batches.append(pairs[start:place])
                start, width = place, wider
        return [*batches, pairs[start:]]

    def by_length(self, pairs):
        """`pairs`, the shortest first; equally long ones keep their order."""
        return pairs[np.lexsort((self.source_lengths[pairs], self.widths[pairs]))]


class PairBatches:
    """Epochs of all pairs: shuffled, sorted by length, cut into batches, and these drawn in random order.

    A batch is (src, tgt, label_smoothing), the arguments of a Transformer's `loss`; src and tgt have at most
    batch_tokens ids each. part: a PairPart. rng: a numpy.random.Generator, used at the start of each epoch.
    """

    def __init__(self, part, batch_tokens, label_smoothing, rng):
        self.part, self.batch_tokens, self.label_smoothing, self.rng = part, batch_tokens, label_smoothing, rng
        self.begin()

    def begin(self):
        """Begin another epoch."""
        self.before = self.rng.bit_generator.state
        mixed = self.rng.permutation(len(self.part.spans))
        batches = self.part.cut(self.part.by_length(mixed), self.batch_tokens)
        self.epoch = [batches[i] for i in self.rng.permutation(len(batches))]
        self.drawn = 0

    def draw(self):
        """The next batch: (src, tgt, label_smoothing)."""
        if self.drawn == len(self.epoch):
            self.begin()
        self.drawn += 1
        return *self.part.rows(self.epoch[self.drawn - 1]), self.label_smoothing

    @staticmethod
    def count(_, tgt, __):
        """(number of targets, number of tokens), which are the same."""
        n = int(np.count_nonzero(tgt[:, 1:] != PAD))
        return n, n

    def n_kept(self, config, _):
        """A lower bound on the numbers kept of a batch for backward: those of AtRandom.n_kept, and the logits.

        An encoder block keeps two normalised inputs and one set of queries, keys and values, a decoder block three and
        two.
        """
        C, inner = config.d_model, 2 * config.d_ff
        n = max(self.batch_tokens, int(self.part.widths.max()))
        return n * (config.layers * (5 * C + inner + 9 * C + inner) + config.vocab)

    @property
    def size(self):
        """The size of a batch, in words."""
        return f"{self.batch_tokens:,} tokens of each text"

    def state(self):
        """The generator's state before this epoch, and how many of the epoch's batches have been drawn."""
        return {**self.before, "drawn": self.drawn}

    def set_state(self, state):
        """Continue from what `state` returned. Raises InputError for more batches than the epoch has."""
        self.rng.bit_generator.state = state
        self.begin()
        drawn = state.get("drawn")
        self.drawn = check_number(drawn, "batches drawn of an epoch", whole=True, low=0, high=len(self.epoch))


def check_not_empty(n, what):
    """Raise InputError if no pair is left."""
    if not n:
        raise InputError(f"no pair {what} is short enough: give more, or a larger --context")
