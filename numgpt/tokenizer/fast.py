"""The ids that bpe.py's `encode` gives, fast: most words of a text have occurred before, and are only looked up.

A text is split at its single spaces, which is much faster than finding pieces. A space between two characters that are
no whitespace always begins a piece: so a word has the same ids, together with the space before it, whatever stands
around. Where a word is empty, or begins or ends with other whitespace, its spaces belong to longer runs, and its
neighbours matter. Such words, as many as are side by side, are a stretch, which is looked up as a whole; the first word
of a text belongs to one too, as there is no space before it.

    "To be,  or not"    stretches "To" and " "; words "be,", "or" and "not"

What has not occurred before is cut into its pieces, and new pieces are merged (fast_merging.py). Ids are remembered as
the characters of a str, which are quicker to join than lists.
"""

from contextlib import suppress
from itertools import chain

from numgpt.errors import InputError
from numgpt.tokenizer.fast_merging import MOST_IDS, Merger, from_characters

MEMORY_SIZE = 2**21  # characters of words, stretches and pieces whose ids are kept: some 200,000 words
IN_A_STRETCH = ""  # what is remembered of a word whose ids depend on its neighbours


class FastEncoder:
    """Texts without special tokens to ids.

    byte_ids, rank and made are those of bpe.py's `encode`, whose pieces `find_pieces` finds. Raises InputError for a
    vocabulary too large.
    """

    def __init__(self, byte_ids, rank, made, n_vocab, find_pieces):
        if n_vocab > MOST_IDS:
            raise InputError(f"a vocabulary of {n_vocab} tokens is too large: ids from {MOST_IDS} on cannot be kept")
        self._find_pieces = find_pieces
        self._merger = Merger(byte_ids, rank, made, n_vocab)
        self._forget()

    def _forget(self):
        """Start new memories, from texts to their ids; another thread may be reading the old ones, so they stay.

        A word's ids are those of a space and the word.
        """
        self._words, self._stretches, self._pieces = {}, {}, {}
        self._room = MEMORY_SIZE

    def _remember(self, memory, texts, ids):
        memory.update(zip(texts, ids, strict=True))
        self._room -= sum(map(len, texts))

    def encode(self, text):
        """str -> list of int."""
        if self._room < 0:
            self._forget()
        words = text.split(" ")
        found = [IN_A_STRETCH, *self._look_words_up(words[1:])]
        spans = list(find_stretches(found))
        stretches = [" " * (first > 0) + " ".join(words[first:last]) for first, last in spans]
        for (first, _), ids in zip(spans, self._look_stretches_up(stretches), strict=True):
            found[first] = ids
        return from_characters("".join(found))

    def _look_words_up(self, words):
        """What is known of each word: ids or IN_A_STRETCH."""
        known = self._words
        try:
            return list(map(known.__getitem__, words))
        except KeyError:  # then all that are new are learnt together, which is faster
            self._learn_words(known, set(words).difference(known))
            return list(map(known.__getitem__, words))

    def _learn_words(self, known, new):
        alone = [word for word in new if word and word == word.strip()]
        joined = new.difference(alone)
        cuts = [[" " + word] if is_ascii_letters(word) else self._find_pieces(" " + word) for word in alone]
        self._remember(known, alone, self._merge_cuts(cuts))
        self._remember(known, joined, [IN_A_STRETCH] * len(joined))

    def _look_stretches_up(self, stretches):
        """The ids of each stretch."""
        known = self._stretches
        new = list(set(stretches).difference(known))
        self._remember(known, new, self._merge_cuts(list(map(self._find_pieces, new))))
        return map(known.__getitem__, stretches)

    def _merge_cuts(self, cuts):
        """The ids of each text of a list, which are cut into their pieces."""
        known = self._pieces
        new = list(set(chain.from_iterable(cuts)).difference(known))
        self._remember(known, new, self._merger.merge([piece.encode() for piece in new]))
        return ["".join(map(known.__getitem__, cut)) for cut in cuts]


def is_ascii_letters(word):
    """Whether a space and `word` are one piece for sure, which need not be cut: most words are."""
    return word.isascii() and word.isalpha()


def find_stretches(found):
    """(first, last) for each found[first:last] that is all IN_A_STRETCH, with something else or nothing beside it."""
    last = 0
    with suppress(ValueError):  # index() finds no more
        while True:
            first = last = found.index(IN_A_STRETCH, last)
            while last < len(found) and found[last] == IN_A_STRETCH:
                last += 1
            yield first, last
