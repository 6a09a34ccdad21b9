"""From a source to batches: split, tokenise, keep the tokens on disk, draw windows of them."""

import re
from dataclasses import asdict, dataclass

import numpy as np

from numgpt.errors import InputError
from numgpt.files import atomic_write, file_sha256, quoted
from numgpt.training.npy import map_tokens
from numgpt.training.source import source_sha256

PARTS = ("train", "held_out")


@dataclass(frozen=True)
class DataRecord:
    """What a checkpoint remembers of the data: SHA-256 of the file, and of the two token files made of it.

    val_file and val_sha256 are of the file that is held out, where it is one of its own. Raises InputError for what
    cannot be these.
    """

    file: str
    sha256: str
    train_sha256: str
    held_out_sha256: str
    val_file: str | None = None
    val_sha256: str | None = None

    def __post_init__(self):
        for name, value in asdict(self).items():
            fits = isinstance(value, str) and (name.endswith("file") or re.fullmatch("[0-9a-f]{64}", value))
            if not fits and not (value is None and name.startswith("val")):
                raise InputError(f"{name} of the data cannot be {quoted(value)}")

    def as_dict(self):
        """name -> value, for JSON."""
        return asdict(self)

    def differences(self, data, val_data):
        """What to say of each of the two files that is not the one the run was begun with; None is not looked at."""
        said = []
        for path, file, sha256 in (data, self.file, self.sha256), (val_data, self.val_file, self.val_sha256):
            if path is not None and sha256 is None:
                said.append(f"{path} was not held out when it was begun, but the end of {quoted(self.file)}")
            elif path is not None and source_sha256(path) != sha256:
                said.append(f"{path} is not the file {quoted(file)} that it was begun with")
        return said


def prepare(source, encode, folder, val_fraction, n_vocab):
    """Split the source, tokenise the two parts separately, write them to `folder`; return the DataRecord.

    encode: from text to ids, for a source of text. Raises InputError for tokens outside [0, n_vocab) and as `encode`
    does; OSError as the disk does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    smallest = np.uint16 if n_vocab <= 1 << 16 else np.uint32
    for name, part, file in zip(PARTS, source.split(val_fraction), source.files, strict=True):
        tokens = encode(part) if source.tokens is None else part
        with atomic_write(_token_file(folder, name)) as token_file:
            np.save(token_file, _checked(np.asarray(tokens), n_vocab, file.name).astype(smallest), allow_pickle=False)
    hashes = [file_sha256(_token_file(folder, name)) for name in PARTS]
    held_out = (source.held_out.name, source.held_out.sha256) if source.held_out else ()
    return DataRecord(source.name, source.sha256, *hashes, *held_out)


def _checked(tokens, n_vocab, name):
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < n_vocab:
        raise InputError(f"{name} has tokens from {tokens.min()} to {tokens.max()}, the vocabulary 0 to {n_vocab - 1}")
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
