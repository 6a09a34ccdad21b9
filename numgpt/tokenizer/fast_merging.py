"""bpe.py's `merge`, faster: by a heap for a single piece, in NumPy for many short pieces or a very long one.

A text that is new to a tokenizer brings thousands of new words at once. Merging them side by side takes a tenth of the
time.

The ids of a piece are returned as the characters of a str: the id 262 is U+0106. Strings are joined several times as
fast as tuples are chained, and are ignored by Python's garbage collector, which looks at all tuples whenever a few
thousand new ones have come.
"""

import sys
from collections import defaultdict
from functools import cached_property
from heapq import heapify, heappop, heappush

import numpy as np

from numgpt.tokenizer.pair_ranks import PairRanks, parts_come_first
from numgpt.tokenizer.row import GAP, Row, parts

MOST_IDS = sys.maxunicode + 1  # as many as there are characters
LONGEST_IN_BATCH = 32  # bytes of a piece: the work grows with their square
SMALLEST_BATCH, LARGEST_BATCH = 50, 2**16  # pieces: fewer are faster one by one, more need too much memory
LONG = 2**16  # bytes of a piece: with fewer the heap may be faster, by up to 0.1 s


def to_characters(ids):
    """An array of ids, row by row, as a str."""
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def from_characters(text):
    """The ids in such a str, as an array."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


class Merger:
    """Merges pieces. byte_ids, rank and made are as in bpe.py's `encode`."""

    def __init__(self, byte_ids, rank, made, n_vocab):
        self._byte_ids, self._rank, self._made, self._n_vocab = byte_ids, rank, made, n_vocab

    @cached_property
    def _arrays(self):
        byte_ids, made = (np.array(ids, dtype=np.int32) for ids in (self._byte_ids, self._made))
        return byte_ids, made, PairRanks(self._rank, self._n_vocab)

    @cached_property
    def _parts_come_first(self):
        return parts_come_first(self._rank, self._made)

    def merge(self, pieces):
        """A list of different pieces, in bytes -> {piece: its ids as a str}."""
        found = {}
        short = [piece for piece in pieces if len(piece) <= LONGEST_IN_BATCH]
        while len(short) >= SMALLEST_BATCH:
            batch, short = short[:LARGEST_BATCH], short[LARGEST_BATCH:]
            found |= merge_side_by_side(batch, *self._arrays)
        return found | {piece: self.merge_one(piece) for piece in pieces if piece not in found}

    def merge_one(self, piece):
        """bytes -> str."""
        return self.merge_long(piece) if len(piece) >= LONG and self._parts_come_first else self.merge_alone(piece)

    def merge_long(self, piece):
        """bytes -> str, all equal pairs at once: the same as one by one if parts come first (see bpe.py's `merge`).

        The heap holds the pairs to come, with their ranks, and `waiting` the places where each was seen.
        """
        ids = np.array(self._byte_ids)[np.frombuffer(piece, np.uint8)]
        row = Row(ids, np.array([len(ids)]))
        heap, waiting = [], defaultdict(list)

        def see(places):
            pairs, places, firsts = row.by_pair(places)
            for pair, group in zip(pairs, parts(places, firsts), strict=True):
                if pair in self._rank:
                    if pair not in waiting:
                        heappush(heap, (self._rank[pair], pair))
                    waiting[pair].append(group)

        see(np.arange(len(row.symbols)))
        while heap:
            rank, pair = heappop(heap)
            places = row.find(pair, np.concatenate(waiting.pop(pair)))
            touched = row.touching(places)
            row.join(places, self._made[rank])
            see(touched)
        return to_characters(row.symbols[row.symbols != GAP])

    def merge_alone(self, piece):
        """bytes -> str, in O(n log n) for n bytes.

        The neighbours of a place are before[place] and after[place]. A merge leaves its token at the left place and
        takes the right one out. After the last place comes one with None, which has no merge and is followed by the
        first, so that every place has two neighbours. The heap holds rank * size + place, the smallest of which is the
        pair to merge; an entry whose pair has changed since is skipped.
        """
        symbols = [*map(self._byte_ids.__getitem__, piece), None]
        size = len(symbols)
        rank_of = self._rank.get
        before, after = [*range(-1, size - 1)], [*range(1, size), 0]
        ranks = [*map(rank_of, zip(symbols, symbols[1:], strict=False)), None]
        heap = [rank * size + place for place, rank in enumerate(ranks) if rank is not None]
        heapify(heap)
        while heap:
            rank, place = divmod(heappop(heap), size)
            if ranks[place] != rank:
                continue
            gone = after[place]
            symbols[place], symbols[gone], ranks[gone] = self._made[rank], None, None
            after[place] = after[gone]
            before[after[place]] = place
            for left, right in ((before[place], place), (place, after[place])):
                ranks[left] = rank = rank_of((symbols[left], symbols[right]))
                if rank is not None:
                    heappush(heap, rank * size + left)
        return "".join([chr(symbol) for symbol in symbols if symbol is not None])


