"""GPT-2's tokenizer: byte-level byte-pair encoding (Radford et al. 2019, section 2.2).

A text is cut into pieces - words, numbers, runs of punctuation or whitespace - and the UTF-8 bytes of each piece are
merged into tokens (Gage 1994, "A New Algorithm for Data Compression"; Sennrich, Haddow and Birch 2016, section 3.2).
Since the 256 bytes are tokens too, any text can be encoded. No token of GPT-2 crosses the edge of a piece.

    merges learnt    first h e -> he, then t he -> the
    text             "then hens"
    pieces           "then" and " hens"
    tokens           t h e n -> t he n -> the n        _ h e n s -> _ he n s

`find_pieces`, `merge`, `next_merge` and `encode` are all of it, and run after `use_kernels("plain")`. Otherwise
`BPETokenizer` uses fast.py, which the tests compare with them. Merges are learnt in trainer.py.
"""

from functools import cache
from itertools import chain, pairwise

from numgpt.errors import InputError
from numgpt.files import atomic_write, check_path, quoted
from numgpt.kernels import plain
from numgpt.tokenizer.added import AddedToken, split
from numgpt.tokenizer.common import StreamDecoder, check_ids, check_text
from numgpt.tokenizer.fast import FastEncoder
from numgpt.tokenizer.formats import format_files

END_OF_TEXT = "<|endoftext|>"

# From OpenAI's encoder.py, for the `regex` package: \p{L} is a letter, \p{N} a number. The last two alternatives leave
# the last whitespace of a run to the word after it.
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@cache
def compiled_pattern():
    """PATTERN, compiled once."""
    import regex  # here, so that `import numgpt` needs only NumPy

    return regex.compile(PATTERN)


def find_pieces(text):
    """The pieces of a text, in order; joined, they give the text.

    >>> find_pieces("I'll be 42,  Ann!")
    ['I', "'ll", ' be', ' 42', ',', ' ', ' Ann', '!']
    """
    return compiled_pattern().findall(text)


def merge(ids, rank, made):
    """Replace the pair of neighbours whose merge was learnt first by one token, until no pair has a merge.

    ids: the bytes of a piece, as a list of ids. rank: {(left id, right id): place in the order of learning}. made: the
    id that each merge makes, in that order. Of equal pairs the leftmost goes first.

    >>> merge([*b"then"], {(104, 101): 0, (116, 256): 1}, [256, 257])
    [257, 110]

    OpenAI's encoder.py replaces all equal pairs at once, and so does learning. The result is the same, since the first
    replacement cannot create a pair that goes before the others: a merge of the new token was learnt after the token
    itself. Only a vocabulary that was not learnt may have a second merge for the same token, later than a merge of that
    token; then replacing one by one, as here and in Hugging Face's tokenizers, differs from all at once.
    """
    ids = list(ids)
    while found := next_merge(ids, rank):
        first, place = found
        ids[place : place + 2] = [made[first]]
    return ids


def next_merge(ids, rank):
    """(rank, place) of the pair that becomes one token next; None if no pair has a merge."""
    return min(((rank[pair], place) for place, pair in enumerate(pairwise(ids)) if pair in rank), default=None)


def encode(text, byte_ids, rank, made):
    """The ids, a list, of a text without special tokens. byte_ids: the id of each of the 256 bytes; others as `merge`.

    >>> encode("then hens", range(256), {(104, 101): 0, (116, 256): 1}, [256, 257])
    [257, 110, 32, 256, 110, 115]
    """
    ids = []
    for piece in find_pieces(text):
        ids += merge([byte_ids[byte] for byte in piece.encode()], rank, made)
    return ids


