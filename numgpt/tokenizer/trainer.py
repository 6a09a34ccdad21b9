"""Learning the merges of byte-pair encoding from a text (Sennrich, Haddow and Birch 2016, section 3.2, algorithm 1)."""

import heapq
from collections import Counter

import numpy as np

from numgpt.numbers import check_number
from numgpt.tokenizer.bpe import END_OF_TEXT, BPETokenizer, find_pieces
from numgpt.tokenizer.common import check_text
from numgpt.tokenizer.fast_pieces import PieceFinder
from numgpt.tokenizer.row import Row, parts
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE

LEAST_COUNT = 2  # a pair that occurs less often is not a pattern


def train_bpe(text, vocab_size, progress=None):
    """A BPETokenizer with `vocab_size` tokens: 256 bytes, merges learnt from `text`, and <|endoftext|> last.

    Again and again, the most frequent pair of neighbouring tokens becomes a token; of equally frequent pairs, the one
    with the smallest ids. No merge crosses the edge of a piece of GPT-2's pattern. A text too small for so many tokens,
    in which no pair occurs twice any more, gives fewer: see `n_vocab`.

        >>> tokenizer = train_bpe("aaabdaaabac", 260)
        >>> [tokenizer.tokens[i] for i in tokenizer.merges.values()]
        [b'aa', b'ab', b'aaab']

    progress(done, total), if given, is called as merges are learnt. Raises InputError for a size below 257, and for
    anything but a text.
    """
    check_text(text)
    note = f"the 256 bytes and {END_OF_TEXT}"
    vocab_size = check_number(vocab_size, "the size of a vocabulary", whole=True, low=257, note=note)
    tokens = [bytes([byte]) for byte in SYMBOL_OF_BYTE]
    pairs = PairCounts(count_pieces(text), np.argsort([token[0] for token in tokens]))
    merges = {}
    while len(tokens) < vocab_size - 1:
        pair = pairs.most_frequent()
        if pair is None:
            break
        merges[pair] = len(tokens)
        pairs.merge(pair, len(tokens))
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        if progress:
            progress(len(tokens) + 1, vocab_size)
    return BPETokenizer([*tokens, END_OF_TEXT.encode()], merges, {END_OF_TEXT: len(tokens)})


def count_pieces(text):
    """{piece, in bytes: how often it occurs}."""
    counts = Counter()
    for different, numbers in PieceFinder(find_pieces).find_different(text):
        for piece, count in zip(different, np.bincount(numbers).tolist(), strict=True):
            counts[piece] += count
    return counts


class PairCounts:
    """How often each pair of neighbours occurs, and where, kept up to date merge by merge.

    counts: {word, in bytes: how often it occurs in the text}; the words are put into a row. id_of_byte: an int array.
    The heap may hold a pair under an earlier count; since counts only fall, such an entry is put back under the right
    one when it comes up. The places of a pair may have lost it since.
    """

    def __init__(self, counts, id_of_byte):
        sizes, times = np.array([*map(len, counts)], dtype=int), np.array([*counts.values()], dtype=int)
        self.row = Row(id_of_byte[np.frombuffer(b"".join(counts), np.uint8)], sizes)
        self.weight = np.append(np.repeat(times, sizes + 1), 0)  # of each place: how often its word occurs
        self.total, self.where, self.heap = {}, {}, []
        self.add(np.arange(len(self.weight)))

    def most_frequent(self):
        """The pair that occurs most often, with the smallest ids among equals; None if none is left."""
        while self.heap:
            negative, pair = heapq.heappop(self.heap)
            count = self.total[pair]
            if count == -negative:
                return pair if count >= LEAST_COUNT else None
            if count >= LEAST_COUNT:
                heapq.heappush(self.heap, (-count, pair))
        return None

    def merge(self, pair, new):
        """Replace the pair by the id `new` in every word, from left to right."""
        places = self.row.find(pair, self.where.pop(pair))
        touched = self.row.touching(places)
        for old, _, count in self.count(touched):
            self.total[old] -= count
        self.row.join(places, new)
        self.add(touched)  # where every pair contains `new`

    def add(self, places):
        """Add the pairs at the places, none of which occurred before."""
        for pair, group, count in self.count(places):
            self.total[pair], self.where[pair] = count, group
            heapq.heappush(self.heap, (-count, pair))

    def count(self, places):
        """(pair, its places, how often it occurs there) for the different pairs at the places."""
        pairs, places, firsts = self.row.by_pair(places)
        counts = np.add.reduceat(self.weight[places], firsts) if pairs else firsts
        return zip(pairs, parts(places, firsts), counts.tolist(), strict=True)
