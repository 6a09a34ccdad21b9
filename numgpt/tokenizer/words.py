"""The ids of a text, word by word from memory: most words of a text have occurred before."""

from contextlib import suppress
from functools import cached_property
from itertools import chain

from numgpt.errors import InputError
from numgpt.tokenizer.batch import BatchMerger
from numgpt.tokenizer.characters import MOST, from_characters
from numgpt.tokenizer.merging import Merges

# GPT-2's pattern, in OpenAI's encoder.py, for the `regex` package: \p{L} is a letter, \p{N} a number. The last two
# alternatives leave the last whitespace of a run to the word behind it.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

MEMORY = 2**21  # characters of words and pieces whose ids are kept: some 200,000 words
SHORT = 32  # bytes of a piece that may be merged in a batch
BATCH = range(50, 2**16)  # pieces in a batch: fewer are faster one by one, more need too much memory


class WordEncoder:
    """Text without special tokens to ids.

    PATTERN cuts a text into pieces, and `Merges` a piece into ids. A single space between two characters that are no
    whitespace always begins a piece: so the ids of a text are those of its words, each with the space before it,
    whatever stands around them, and a word that occurred before is only looked up. Where a word is empty, or begins or
    ends with other whitespace, its spaces belong to longer runs: words of that kind that are neighbours are a stretch,
    and looked up together.

    What is remembered of a text are the ids as characters (`numgpt.tokenizer.characters`).
    """

    def __init__(self, byte_ids, merges, n_vocab):
        import regex  # here, so that `import numgpt` needs only NumPy

        if n_vocab > MOST:
            raise InputError(f"a vocabulary of {n_vocab} tokens is too large: ids from {MOST} on cannot be kept")
        self._merges, self._n_vocab = Merges(byte_ids, merges), n_vocab
        self._find_pieces = regex.compile(PATTERN).findall
        self._forget()

    def _forget(self):
        """Start new memories; the old ones stay as they are, since another thread may be reading them.

        words: {word: ids of a space and the word, or None where the neighbours matter}. texts: {text: ids}.
        """
        self._words, self._texts, self._room = {}, {}, MEMORY

    def encode(self, text):
        """str -> list of int."""
        if self._room < 0:
            self._forget()
        words = text.split(" ")
        start, words[0] = words[0], ""  # no space before it
        try:
            found = list(map(self._words.__getitem__, words))
        except KeyError:
            found = list(map(self._learn_words(words).__getitem__, words))
        words[0] = start
        spans = list(runs_of_none(found))
        stretches = [" " * (first > 0) + " ".join(words[first:last]) for first, last in spans]
        known = self._learn_stretches(stretches)
        for (first, last), stretch in zip(spans, stretches, strict=True):
            found[first:last] = [known[stretch], *[""] * (last - first - 1)]
        return from_characters("".join(found))

    def _learn_words(self, words):
        """Remember the words of a text; return the memory, which has them all."""
        known = self._words
        new = set(words).difference(known)
        alone = [word for word in new if word and word == word.strip()]
        cuts = [[" " + word] if is_ascii_letters(word) else self._find_pieces(" " + word) for word in alone]
        known.update(zip(alone, self._merge_cuts(cuts), strict=True))
        known.update(dict.fromkeys(new.difference(alone)))
        self._room -= sum(map(len, new))
        return known

    def _learn_stretches(self, stretches):
        """Remember the stretches of a text; return the memory, which has them all."""
        known = self._texts
        new = list(set(stretches).difference(known))
        known.update(zip(new, self._merge_cuts(list(map(self._find_pieces, new))), strict=True))
        self._room -= sum(map(len, new))
        return known

    def _merge_cuts(self, cuts):
        """The ids of each text of a list, which are cut into their pieces; the pieces, texts too, are remembered."""
        known = self._texts
        new = list(set(chain.from_iterable(cuts)).difference(known))
        known.update(zip(new, self._merge([piece.encode() for piece in new]), strict=True))
        self._room -= sum(map(len, new))
        return ["".join(map(known.__getitem__, cut)) for cut in cuts]

    def _merge(self, pieces):
        """List of bytes -> list of ids as characters."""
        found = {}
        short = [piece for piece in pieces if len(piece) <= SHORT]
        while len(short) >= BATCH.start:
            batch, short = short[: BATCH.stop], short[BATCH.stop :]
            found.update(zip(batch, self._batch.merge(batch), strict=True))
        return [found.get(piece) or "".join(map(chr, self._merges.merge(piece))) for piece in pieces]

    @cached_property
    def _batch(self):
        return BatchMerger(self._merges, self._n_vocab)


def is_ascii_letters(word):
    """Whether a space and `word` are one piece for sure, which need not be cut: most words are."""
    return word.isascii() and word.isalpha()


def runs_of_none(found):
    """(first, last) for each found[first:last] that is all None and has no None beside it."""
    last = 0
    with suppress(ValueError):  # index() finds no more
        while True:
            first = last = found.index(None, last)
            while last < len(found) and found[last] is None:
                last += 1
            yield first, last
