"""What the two tokenizers that textbooks begin with have in common: a table of strings, and their numbers."""

import json
from pathlib import Path

from numgpt.errors import InputError
from numgpt.files import atomic_write
from numgpt.tokenizer.checks import check_ids
from numgpt.tokenizer.json_file import read_object, tokens_by_id
from numgpt.tokenizer.stream import StreamDecoder


class TableTokenizer:
    """Strings and their places in a list. Joined, the strings of a text's ids are the text again.

    strings: list of different str. A subclass says how a text is cut (`encode`), what can come of that (`is_token`) and
    the name of its `FILE`.
    """

    end_of_text = None

    def __init__(self, strings):
        self.strings = list(strings)
        self.n_vocab = len(self.strings)
        self._id_of = {string: i for i, string in enumerate(self.strings)}

    def decode(self, ids):
        """Ids -> str. Raises InputError for an id that is no whole number or not 0 <= id < n_vocab."""
        return "".join(map(self.strings.__getitem__, check_ids(ids, self.n_vocab)))

    def decode_bytes(self, ids):
        """Ids -> the text in UTF-8. Raises InputError as `decode` does."""
        return self.decode(ids).encode()

    def stream_decoder(self):
        """A StreamDecoder, for ids that come one at a time."""
        return StreamDecoder(self)

    def save(self, folder):
        """Write FILE, {string: id} as JSON, into a folder that exists."""
        with atomic_write(Path(folder) / self.FILE, "w") as file:
            json.dump(self._id_of, file, ensure_ascii=False)

    @classmethod
    def load(cls, path):
        """The tokenizer that `save` wrote. Raises InputError, naming the file, for anything else; OSError."""
        strings = tokens_by_id(read_object(path), path)
        for i, string in enumerate(strings):
            if not cls.is_token(string):
                raise InputError(f"{path}: token {i}, {string!a:.60}, does not belong in it: make it again")
        return cls(strings)
