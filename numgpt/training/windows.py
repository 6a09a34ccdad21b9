"""Windows of tokens at random, of which batches are made.

Batches of any kind have for the Trainer `draw`, the arguments of a model's `loss`; `count` of them; `n_kept` and `size`
for the memory; and `state` and `set_state`, for JSON, after which what was to be drawn next is.
"""

import numpy as np

from numgpt.layers.loss import IGNORE


class AtRandom:
    """What both kinds share: batches of (B, T) = `shape`, all of whose draws are `rng`'s."""

    @staticmethod
    def count(ids, targets):
        """(how many targets count, how many tokens are read)."""
        return int(np.count_nonzero(targets != IGNORE)), ids.size

    def n_kept(self, config, recompute):
        """How many numbers a GPT keeps of a batch for backward, at least.

        For each token a block keeps at least two normalised inputs and q, k, v, all of C numbers, and the insides of
        the feed-forward network before and after the activation; with `recompute` its input, and only one at a time the
        rest.
        """
        (B, T), C = self.shape, config.n_embd
        block = 5 * C + 2 * (config.n_inner or 4 * C)
        return B * T * (config.n_layer * C + block if recompute else config.n_layer * block)

    @property
    def size(self):
        """That of a batch, in words."""
        B, T = self.shape
        return f"{B:,} sequences of {T:,} tokens"

    def state(self):
        """The generator's; integers have up to 128 bits."""
        return self.rng.bit_generator.state

    def set_state(self, state):
        """Continue from what `state` returned."""
        self.rng.bit_generator.state = state


class Windows(AtRandom):
    """Batches at random from one text: B sequences of T ids, and as targets the ids one place further on.

    part: a Part that is one text of N > T ids. Every start in [0, N - T) is equally likely. rng: a
    numpy.random.Generator, all of whose draws these are.
    """

    def __init__(self, part, batch_size, context, rng):
        self.part, self.shape, self.rng = part, (batch_size, context), rng

    def draw(self):
        """(ids, targets), both (B, T) int64."""
        B, T = self.shape
        ids = self.part.ids
        starts = self.rng.integers(0, len(ids) - T, B)
        rows = np.stack([ids[start : start + T + 1] for start in starts]).astype(np.int64)
        return rows[:, :-1], rows[:, 1:]


class DocumentWindows(AtRandom):
    """Batches at random from documents: B windows of at most T ids, each within one document.

    So nothing is ever predicted from another document. An id that is learnt is drawn, each equally likely, and a window
    laid around it, wherever it then lies; moved as far as it has to be to lie within the document, it is the whole of a
    document of at most T + 1 ids. part: a Part with documents, and with ids that are learnt. rng: as for Windows.
    """

    def __init__(self, part, batch_size, context, rng):
        self.part, self.rng = part, rng
        self.begins, self.ends = np.array(part.documents).T
        self.shape = batch_size, min(context, int((self.ends - self.begins).max()) - 1)

    def draw(self):
        """(ids, targets), both (B, T) int64, T being that of the longest window here."""
        B, T = self.shape
        places = self.places(B)
        documents = self.documents_of(places)
        begins, ends = self.begins[documents], self.ends[documents]
        starts = places - 1 - self.rng.integers(0, T, B)
        starts = np.maximum(np.minimum(starts, ends - 1 - T), begins)
        return self.part.rows(np.stack([starts, np.minimum(starts + T + 1, ends)], 1))

    def places(self, B):
        """(B,): where ids lie that are learnt."""
        places = np.zeros(B, np.int64)
        while len(others := np.flatnonzero(~self.are_learnt(places))):
            places[others] = self.rng.integers(1, len(self.part.ids), len(others))
        return places

    def are_learnt(self, places):
        """Which of the ids at `places` are learnt."""
        if self.part.counts is not None:
            return self.part.counts[places] != 0
        return (places > 0) & (places < self.ends[self.documents_of(places)])

    def documents_of(self, places):
        """In which document each place is a target: the last that begins before it."""
        return np.searchsorted(self.begins, places) - 1


def windows_of(part, batch_size, context, rng):
    """Windows or DocumentWindows, as the Part is."""
    return (Windows if part.documents is None else DocumentWindows)(part, batch_size, context, rng)