def merge_side_by_side(pieces, byte_ids, made, rank_of):
    """List of different pieces, in bytes -> {piece: its ids as a str}. The work grows with the square of the length.

    A piece is a column of `columns`, all of them `width` symbols long, with the ranks of its pairs in `ranks`. A round
    merges the best pair of every column, so that all become one symbol shorter; columns without a merge are done and
    leave, and the pieces with `width` bytes join.
    """
    sizes = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
    longest, never = int(sizes.max()), len(made)
    text, begins = byte_ids[np.frombuffer(b"".join(pieces), dtype=np.uint8)], np.cumsum(sizes) - sizes
    columns, ranks = np.empty((longest, 0), dtype=np.int32), np.empty((longest - 1, 0), dtype=np.int32)
    owner = np.empty(0, dtype=np.int64)
    done = []
    for width in range(longest, 0, -1):
        joining = np.flatnonzero(sizes == width)
        joined = text[begins[joining] + np.arange(width)[:, None]]
        columns = np.concatenate([columns, joined], axis=1)
        ranks = np.concatenate([ranks, rank_of(joined[:-1], joined[1:])], axis=1)
        owner = np.concatenate([owner, joining])

        place = np.arange(width - 1, dtype=np.int32)[:, None]
        best = (ranks * width + place).min(axis=0, initial=never * width)
        rank, at = np.divmod(best, width)
        ends, stays = np.flatnonzero(rank == never), np.flatnonzero(rank != never)
        done.append((owner[ends], columns.take(ends, axis=1).T))
        columns, ranks, owner = columns.take(stays, axis=1), ranks.take(stays, axis=1), owner[stays]
        if width > 1:
            columns, ranks = take_one_out(columns, ranks, at[stays], made[rank[stays]], rank_of)
    return collect(pieces, done)


def take_one_out(columns, ranks, at, new, rank_of):
    """Columns and ranks after the symbols at `at` and after it became `new`, in each column."""
    place = np.arange(len(ranks))[:, None]
    columns = np.where(place <= at, columns[:-1], columns[1:])
    ranks = np.where(place[:-1] < at, ranks[:-1], ranks[1:])
    each = np.arange(len(at))
    columns[at, each] = new
    left, right = np.flatnonzero(at > 0), np.flatnonzero(at < len(ranks))
    pair, column = np.concatenate([at[left] - 1, at[right]]), np.concatenate([left, right])
    ranks[pair, column] = rank_of(columns[pair, column], columns[pair + 1, column])
    return columns, ranks


def collect(pieces, done):
    """{piece: its ids as a str}. done: (the indices of pieces, their ids, one row each) for each number of ids."""
    ids = to_characters(np.concatenate([rows.ravel() for _, rows in done]))
    found, start = {}, 0
    for numbers, rows in done:
        for number in numbers.tolist():
            found[pieces[number]] = ids[start : (start := start + rows.shape[1])]
    return found
