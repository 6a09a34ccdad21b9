"""A row of symbols in which all equal pairs are replaced by a symbol at once, in NumPy.

Long pieces are merged in a row (fast_merging.py), and merges are learnt in one that holds all words (trainer.py). A
symbol is an id; the symbol that replaces a pair is put at its first place:

    places     0  1  2  3  4  5  6
    symbols    |  t  h  e  |  t  h  |      the pair (t, h) stands at 1 and at 5
               |  T  |  e  |  T  |  |      after[1] is 3 now, and before[3] is 1
"""

from itertools import pairwise

import numpy as np

GAP = -1  # the symbol beside the ends of a word, and where one was taken out


class Row:
    """Words of `sizes` ids each, which follow one another in `ids`; two int arrays.

    There is a gap before each word and after the last. The neighbours of a symbol are at before[place] and
    after[place].
    """

    def __init__(self, ids, sizes):
        places = np.arange(len(ids)) + np.repeat(np.arange(len(sizes)) + 1, sizes)
        size = len(ids) + len(sizes) + 1
        self.symbols = np.full(size, GAP)
        self.symbols[places] = ids
        self.before, self.after = np.arange(-1, size - 1), np.arange(1, size + 1)
        self.after[-1] = 0  # no pair begins there

    def find(self, pair, places):
        """Those of the places where the pair is now, without those that overlap one before: in "aaa" the first."""
        places = np.sort(places)
        places = places[(self.symbols[places] == pair[0]) & (self.symbols[self.after[places]] == pair[1])]
        number = np.arange(len(places))
        overlaps = np.append(False, self.after[places[:-1]] == places[1:])[: len(places)]
        begin_of_run = np.maximum.accumulate(np.where(overlaps, 0, number))
        return places[(number - begin_of_run) % 2 == 0]

    def join(self, places, new):
        """Replace the pair at each of the places, which `find` gave, by the symbol `new`."""
        gone = self.after[places]
        self.symbols[places], self.symbols[gone] = new, GAP
        self.after[places] = self.after[gone]
        self.before[self.after[gone]] = places

    def touching(self, places):
        """The places of the pairs at `places`, and of those that share a symbol with them: `join` changes these."""
        places = np.sort(np.concatenate([self.before[places], places, self.after[places]]))
        return places[np.append(True, places[1:] != places[:-1])[: len(places)]]

    def by_pair(self, places):
        """(pairs, places, firsts): the different pairs at the places, as tuples in order; the places, sorted by pair,
        without those where none begins; and where among these the places of each pair begin.
        """
        left, right = self.symbols[places], self.symbols[self.after[places]]
        whole = (left != GAP) & (right != GAP)
        keys = left[whole] << 32 | right[whole]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        firsts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
        different = keys[firsts]
        pairs = zip((different >> 32).tolist(), (different & 0xFFFFFFFF).tolist(), strict=True)
        return list(pairs), places[whole][order], firsts


def parts(places, firsts):
    """The parts of `places` that begin at `firsts`, a list."""
    edges = [*firsts.tolist(), len(places)]
    return [places[first:last] for first, last in pairwise(edges)]
