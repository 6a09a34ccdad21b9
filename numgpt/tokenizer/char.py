"""The simplest tokenizer: every character is a token."""

from numgpt.errors import InputError
from numgpt.tokenizer.checks import check_text
from numgpt.tokenizer.table import TableTokenizer


class CharTokenizer(TableTokenizer):
    """A vocabulary of characters, in the order of their code points.

    >>> tokenizer = CharTokenizer.from_text("hello")
    >>> tokenizer.encode("hole")
    [1, 3, 2, 0]
    """

    FILE = "chars.json"

    @classmethod
    def from_text(cls, text):
        """The characters that occur in `text`."""
        check_text(text)
        return cls(sorted(set(text)))

    @staticmethod
    def is_token(string):
        """Whether a string is one character, no half of one."""
        return len(string) == 1 and not "\ud800" <= string <= "\udfff"

    def encode(self, text, allowed_special=()):
        """str -> list of int. There are no special tokens to allow.

        Raises InputError for a character that is not in the vocabulary, with its line and column, and for no text.
        """
        check_text(text)
        try:
            return list(map(self._id_of.__getitem__, text))
        except KeyError as error:
            unknown = error.args[0]
        place = text.index(unknown)
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        raise InputError(
            f"line {line}, column {column}: the character {unknown!r} is not among the {self.n_vocab} of this "
            "vocabulary: take it out, or train with a text that has it"
        )
