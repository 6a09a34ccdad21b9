"""GPT-2's tokenizer: byte-level byte-pair encoding (Radford et al. 2019, section 2.2).

A text is cut into pieces - words, numbers, runs of punctuation or whitespace - and the UTF-8 bytes of each
piece are merged into tokens. As the 256 bytes are tokens too, any text can be encoded, and no token of
GPT-2's reaches over the edge of a piece.
"""

import re

from numgpt.errors import InputError
from numgpt.files import atomic_write
from numgpt.tokenizer.checks import check_ids, check_text
from numgpt.tokenizer.stream import StreamDecoder
from numgpt.tokenizer.symbols import format_merges, format_vocabulary
from numgpt.tokenizer.words import WordEncoder

END_OF_TEXT = "<|endoftext|>"


class BPETokenizer:
    """Text to token ids and back.

    tokens: the bytes of every id, a list, in which the 256 single bytes must be. merges: {(left id, right id): id of
    what they make}, in the order they were learned. special: {text: id} of the tokens that stand for no text, such
    as <|endoftext|>. `load_tokenizer` makes sure that what comes from files fits together.

        >>> tokenizer.encode("Hello world")
        [15496, 995]
        >>> tokenizer.decode([15496, 995])
        'Hello world'

    These are attributes too; `n_vocab` is the number of ids, `end_of_text` the id of <|endoftext|> or None.
    """

    def __init__(self, tokens, merges, special=None):
        self.tokens = tokens
        self.merges = merges
        self.special = dict(special or {})
        self.n_vocab = len(tokens)
        self.end_of_text = self.special.get(END_OF_TEXT)
        self._words = WordEncoder(self._byte_ids(), merges, self.n_vocab)

    def encode(self, text, allowed_special=()):
        """str -> list of int.

        allowed_special: the special tokens that the text may hold, a set of str or "all"; others are plain
        text. Raises InputError for what is not a str, for a lone surrogate and for an unknown special token.
        """
        check_text(text)
        allowed = self._check_special(allowed_special)
        if not allowed:
            return self._words.encode(text)
        ids = []
        for part in re.split("(" + "|".join(map(re.escape, allowed)) + ")", text):
            ids += [self.special[part]] if part in allowed else self._words.encode(part)
        return ids

    def decode(self, ids):
        """Ids -> str; bytes that are not UTF-8 become U+FFFD. Raises InputError as decode_bytes does."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids):
        """Ids -> bytes. Raises InputError for an id that is no whole number or not 0 <= id < n_vocab."""
        return b"".join(map(self.tokens.__getitem__, check_ids(ids, self.n_vocab)))

    def stream_decoder(self):
        """A StreamDecoder, for ids that come one at a time."""
        return StreamDecoder(self)

    def save(self, folder):
        """Write encoder.json and vocab.bpe, as OpenAI published GPT-2's, into a folder that exists."""
        with atomic_write(f"{folder}/encoder.json") as file:
            file.write(format_vocabulary(self.tokens, self.special))
        with atomic_write(f"{folder}/vocab.bpe") as file:
            file.write(format_merges(self.tokens, self.merges))

    def _byte_ids(self):
        special = self.special.values()
        ids = {token: i for i, token in enumerate(self.tokens) if len(token) == 1 and i not in special}
        return [ids[bytes([byte])] for byte in range(256)]

    def _check_special(self, allowed):
        """The allowed special tokens, the longest first, so that none hides behind its own beginning."""
        allowed = self.special if allowed == "all" else {allowed} if isinstance(allowed, str) else set(allowed)
        unknown = sorted(set(allowed) - set(self.special))
        if unknown:
            raise InputError(
                f"allowed_special: {unknown[0]!r} is no special token of this vocabulary, which has "
                f"{', '.join(map(repr, self.special)) or 'none'}"
            )
        return sorted(allowed, key=len, reverse=True)
