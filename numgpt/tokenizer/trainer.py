"""Learning the merges of byte-pair encoding from a text (Sennrich, Haddow and Birch 2016, section 3.2, algorithm 1)."""

import heapq
import re
from collections import Counter, defaultdict
from itertools import pairwise

from numgpt.numbers import check_number
from numgpt.tokenizer.bpe import END_OF_TEXT, BPETokenizer, find_pieces
from numgpt.tokenizer.common import check_text
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE

# What `regex` takes for \s. Python's own `re`, which is faster, would add U+001C to U+001F.
WHITESPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

# A run of whitespace and the word behind it. Wherever a word ends a piece of bpe.py's PATTERN ends, as no piece has
# whitespace behind anything else, and no piece depends on what is before it or behind the word: so the pieces
# of a text are the pieces of its chunks.
CHUNK = re.compile(f"[{WHITESPACE}]*[^{WHITESPACE}]*")

LEAST_COUNT = 2  # a pair that occurs less often is no pattern


def train_bpe(text, vocab_size, progress=None):
    """A BPETokenizer with `vocab_size` tokens: 256 bytes, merges learnt from `text`, and <|endoftext|> last.

    Again and again the most frequent pair of neighbouring tokens becomes a token; of equally frequent ones the pair
    with the smaller ids. Nothing is merged over the edge of a piece of GPT-2's pattern. A text too small for as
    many tokens, in which no pair occurs twice any more, gives fewer: see `n_vocab`.

        >>> tokenizer = train_bpe("aaabdaaabac", 260)
        >>> [tokenizer.tokens[i] for i in tokenizer.merges.values()]
        [b'aa', b'ab', b'aaab']

    progress(done, total), if given, is called as merges are learnt. Raises InputError for a size below 257.
    """
    check_text(text)
    note = f"the 256 bytes and {END_OF_TEXT}"
    vocab_size = check_number(vocab_size, "the size of a vocabulary", whole=True, low=257, note=note)
    tokens = [bytes([byte]) for byte in SYMBOL_OF_BYTE]
    words, counts = words_of(text, {token[0]: i for i, token in enumerate(tokens)})
    pairs = PairCounts(words, counts)
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


def words_of(text, id_of_byte):
    """The different pieces of a text, each as a list of ids, and how often each occurs.

    A chunk is cut into pieces once, however often it occurs.
    """
    pieces = Counter()
    for chunk, count in Counter(CHUNK.findall(text)).items():
        for piece in find_pieces(chunk):
            pieces[piece] += count
    return [[id_of_byte[byte] for byte in piece.encode()] for piece in pieces], list(pieces.values())


class PairCounts:
    """How often each pair of neighbours occurs, and in which words, kept up to date merge by merge.

    words: lists of ids, which merging changes. counts: how often each word occurs in the text. A merge touches only
    the words that hold its pair. The heap may hold a pair under a count that it had once; such an entry is
    put back under the right one when it comes up.
    """

    def __init__(self, words, counts):
        self.words, self.counts = words, counts
        self.total = Counter()
        self.where = defaultdict(set)
        for index, word in enumerate(words):
            for pair in pairwise(word):
                self.total[pair] += counts[index]
                self.where[pair].add(index)
        self.heap = [(-count, pair) for pair, count in self.total.items()]
        heapq.heapify(self.heap)

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
        """Put the id `new` in the place of the pair, in every word, from left to right."""
        grown = set()
        for index in self.where.pop(pair):
            word, count = self.words[index], self.counts[index]
            merged = replace(word, pair, new)
            for old in pairwise(word):
                self.total[old] -= count
            for fresh in pairwise(merged):
                self.total[fresh] += count
                if new in fresh:
                    self.where[fresh].add(index)
                    grown.add(fresh)
            self.words[index] = merged
        for fresh in grown:
            heapq.heappush(self.heap, (-self.total[fresh], fresh))


def replace(word, pair, new):
    """The word with `new` where the pair stood, from left to right.

    >>> replace([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    merged, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return merged
