"""The two tokenizers that textbooks begin with: a table of characters or of words, whose places are their ids."""

import json
import re
from collections import Counter

from numgpt.errors import InputError
from numgpt.files import atomic_write, check_path, quoted, read_json
from numgpt.tokenizer.common import StreamDecoder, check_ids, check_text, tokens_by_id

UNKNOWN = "<unk>"  # in a text it is three pieces, so no piece is spelt like it
PIECE = re.compile(r"\w+|\W")


class TableTokenizer:
    """A list of strings, whose places are their ids. Joined, the strings of a text's ids give the text again.

    strings: list of different str; raises InputError for anything else. A subclass says how a text is cut (`encode`),
    which strings can result (`is_token`), and the name of its `FILE`.
    """

    end_of_text = None

    def __init__(self, strings):
        self.strings = self._check_strings(strings)
        self.n_vocab = len(self.strings)
        self._id_of = {string: i for i, string in enumerate(self.strings)}

    def _check_strings(self, strings):
        """`strings` as a list. Raises InputError unless they are different texts, each of which can be a token."""
        try:
            strings = list(strings)
        except (TypeError, NotImplementedError):
            raise InputError(f"strings must be a list of texts, not {quoted(strings)}") from None
        for i, string in enumerate(strings):
            if not isinstance(string, str) or not self.is_token(string):
                raise InputError(f"token {i}, {quoted(string)}, does not belong in a {type(self).__name__}")
        if len(set(strings)) < len(strings):
            raise InputError(f"{quoted(Counter(strings).most_common(1)[0][0])} is among the strings twice")
        return strings

    def decode(self, ids):
        """Ids -> str. Raises InputError for an id that is not a whole number with 0 <= id < n_vocab."""
        return "".join(map(self.strings.__getitem__, check_ids(ids, self.n_vocab)))

    def decode_bytes(self, ids):
        """Ids -> the text in UTF-8. Raises InputError as `decode` does."""
        return self.decode(ids).encode()

    def stream_decoder(self):
        """A StreamDecoder, for ids that come one at a time."""
        return StreamDecoder(self)

    def save(self, folder):
        """Write FILE, {string: id} as JSON, into a folder that exists."""
        with atomic_write(check_path(folder, "folder") / self.FILE, "w") as file:
            json.dump(self._id_of, file, ensure_ascii=False)

    @classmethod
    def load(cls, path):
        """The tokenizer that `save` wrote. Raises InputError for any other file, OSError if reading fails."""
        path = check_path(path, "path")
        strings = tokens_by_id(read_json(path), path)
        try:
            return cls(strings)
        except InputError as error:
            raise InputError(f"{path}: {error}: recreate it") from None


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
        """Whether a string is one character, not half of one."""
        return len(string) == 1 and not "\ud800" <= string <= "\udfff"

    def encode(self, text, allowed_special=()):
        """str -> list of int. There are no special tokens to allow.

        Raises InputError for a character that is not in the vocabulary, with its line and column, and for anything but
        a text.
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


class WordTokenizer(TableTokenizer):
    """A vocabulary of words and of the single characters between them: spaces, punctuation, line breaks.

    The first token stands for every piece that is not in the vocabulary; it is written <unk>.

    >>> tokenizer = WordTokenizer.from_text("to be, or not to be")
    >>> tokenizer.decode(tokenizer.encode("to see, or not"))
    'to <unk>, or not'
    """

    FILE = "words.json"

    def __init__(self, strings):
        super().__init__(strings)
        if UNKNOWN not in self._id_of:
            raise InputError(f"there is no {UNKNOWN} among the strings: every vocabulary of words needs it")

    @classmethod
    def from_text(cls, text):
        """The pieces that occur in `text`, the most frequent first."""
        check_text(text)
        return cls([UNKNOWN, *(piece for piece, _ in Counter(PIECE.findall(text)).most_common())])

    @staticmethod
    def is_token(string):
        """Whether a string is one piece of some text, or the unknown one."""
        return string == UNKNOWN or bool(PIECE.fullmatch(string)) and not "\ud800" <= string <= "\udfff"

    def encode(self, text, allowed_special=()):
        """str -> list of int. There are no special tokens to allow. Raises InputError for anything but a text."""
        check_text(text)
        unknown = self._id_of[UNKNOWN]
        return [self._id_of.get(piece, unknown) for piece in PIECE.findall(text)]