class BPETokenizer:
    """Text to token ids and back.

    tokens: the bytes of every id, a list that must contain the 256 single bytes. merges: {(left id, right id): id of
    what they make}, in the order they were learnt. special: {text: id} of the tokens that no merge makes, such as
    <|endoftext|>. added: an AddedToken for each of these that has settings. `load_tokenizer` makes sure that what comes
    from files fits together. Raises InputError for arguments that are not of this kind.

        >>> tokenizer.encode("Hello world")
        [15496, 995]
        >>> tokenizer.decode([15496, 995])
        'Hello world'

    The arguments are attributes too; `n_vocab` is the number of ids, `end_of_text` the id of <|endoftext|> or None, and
    `algorithm` holds the arguments of the function `encode` after the text.
    """

    def __init__(self, tokens, merges, special=None, added=()):
        check_vocabulary(tokens, merges, special)
        self.tokens = tokens
        self.merges = merges
        self.special = dict(special or {})
        self.added = {text: AddedToken(text) for text in self.special} | {token.text: token for token in added}
        self.n_vocab = len(tokens)
        self.end_of_text = self.special.get(END_OF_TEXT)
        self.algorithm = self._find_byte_ids(), {pair: n for n, pair in enumerate(merges)}, list(merges.values())
        self._fast = FastEncoder(*self.algorithm, self.n_vocab, compiled_pattern().findall)

    def encode(self, text, allowed_special=()):
        """str -> list of int.

        allowed_special: the special tokens that the text may hold, a set of str or "all"; others are plain text. Added
        tokens that are not special are always tokens. Raises InputError for anything but a str, for a lone surrogate
        and for an unknown special token.
        """
        check_text(text)
        allowed = self._check_special(allowed_special)
        added = [token for token in self.added.values() if token.text in allowed or not token.special]
        if not added:
            return self._encode_ordinary(text)
        ids = []
        for part, token in split(text, added):
            ids += self._encode_ordinary(part) if token is None else [self.special[token.text]]
        return ids

    def decode(self, ids):
        """Ids -> str; bytes that are not UTF-8 become U+FFFD. Raises InputError as decode_bytes does."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids):
        """Ids -> bytes. Raises InputError for an id that is not a whole number with 0 <= id < n_vocab."""
        return b"".join(map(self.tokens.__getitem__, check_ids(ids, self.n_vocab)))

    def stream_decoder(self):
        """A StreamDecoder, for ids that come one at a time."""
        return StreamDecoder(self)

    def save(self, folder):
        """Write the vocabulary into a folder that exists, as OpenAI's files and as those that transformers reads.

        encoder.json and vocab.bpe are OpenAI's; vocab.json and merges.txt are copies of them under Hugging Face's
        names; tokenizer.json and tokenizer_config.json also say how added tokens are looked for. Raises InputError for
        an invalid folder name, OSError if writing fails.
        """
        for name, data in format_files(self).items():
            with atomic_write(check_path(folder, "folder") / name) as file:
                file.write(data)

    def without_added(self, n_vocab):
        """This tokenizer with its first n_vocab ids only; the others must all be added tokens."""
        special = {text: i for text, i in self.special.items() if i < n_vocab}
        added = [token for text, token in self.added.items() if text in special]
        return BPETokenizer(self.tokens[:n_vocab], self.merges, special, added)

    def _encode_ordinary(self, text):
        """The ids of a text in which no special token is looked for."""
        if plain():
            return encode(text, *self.algorithm)
        return self._fast.encode(text)

    def _find_byte_ids(self):
        special = self.special.values()
        ids = {token: i for i, token in enumerate(self.tokens) if len(token) == 1 and i not in special}
        missing = next((byte for byte in range(256) if bytes([byte]) not in ids), None)
        if missing is not None:
            raise InputError(f"the byte {missing} is not among the tokens: all 256 bytes must be")
        return [ids[bytes([byte])] for byte in range(256)]

    def _check_special(self, allowed):
        """The allowed special tokens, a set of str."""
        if isinstance(allowed, str):
            allowed = self.special if allowed == "all" else [allowed]
        try:
            allowed = set(allowed)
        except (TypeError, ValueError, NotImplementedError):  # not iterable, or not hashable
            raise InputError(f"allowed_special must be 'all' or a set of texts, not {quoted(allowed)}") from None
        unknown = sorted(map(quoted, allowed - set(self.special)))
        if unknown:
            raise InputError(
                f"allowed_special: {unknown[0]} is not a special token of this vocabulary, which has "
                f"{', '.join(map(repr, self.special)) or 'none'}"
            )
        return allowed


def check_vocabulary(tokens, merges, special):
    """Raise InputError unless the three are of the kinds that BPETokenizer names, with ids in range."""
    if not isinstance(tokens, list) or set(map(type, tokens)) != {bytes}:
        raise InputError(f"tokens must be a list of the bytes of every id, not {quoted(tokens)}")
    if not isinstance(merges, dict) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in merges):
        raise InputError(f"merges must be a dict, {{(left id, right id): id}}, not {quoted(merges)}")
    if special is not None and not (isinstance(special, dict) and all(isinstance(text, str) for text in special)):
        raise InputError(f"special must be a dict, {{text: id}}, not {quoted(special)}")
    check_ids([*chain(*merges), *merges.values(), *(special or {}).values()], len(tokens))
