"""The same ids as from bpe.py's `encode`, faster: most pieces of a text have occurred before and are just looked up.

The different pieces of a long text are found in NumPy (fast_pieces.py), each is looked up once, and its ids are copied
to every place where it occurs. In a short text each piece is looked up by itself, since calls of NumPy would take
longer. The pieces of a text that have not occurred before are merged together (fast_merging.py). Ids are remembered as
the characters of a str, which are quicker to join than lists.
"""

from itertools import chain

import numpy as np

from numgpt.errors import InputError
from numgpt.tokenizer.fast_merging import MOST_IDS, Merger, from_characters
from numgpt.tokenizer.fast_pieces import PieceFinder

MEMORY_SIZE = 2**21  # bytes of pieces whose ids are kept: about 200,000 words
SHORT = 3000  # characters: a text with fewer is short


class FastEncoder:
    """Encodes texts without special tokens.

    byte_ids, rank and made are as in bpe.py's `encode`; find_pieces is bpe.py's. Raises InputError for a vocabulary
    that is too large.
    """

    def __init__(self, byte_ids, rank, made, n_vocab, find_pieces):
        if n_vocab > MOST_IDS:
            raise InputError(f"a vocabulary of {n_vocab} tokens is too large: ids from {MOST_IDS} on cannot be kept")
        self._find_pieces = find_pieces
        self._piece_finder = PieceFinder(find_pieces)
        self._merger = Merger(byte_ids, rank, made, n_vocab)
        self._forget()

    def _forget(self):
        """Start a new memory, from pieces to their ids; the old one stays, as another thread may be reading it."""
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
    """The ids of a text, an array. ids: those of its different pieces, list of str. numbers: which piece is where."""
    sizes = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    begins = np.cumsum(sizes) - sizes
    counts = sizes[numbers]
    ends = np.cumsum(counts)
    shifts = begins[numbers] - (ends - counts)  # from a place in the text to the one in `ids`
    return from_characters("".join(ids))[np.repeat(shifts, counts) + np.arange(ends[-1])]
