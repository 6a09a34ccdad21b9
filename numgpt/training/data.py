"""From a file to batches: read, split, tokenise, keep the tokens on disk, draw windows of them."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from numgpt.errors import InputError
from numgpt.files import atomic_write, file_sha256, quoted, read_text
from numgpt.training.npy import map_tokens

PARTS = ("train", "held_out")


@dataclass(frozen=True)
class Source:
    """What a data file holds: a text or, from a .npy file, the tokens themselves; and the file's SHA-256."""

    path: Path
    text: str | None
    tokens: np.ndarray | None
    sha256: str

    def split(self, val_fraction):
        """(first part, last part), the last being that share of the characters or tokens."""
        whole = self.text if self.tokens is None else self.tokens
        end = int(len(whole) * (1 - val_fraction))
        return whole[:end], whole[end:]


def read_source(path):
    """The Source at `path`: UTF-8 text, or one row of whole numbers in a .npy file, which is mapped into memory.

    Raises InputError for a folder, an empty file, and for what is neither; OSError as the disk does.
    """
    path = Path(path)
    if path.suffix == ".npy" and not path.is_dir():
        return Source(path, None, _read_tokens(path), file_sha256(path))
    return Source(path, read_document(path), None, file_sha256(path))


def read_document(path):
    """The text of a UTF-8 file that has one. Raises InputError for an empty file and as `read_text`; OSError too."""
    text = read_text(path)
    if not text:
        raise InputError(f"{path} is empty: there is no text in it")
    return text


def _read_tokens(path):
    tokens = map_tokens(path)
    if len(tokens) == 0:
        raise InputError(f"{path} is empty: there are no tokens in it")
    return tokens


@dataclass(frozen=True)
class DataRecord:
    """What a checkpoint remembers of the data: SHA-256 of the file, and of the two token files made of it."""

    file: str
    sha256: str
    train_sha256: str
    held_out_sha256: str

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not isinstance(value, str) or not (name == "file" or re.fullmatch("[0-9a-f]{64}", value)):
                raise InputError(f"{name} of the data cannot be {quoted(value)}")

    def as_dict(self):
        """name -> value, for JSON."""
        return asdict(self)


def prepare(source, tokenizer, folder, val_fraction, n_vocab):
    """Split the source, tokenise the two parts separately, write them to `folder`; return the DataRecord.

    tokenizer may be None for a source of tokens. Raises InputError for tokens outside [0, n_vocab) and as the tokenizer
    does; OSError as the disk does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    smallest = np.uint16 if n_vocab <= 1 << 16 else np.uint32
    for name, part in zip(PARTS, source.split(val_fraction), strict=True):
        tokens = tokenizer.encode(part) if source.tokens is None else part
        with atomic_write(_token_file(folder, name)) as file:
            np.save(file, _checked(np.asarray(tokens), n_vocab, source.path).astype(smallest), allow_pickle=False)
    hashes = [file_sha256(_token_file(folder, name)) for name in PARTS]
    return DataRecord(source.path.name, source.sha256, *hashes)


def _checked(tokens, n_vocab, path):
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < n_vocab:
        raise InputError(f"{path} has tokens from {tokens.min()} to {tokens.max()}, the vocabulary 0 to {n_vocab - 1}")
    return tokens


def open_tokens(folder, context):
    """(tokens to train on, tokens held out) as `prepare` left them in `folder`, mapped into memory.

    Raises InputError where there are too few for one sequence of `context` tokens and what follows each of them.
    """
    train, held_out = (map_tokens(_token_file(folder, name)) for name in PARTS)
    if len(train) <= context:
        raise InputError(
            f"the text to train on has {len(train)} tokens, too few for a context of {context}: "
            "give more text, or a smaller --context"
        )
    if len(held_out) < 2:
        raise InputError(f"only {len(held_out)} tokens are held out: give more text, or a larger --val-fraction")
    return train, held_out


def check_tokens(folder, record):
    """Raise InputError unless the token files in `folder` are those that `record` tells of."""
    for name, sha256 in zip(PARTS, (record.train_sha256, record.held_out_sha256), strict=True):
        path = _token_file(folder, name)
        if not path.exists() or file_sha256(path) != sha256:
            raise InputError(f"{path} is missing or not what the run was begun with: it cannot go on as before")


def _token_file(folder, name):
    return folder / f"{name}.npy"


class Windows:
    """Batches at random from `tokens`, (N,), N > T: B sequences of T ids, and as targets the ids one place further on.

    Every start in [0, N - T) is equally likely. rng: a numpy.random.Generator, all of whose draws these are.
    """

    def __init__(self, tokens, batch_size, context, rng):
        self.tokens, self.shape, self.rng = tokens, (batch_size, context), rng

    def draw(self):
        """(ids, targets), both (B, T) int64."""
        B, T = self.shape
        starts = self.rng.integers(0, len(self.tokens) - T, B)
        rows = np.stack([self.tokens[start : start + T + 1] for start in starts]).astype(np.int64)
        return rows[:, :-1], rows[:, 1:]
