"""Random windows of tokens, in batches.

Batches of every kind offer the Trainer `draw`, for the arguments of a model's `loss`; `count`, for their targets and
tokens; `n_kept` and `size`, for the memory; and `state` and `set_state`, for JSON, which restore what is drawn next.
"""

import numpy as np

from numgpt.layers.loss import IGNORE


class AtRandom:
    """What both kinds share: batches of (B, T) = `shape`, drawn with `rng`."""

    @staticmethod
    def count(ids, targets):
        """(number of targets that count, number of tokens)."""
        return int(np.count_nonzero(targets != IGNORE)), ids.size

    def n_kept(self, config, recompute):
        """A lower bound on the numbers that a GPT keeps of a batch for backward.

        For each token a block keeps at least two normalised inputs and q, k, v, of C numbers each, and the neurons of
        the feed-forward network before and after the activation function; with `recompute` every block keeps its input,
        and only one at a time the rest.
        """
        (B, T), C = self.shape, config.n_embd
        block = 5 * C + 2 * (config.n_inner or 4 * C)
        return B * T * (config.n_layer * C + block if recompute else config.n_layer * block)

    @property
    def size(self):
        """The size of a batch, in words."""
        B, T = self.shape
        return f"{B:,} sequences of {T:,} tokens"

    def state(self):
        """The generator's state; integers have up to 128 bits."""
        return self.rng.bit_generator.state

    def set_state(self, state):
        """Continue from what `state` returned."""
        self.rng.bit_generator.state = state


class Windows(AtRandom):
    """Random batches from one text: B sequences of T ids, and as targets the ids that follow each.

    part: a Part that is one text of N > T ids. Every start in [0, N - T) is equally likely. rng: a
    numpy.random.Generator that nothing else draws from.
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
    """Random batches from documents: B windows of at most T ids, each within one document.

    Thus nothing is ever predicted from another document. A target is drawn, each equally likely, then a window with it
    at a random place, which is shifted as far as necessary to lie within the document; a document of at most T + 1 ids
    is read whole. part: a Part with documents, and with ids that are learnt. rng: as for Windows.
    """

    def __init__(self, part, batch_size, context, rng):
        self.part, self.rng = part, rng
        self.begins, self.ends = np.array(part.documents).T
        self.shape = batch_size, min(context, int((self.ends - self.begins).max()) - 1)

    def draw(self):
        """(ids, targets), both (B, T) int64, T being that of the longest of these windows."""
        B, T = self.shape
        places = self.places(B)
        documents = self.documents_of(places)
        begins, ends = self.begins[documents], self.ends[documents]
        starts = places - 1 - self.rng.integers(0, T, B)
        starts = np.maximum(np.minimum(starts, ends - 1 - T), begins)
        return self.part.rows(np.stack([starts, np.minimum(starts + T + 1, ends)], 1))

    def places(self, B):
        """(B,): random places of ids that are learnt."""
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
        """The document in which each place is a target: the last that begins before it."""
        return np.searchsorted(self.begins, places) - 1


def windows_of(part, batch_size, context, rng):
    """Windows, or DocumentWindows if the Part has documents."""
    return (Windows if part.documents is None else DocumentWindows)(part, batch_size, context, rng)
