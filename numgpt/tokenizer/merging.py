"""Byte-pair merging: the bytes of a piece of text, joined into tokens by the merges that were learned.

The neighbouring pair whose merge was learned first becomes one symbol (of equal pairs the leftmost), again
and again, until no two neighbours have a merge (Gage 1994, "A New Algorithm for Data Compression"; Sennrich,
Haddow and Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2).

    merges  0: h e -> he   1: t he -> the        t h e  ->  t he  ->  the
"""

from heapq import heapify, heappop, heappush


class Merges:
    """The merges in the order they were learned; that place in the order is a merge's rank.

    byte_ids: the id of each of the 256 bytes. merges: {(left id, right id): id of what they make}.
    """

    def __init__(self, byte_ids, merges):
        self.byte_ids = byte_ids
        self.made = list(merges.values())
        self.rank = dict(zip(merges, range(len(merges)), strict=True))

    def merge(self, piece):
        """bytes -> tuple of ids, in O(n log n) for n bytes.

        The symbols form a ring that a None closes, so every place has neighbours; no merge has a None.
        The heap holds rank * size + place. An entry whose pair has changed since is passed over.
        """
        symbols = [*map(self.byte_ids.__getitem__, piece), None]
        size = len(symbols)
        rank_of = self.rank.get
        before, after = [*range(-1, size - 1)], [*range(1, size), 0]
        ranks = [*map(rank_of, zip(symbols, symbols[1:], strict=False)), None]
        heap = [rank * size + place for place, rank in enumerate(ranks) if rank is not None]
        heapify(heap)
        while heap:
            rank, place = divmod(heappop(heap), size)
            if ranks[place] != rank:
                continue
            gone = after[place]
            symbols[place], symbols[gone], ranks[gone] = self.made[rank], None, None
            after[place] = after[gone]
            before[after[place]] = place
            for left, right in ((before[place], place), (place, after[place])):
                ranks[left] = rank = rank_of((symbols[left], symbols[right]))
                if rank is not None:
                    heappush(heap, rank * size + left)
        return tuple([symbol for symbol in symbols if symbol is not None])
