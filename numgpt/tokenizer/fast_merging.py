"""What bpe.py's `merge` does to a piece, fast: by a heap for one piece, in NumPy for many short ones side by side.

A text that a tokenizer has not met before brings thousands of new words at once. Merging them side by side takes a
quarter of the time, and makes encoding such a text nearly twice as fast.

The ids of a piece are returned as the characters of a str, the id 262 as U+0106. Strings are joined several times as
fast as tuples are chained, and Python's garbage collector, which every few thousand new tuples looks at all there are,
leaves them alone.
"""

import sys
from collections import defaultdict
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import chain

import numpy as np

MOST_IDS = sys.maxunicode + 1  # that there are characters for
LONGEST_IN_BATCH = 32  # bytes of a piece: the work grows with their square
SMALLEST_BATCH, LARGEST_BATCH = 50, 2**16  # pieces: fewer are faster one by one, more need too much memory


def to_characters(ids):
    """An array of ids, row by row, as a str."""
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def from_characters(text):
    """The list of ids."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").tolist()


class Merger:
    """Merges pieces. byte_ids, rank and made are those of bpe.py's `encode`."""

    def __init__(self, byte_ids, rank, made, n_vocab):
        self._byte_ids, self._rank, self._made, self._n_vocab = byte_ids, rank, made, n_vocab

    @cached_property
    def _batch_merger(self):
        return BatchMerger(self._byte_ids, self._rank, self._made, self._n_vocab)

    def merge(self, pieces):
        """List of bytes -> list of str, the ids of each piece."""
        found = {}
        short = [piece for piece in pieces if len(piece) <= LONGEST_IN_BATCH]
        while len(short) >= SMALLEST_BATCH:
            batch, short = short[:LARGEST_BATCH], short[LARGEST_BATCH:]
            found.update(zip(batch, self._batch_merger.merge(batch), strict=True))
        return [found.get(piece) or self.merge_alone(piece) for piece in pieces]

    def merge_alone(self, piece):
        """bytes -> str, in O(n log n) for n bytes.

        Places keep their neighbours: before[place] and after[place]. A merge leaves its token at the left place and
        takes the right one out. Behind the last place there is one with None, which has no merge, and whose neighbour
        is the first: so every place has two. The heap holds rank * size + place, the smallest of which is the pair to
        merge; an entry whose pair has changed since is passed over.
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


class BatchMerger:
    """Merges many short pieces side by side."""

    def __init__(self, byte_ids, rank, made, n_vocab):
        self._byte_ids = np.array(byte_ids)
        self._made = np.array(made, dtype=np.int64)
        self._rank = PairRanks(rank, n_vocab)

    def merge(self, pieces):
        """List of bytes -> list of str. The work grows with the square of a piece's length.

        A piece stands in a column of `columns`, all of them `width` symbols long. A round merges the best
        pair of every column, after which all are one symbol shorter; columns without any merge are done
        and leave, and the pieces that have as many bytes join.
        """
        found = [None] * len(pieces)
        by_width = defaultdict(list)
        for i, piece in enumerate(pieces):
            by_width[len(piece)].append(i)
        longest = max(by_width, default=0)
        columns, owner = np.empty((longest, 0), dtype=np.int64), np.empty(0, dtype=np.int64)
        for width in range(longest, 0, -1):
            joining = by_width.get(width, [])
            text = np.frombuffer(b"".join([pieces[i] for i in joining]), dtype=np.uint8)
            columns = np.concatenate([columns, self._byte_ids[text.reshape(-1, width).T]], axis=1)
            owner = np.concatenate([owner, np.array(joining, dtype=np.int64)])

            place = np.arange(width - 1)[:, None]
            never = len(self._made)
            best = (self._rank(columns[:-1], columns[1:]) * width + place).min(axis=0, initial=never * width)
            rank, at = np.divmod(best, width)

            done = rank == never
            ids = to_characters(columns[:, done].T)
            for n, i in enumerate(owner[done].tolist()):
                found[i] = ids[n * width : (n + 1) * width]
            columns, owner, rank, at = columns[:, ~done], owner[~done], rank[~done], at[~done]
            columns = np.where(place <= at, columns[:-1], columns[1:])
            columns[at, np.arange(len(at))] = self._made[rank]
        return found


class PairRanks:
    """The rank of pairs of ids, looked up in arrays; the number of merges for a pair that has none.

    A hash table in a few layers: where two pairs fall into the same slot one of them stays, and the others
    go on to the next, smaller layer.
    """

    def __init__(self, rank, n_vocab):
        self._n_vocab = n_vocab
        self._never = len(rank)
        self._layers = []
        left, right = np.fromiter(chain.from_iterable(rank), dtype=np.int64).reshape(-1, 2).T
        keys, ranks = left * n_vocab + right, np.arange(len(rank))
        multiplier = 1
        while len(keys):
            bits = (4 * len(keys)).bit_length()
            multiplier = (multiplier * 6364136223846793005 + 1442695040888963407) % 2**62 | 1  # another one a layer
            slots = find_slots(keys, multiplier, bits)
            slot_key, slot_rank = np.full(2**bits, -1), np.full(2**bits, self._never)
            slot_key[slots], slot_rank[slots] = keys, ranks
            self._layers.append((multiplier, bits, slot_key, slot_rank))
            lost = slot_key[slots] != keys
            keys, ranks = keys[lost], ranks[lost]

    def __call__(self, left, right):
        """Ranks of the pairs (left, right), two int64 arrays of one shape."""
        keys = left * self._n_vocab + right
        ranks = np.full(keys.shape, self._never)
        for multiplier, bits, slot_key, slot_rank in self._layers:
            slots = find_slots(keys, multiplier, bits)
            here = slot_key[slots] == keys
            ranks[here] = slot_rank[slots[here]]
        return ranks


def find_slots(keys, multiplier, bits):
    """Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4): the top bits."""
    return ((keys * multiplier).view(np.uint64) >> np.uint64(64 - bits)).view(np.int64)
