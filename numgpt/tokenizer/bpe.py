"""GPT-2's tokenizer: byte-level byte-pair encoding (Radford et al. 2019, section 2.2).

A text is cut into pieces - words, numbers, runs of punctuation or whitespace - and the UTF-8 bytes of each
piece are merged into tokens. As the 256 bytes are tokens too, any text can be encoded, and no token of
GPT-2's reaches over the edge of a piece.
"""

import re
from functools import cached_property
from itertools import chain

from numgpt.errors import InputError
from numgpt.files import atomic_write
from numgpt.tokenizer.batch import BatchMerger
from numgpt.tokenizer.checks import check_ids, check_text
from numgpt.tokenizer.merging import Merges
from numgpt.tokenizer.stream import StreamDecoder
from numgpt.tokenizer.symbols import format_merges, format_vocabulary

END_OF_TEXT = "<|endoftext|>"

# The pattern in OpenAI's encoder.py, for the `regex` package: \p{L} is a letter, \p{N} a number. The last two
# alternatives leave the last whitespace of a run to the word behind it.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# What `regex` takes for \s. Python's own `re`, which is faster, would add U+001C to U+001F.
WHITESPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

# A run of whitespace and the word behind it. Wherever a word ends a piece of PATTERN ends, as no piece has
# whitespace behind anything else, and no piece depends on what is before it or behind the word: so the pieces
# of a text are the pieces of its chunks, and a chunk that occurred before need not be looked at again.
CHUNK = re.compile(f"[{WHITESPACE}]*[^{WHITESPACE}]*")

MEMORY = 2**21  # characters of chunks whose ids are kept: some 300,000 words
SHORT = 32  # bytes of a piece that may be merged in a batch
BATCH = range(50, 2**16)  # pieces in a batch: fewer are faster one by one, more need too much memory


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
        import regex  # here, so that `import numgpt` needs only NumPy

        self.tokens = tokens
        self.merges = merges
        self.special = dict(special or {})
        self.n_vocab = len(tokens)
        self.end_of_text = self.special.get(END_OF_TEXT)
        self._merges = Merges(self._byte_ids(), merges)
        self._pattern = regex.compile(PATTERN)
        self._memory, self._room = {}, MEMORY

    def encode(self, text, allowed_special=()):
        """str -> list of int.

        allowed_special: the special tokens that the text may hold, a set of str or "all"; others are plain
        text. Raises InputError for what is not a str, for a lone surrogate and for an unknown special token.
        """
        check_text(text)
        allowed = self._check_special(allowed_special)
        if not allowed:
            return self._encode_plain(text)
        ids = []
        for part in re.split("(" + "|".join(map(re.escape, allowed)) + ")", text):
            ids += [self.special[part]] if part in allowed else self._encode_plain(part)
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

    def _encode_plain(self, text):
        """The ids of a text without special tokens, chunk by chunk from memory."""
        chunks = CHUNK.findall(text)
        try:
            return list(chain.from_iterable(map(self._memory.__getitem__, chunks)))
        except KeyError:
            memory = self._learn(chunks)
            return list(chain.from_iterable(map(memory.__getitem__, chunks)))

    def _learn(self, chunks):
        """Remember the ids of the chunks of a text; return the memory, which has them all.

        A piece by itself is one piece again, so pieces and chunks share the memory. A full one is replaced,
        not emptied, since another thread may be reading it.
        """
        if self._room < 0:
            self._memory, self._room = {}, MEMORY
        memory = self._memory
        new = [chunk for chunk in dict.fromkeys(chunks) if chunk not in memory]
        cut = self._pattern.findall("".join(new))  # as in the text: only the first may have no whitespace in front
        pieces = [piece for piece in dict.fromkeys(cut) if piece not in memory]
        memory.update(zip(pieces, self._merge([piece.encode() for piece in pieces]), strict=True))
        cut = iter(cut)
        for chunk in new:
            ids, rest = [], len(chunk)
            while rest:
                piece = next(cut)
                ids += memory[piece]
                rest -= len(piece)
            memory[chunk] = tuple(ids)
        self._room -= sum(map(len, new)) + sum(map(len, pieces))
        return memory

    def _merge(self, pieces):
        """List of bytes -> list of tuples of ids."""
        found = {}
        short = [piece for piece in pieces if len(piece) <= SHORT]
        while len(short) >= BATCH.start:
            batch, short = short[: BATCH.stop], short[BATCH.stop :]
            found.update(zip(batch, self._batch.merge(batch), strict=True))
        return [found.get(piece) or self._merges.merge(piece) for piece in pieces]

    @cached_property
    def _batch(self):
        return BatchMerger(self._merges, self.n_vocab)
