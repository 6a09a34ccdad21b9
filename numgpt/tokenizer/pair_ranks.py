"""The ranks of pairs of ids, looked up in arrays."""

from itertools import chain

import numpy as np


class PairRanks:
    """The ranks of many pairs of ids at once; a pair without a merge gets the number of merges.

    rank: {(left id, right id): rank}, in the order of the ranks. They are kept in a hash table of a few layers: if
    several pairs fall into the same slot, the rank of one stays, and the others move to the next, smaller layer.
    """

    def __init__(self, rank, n_vocab):
        self._n_vocab = n_vocab
        self._never = len(rank)
        left, right = np.fromiter(chain.from_iterable(rank), dtype=np.int64, count=2 * len(rank)).reshape(-1, 2).T
        self._keys = np.append(self._key(left, right), -1)  # the last is that of no pair
        self._layers = []
        ranks, multiplier = np.arange(len(rank)), 1
        while len(ranks):
            bits = (2 * len(ranks)).bit_length()
            multiplier = (multiplier * 6364136223846793005 + 1442695040888963407) % 2**62 | 1  # another one per layer
            slots = find_slots(self._keys[ranks], multiplier, bits)
            table = np.full(2**bits, self._never, dtype=np.int32)
            table[slots] = ranks
            self._layers.append((multiplier, bits, table))
            ranks = ranks[table[slots] != ranks]

    def _key(self, left, right):
        return left.astype(np.int64) * self._n_vocab + right

    def __call__(self, left, right):
        """Ranks of the pairs (left, right), two int arrays of one shape."""
        return self._look_up(self._key(left, right).ravel(), self._layers).reshape(left.shape)

    def _look_up(self, keys, layers):
        if not layers:
            return np.full(len(keys), self._never, dtype=np.int32)
        (multiplier, bits, table), *deeper = layers
        ranks = table[find_slots(keys, multiplier, bits)]
        others = np.flatnonzero((self._keys[ranks] != keys) & (ranks != self._never))
        if len(others):
            ranks[others] = self._look_up(keys[others], deeper)
        return ranks


def find_slots(keys, multiplier, bits):
    """Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4): the top bits."""
    return ((keys * multiplier).view(np.uint64) >> np.uint64(64 - bits)).view(np.int64)


def parts_come_first(rank, made):
    """Whether each merge was learnt after all merges that make one of its parts, as in any learnt vocabulary."""
    last = dict(zip(made, rank.values(), strict=True))
    return all(last.get(left, -1) < n > last.get(right, -1) for (left, right), n in rank.items())
