"""The ids that bpe.py's `encode` gives, fast: most pieces of a text have occurred before, and are only looked up.

Of a long text the different pieces are found in NumPy (fast_pieces.py), each is looked up once, and its ids are copied
to every place where it stands. In a short text each piece is looked up by itself, as calls of NumPy would take longer.
What has not occurred before is merged (fast_merging.py), all of a text together. Ids are remembered as the characters
of a str, which are quicker to join than lists.
"""

from itertools import chain

import numpy as np

from numgpt.errors import InputError
from numgpt.tokenizer.fast_merging import MOST_IDS, Merger, from_characters
from numgpt.tokenizer.fast_pieces import PieceFinder

MEMORY_SIZE = 2**21  # bytes of pieces whose ids are kept: some 200,000 words
SHORT = 3000  # characters of a text


class FastEncoder:
    """Texts without special tokens to ids.

    byte_ids, rank and made are those of bpe.py's `encode`, whose pieces `find_pieces` finds. Raises InputError for a
    vocabulary too large.
    """

    def __init__(self, byte_ids, rank, made, n_vocab, find_pieces):
        if n_vocab > MOST_IDS:
            raise InputError(f"a vocabulary of {n_vocab} tokens is too large: ids from {MOST_IDS} on cannot be kept")
        self._find_pieces = find_pieces
        self._piece_finder = PieceFinder(find_pieces)
        self._merger = Merger(byte_ids, rank, made, n_vocab)
        self._forget()

    def _forget(self):
        """Start a new memory, from pieces to their ids; another thread may be reading the old one, so it stays."""
        self._known = {}
        self._room = MEMORY_SIZE

    def encode(self, text):
        """str -> list of int."""
        if self._room < 0:
            self._forget()
        if len(text) < SHORT:
            pieces = [piece.encode() for piece in self._find_pieces(text)]
            known = self._learn(pieces)
            return from_characters("".join([known[piece] for piece in pieces])).tolist()
        blocks = list(self._piece_finder.find_different(text))
        known = self._learn(chain.from_iterable(different for different, _ in blocks))
        ids = []
        for different, numbers in blocks:
            ids += copy_to_places([known[piece] for piece in different], numbers).tolist()
        return ids

    def _learn(self, pieces):
        """The memory, with all of the pieces in it."""
        known = self._known
        new = list(set(pieces).difference(known))
        if new:
            known.update(self._merger.merge(new))
            self._room -= sum(map(len, new))
        return known


def copy_to_places(ids, numbers):
    """The ids of a text, an array. ids: those of its different pieces, list of str. numbers: which stands where."""
    sizes = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    begins = np.cumsum(sizes) - sizes
    counts = sizes[numbers]
    ends = np.cumsum(counts)
    shifts = begins[numbers] - (ends - counts)  # from a place in the text to the one in `ids`
    return from_characters("".join(ids))[np.repeat(shifts, counts) + np.arange(ends[-1])]
