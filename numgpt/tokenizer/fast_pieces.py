r"""Finding in NumPy the pieces that bpe.py's PATTERN finds, and which of them are equal.

A character is a letter, a number, whitespace or something else, and a run is as many of one kind as stand side by side.
The pattern as rules of where a piece begins:

1. at the beginning of every run;
2. in whitespace before a word, also at the last character, which "\s+(?!\S)" leaves;
3. if that is a space, it begins the word's piece, so none begins at the word itself;
4. if a piece begins at an apostrophe, 's, 't, 're, 've, 'm, 'll and 'd are a piece, and the next begins after them.

    "I'll be 42,  Ann"    runs "I ' ll _ be _ 42 , __ Ann"    pieces "I 'll _be _42 , _ _Ann"

This takes a fifth of the time of the `regex` package. Pieces are places in the text's UTF-8, and of equal pieces only
one has to become a Python object: a text of a megabyte has twenty times as many pieces as different pieces.
"""

import re

import numpy as np

LETTER, NUMBER, OTHER, WHITESPACE = 1, 2, 3, 4
EXAMPLES = {LETTER: "a", NUMBER: "1", OTHER: "!"}  # in one piece with the next character if that is of the same kind

BLOCK = 2**18  # characters that are processed together: their arrays stay in the processor's cache
BETWEEN_WORDS = re.compile(r"(?<=\S) (?=\S)")  # a piece begins there, whatever is around it

# Multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4), with other factors each round.
FACTORS = np.array(
    [
        (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F),
        (0xD6E8FEB86659FD93, 0xA0761D6478BD642F),
        (0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3),
    ],
    dtype=np.uint64,
)
LONGEST_KEY = 15  # bytes
# For a piece of up to 16 bytes: which bits of the eight bytes at its place, and of the next eight, are its own.
LOW = np.array([2 ** (8 * min(n, 8)) - 1 for n in range(LONGEST_KEY + 2)], dtype=np.uint64)
HIGH = np.array([2 ** (8 * min(max(n - 8, 0), 7)) - 1 for n in range(LONGEST_KEY + 2)], dtype=np.uint64)


class PieceFinder:
    """find_pieces: bpe.py's, which also tells the kinds of characters, so that its version of Unicode counts."""

    def __init__(self, find_pieces):
        self._find_pieces = find_pieces
        self._kind_of_code = np.zeros(0x110000, dtype=np.uint8)  # 0: not asked for yet
        self._kind_of_ascii = self._find_kinds(np.arange(128)).tobytes() + bytes(128)

    def find_different(self, text):
        """(different, numbers) for each block of a text.

        different: the different pieces of the block, a list of bytes, with a few of them twice. numbers: an int array
        that says of each piece of the block, in order, which one of the list it is.
        """
        for block in find_blocks(text):
            data = block.encode()
            edges = find_edges(data, self._kinds_of_bytes(block, data))
            same = find_equal(data, edges)
            first = np.flatnonzero(same == np.arange(len(same)))
            number = np.empty(len(same), dtype=np.int32)
            number[first] = np.arange(len(first))
            spans = zip(edges[first].tolist(), edges[first + 1].tolist(), strict=True)
            yield [data[start:stop] for start, stop in spans], number[same]

    def _kinds_of_bytes(self, text, data):
        """The kind of the character that each byte of `data`, the text in UTF-8, belongs to."""
        kinds = np.frombuffer(data.translate(self._kind_of_ascii), np.uint8)
        if text.isascii():
            return kinds
        kinds = kinds.copy()
        codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
        codes = codes[codes >= 0x80]
        first = np.flatnonzero(np.frombuffer(data, np.uint8) >= 0b11000000)
        found = self._find_kinds(codes)
        for n, least in enumerate((0x80, 0x80, 0x800, 0x10000)):
            has_byte = codes >= least
            kinds[first[has_byte] + n] = found[has_byte]
        return kinds

    def _find_kinds(self, codes):
        """The kinds of characters by their code points."""
        kinds = self._kind_of_code[codes]
        if not kinds.all():
            for code in np.unique(codes[kinds == 0]).tolist():
                alike = [kind for kind, example in EXAMPLES.items() if len(self._find_pieces(example + chr(code))) == 1]
                (self._kind_of_code[code],) = alike or [WHITESPACE]
            kinds = self._kind_of_code[codes]
        return kinds


def find_blocks(text):
    """Parts of a text with the same pieces as the text, none much longer than BLOCK if spaces part its words."""
    start = 0
    while start < len(text):
        gap = BETWEEN_WORDS.search(text, start + BLOCK)
        stop = gap.start() if gap else len(text)
        yield text[start:stop]
        start = stop


def find_edges(data, kinds):
    """Where pieces begin in a text's UTF-8, and after these its length. kinds: the kind of each byte's character."""
    size = len(data)
    text = np.frombuffer(data + bytes(2), np.uint8)  # as much as is read after an apostrophe
    begins = np.zeros(size + 3, dtype=bool)
    begins[[0, size]] = True
    changes = kinds[1:] != kinds[:-1]
    words = changes & (kinds[:-1] == WHITESPACE)  # which byte is the last before a word
    begins[1:size] = changes & ~(words & (text[: size - 1] == ord(" ")))
    begins[: size - 1] |= words

    wide = np.flatnonzero(words & (text[: size - 1] >= 0x80))  # whitespace whose last byte is not its first
    begins[wide] = False
    for _ in range(2):
        wide -= text[wide] & 0b11000000 == 0b10000000
    begins[wide] = True

    quotes = np.flatnonzero(text == ord("'"))
    quotes = quotes[begins[quotes]]
    first, second = text[quotes + 1], text[quotes + 2]
    one = np.isin(first, [*b"stmd"])
    two = np.isin(first, [*b"rv"]) & (second == ord("e")) | (first == ord("l")) & (second == ord("l"))
    begins[quotes[one | two] + 1] = False
    begins[quotes[one] + 2] = True
    begins[quotes[two] + 3] = True
    return np.flatnonzero(begins[: size + 1])


def find_equal(data, edges):
    """For each piece the number of an equal one, perhaps its own: with few exceptions the same for all that are equal.

    Up to 15 bytes and their number make a key of two words. The pieces are put into a hash table; the one that stays in
    a slot stands for all with its key, and the others try again. Longer pieces stand for themselves.
    """
    sizes = np.minimum(np.diff(edges), LONGEST_KEY + 1)
    padded = data + bytes(16)
    words = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))  # the eight bytes at each place
    low = words[edges[:-1]] & LOW[sizes]
    high = words[edges[:-1] + 8] & HIGH[sizes] | sizes.astype(np.uint64) << np.uint64(56)
    long = np.flatnonzero(sizes > LONGEST_KEY)
    low[long] = long

    bits = len(sizes).bit_length()
    table = np.empty(2**bits, dtype=np.int64)
    same, alone = np.empty_like(edges[1:]), np.arange(len(sizes))
    for factors in FACTORS:
        slots = (low[alone] * factors[0] + high[alone] * factors[1] >> np.uint64(64 - bits)).view(np.int64)
        table[slots] = alone
        same[alone] = table[slots]
        alone = np.flatnonzero((low[same] != low) | (high[same] != high))
    same[alone] = alone
    return same
