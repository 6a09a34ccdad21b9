"""What all tokenizers share: checks of arguments and vocabularies, and the decoding of ids one at a time."""

import codecs
import operator
from array import array

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted


def check_text(text):
    """Raise InputError unless `text` is a str that UTF-8 can hold."""
    if not isinstance(text, str):
        hint = "decode the bytes first" if isinstance(text, bytes | bytearray) else "pass one string"
        raise InputError(f"a text must be a str, not {type(text).__name__}: {hint}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"character {error.start} of the text is a lone surrogate (U+{ord(text[error.start]):04X}), half of a "
            "character: read the text with encoding='utf-8', errors='replace', or take it out"
        ) from None


def check_ids(ids, n_vocab):
    """The ids as a list of int. Raises InputError for one that is not a whole number with 0 <= id < n_vocab."""
    try:
        ids = list(ids.tolist() if hasattr(ids, "tolist") else ids)
    except (TypeError, NotImplementedError):  # the latter from a memoryview of a format that it cannot read
        raise InputError(f"token ids must be a sequence of whole numbers, not {quoted(ids)}") from None
    try:
        numbers = np.asarray(array("q", ids))  # refuses all but whole numbers, faster than a loop would
        fine = not ids or (numbers.min() >= 0 and numbers.max() < n_vocab)
    except (TypeError, OverflowError):
        fine = False
    return ids if fine else [check_id(i, n_vocab) for i in ids]


def check_id(token, n_vocab):
    """The id as an int. Raises InputError if it is not a whole number with 0 <= id < n_vocab."""
    try:
        number = operator.index(token)
    except TypeError:
        raise InputError(f"a token id must be a whole number from 0 to {n_vocab - 1}, not {quoted(token)}") from None
    if not 0 <= number < n_vocab:
        raise InputError(f"token id {quoted(number)} is out of range: this vocabulary has the ids 0 to {n_vocab - 1}")
    return number


def tokens_by_id(vocabulary, path):
    """The tokens of a {token: id} in the order of their ids. Raises InputError unless the ids are 0 to n - 1."""
    ids, last = list(vocabulary.values()), len(vocabulary) - 1
    wrong = next((i for i in ids if type(i) is not int or not 0 <= i <= last), None)
    if wrong is not None or None in ids:
        token = next(token for token, i in vocabulary.items() if i is wrong)
        raise InputError(
            f"{path}: the id of {token!r:.60} is {wrong!r:.40}; {last + 1} tokens must have the ids 0 to {last}"
        )
    by_id = dict(zip(ids, vocabulary, strict=True))
    if len(by_id) < len(ids):
        token = next(token for token, i in vocabulary.items() if by_id[i] != token)
        raise InputError(
            f"{path}: {token!r:.60} and {by_id[vocabulary[token]]!r:.60} have the same id {vocabulary[token]}"
        )
    return [by_id[i] for i in range(len(by_id))]


class StreamDecoder:
    """Turn ids into text one at a time, never returning half a character.

    A character may be spread over several tokens: its bytes are held back until it is complete. What `push` and `flush`
    return, joined, is `tokenizer.decode` of all the ids.

        decoder = tokenizer.stream_decoder()
        for token in tokens:
            print(decoder.push(token), end="", flush=True)
        print(decoder.flush())
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token):
        """The text that this id completes, possibly none. Raises InputError for an id out of range."""
        return self._utf8.decode(self.tokenizer.decode_bytes([token]))

    def flush(self):
        """What is left at the end: U+FFFD for a character that was cut off, otherwise nothing."""
        return self._utf8.decode(b"", final=True)
