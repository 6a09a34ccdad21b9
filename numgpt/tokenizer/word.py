"""Words as tokens, as language models began: short sequences, a large vocabulary, and words that it does not have."""

import re
from collections import Counter

from numgpt.errors import InputError
from numgpt.tokenizer.checks import check_text
from numgpt.tokenizer.table import TableTokenizer

UNKNOWN = "<unk>"  # three pieces of any text, so no piece is spelt like it
PIECE = re.compile(r"\w+|\W")


class WordTokenizer(TableTokenizer):
    """A vocabulary of words and of single characters that are in no word: spaces, punctuation, line breaks.

    The first token stands for every piece that is not in the vocabulary; it is written <unk>.

    >>> tokenizer = WordTokenizer.from_text("to be, or not to be")
    >>> tokenizer.decode(tokenizer.encode("to see, or not"))
    'to <unk>, or not'
    """

    FILE = "words.json"

    @classmethod
    def from_text(cls, text):
        """The pieces that occur in `text`, the most frequent first."""
        check_text(text)
        return cls([UNKNOWN, *(piece for piece, _ in Counter(PIECE.findall(text)).most_common())])

    @staticmethod
    def is_token(string):
        """Whether a string is one piece of some text, or the unknown one."""
        return string == UNKNOWN or bool(PIECE.fullmatch(string)) and not "\ud800" <= string <= "\udfff"

    @classmethod
    def load(cls, path):
        tokenizer = super().load(path)
        if UNKNOWN not in tokenizer._id_of:
            raise InputError(f"{path}: there is no {UNKNOWN} in it, which every vocabulary of words has")
        return tokenizer

    def encode(self, text, allowed_special=()):
        """str -> list of int. There are no special tokens to allow. Raises InputError for what is no text."""
        check_text(text)
        unknown = self._id_of[UNKNOWN]
        return [self._id_of.get(piece, unknown) for piece in PIECE.findall(text)]
