"""What a data file holds: a text, or tokens."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numgpt.errors import InputError
from numgpt.files import decode_utf8, file_sha256, read_bytes
from numgpt.training.npy import map_tokens

STANDARD_INPUT = "standard input"


@dataclass(frozen=True)
class Source:
    """A text or, from a .npy file, the tokens themselves; the file's name and its SHA-256.

    held_out: another Source of the same kind, from a file of its own; None where the end of this one is held out.
    """

    name: str
    text: str | None
    tokens: np.ndarray | None
    sha256: str
    held_out: "Source | None" = None

    @property
    def whole(self):
        """The text, or the tokens."""
        return self.text if self.tokens is None else self.tokens

    @property
    def files(self):
        """The sources of the part to train on and of the one held out."""
        return self, self.held_out or self

    def split(self, val_fraction):
        """(part to train on, part held out), the last being a file of its own or that share of the whole, its end."""
        if self.held_out:
            return self.whole, self.held_out.whole
        end = int(len(self.whole) * (1 - val_fraction))
        return self.whole[:end], self.whole[end:]


def read_source(path, val_path=None):
    """The Source at `path`: UTF-8 text, or one row of whole numbers in a .npy file, which is mapped into memory.

    val_path: the file of what is held out. "-" is standard input, a text. Raises InputError for a folder, an empty
    file, what is neither text nor tokens, and for a text beside tokens; OSError as the disk does.
    """
    if val_path is None:
        return _read(path, None)
    if path == val_path == "-":
        raise InputError("--data and --val-data cannot both be standard input: give a file for one of them")
    held_out = _read(val_path, None)
    source = _read(path, held_out)
    if (source.text is None) != (held_out.text is None):
        raise InputError(f"{path} and {val_path} must both be texts, or both tokens (.npy)")
    return source


def _read(path, held_out):
    if _is_npy(path):
        tokens = map_tokens(path)
        if len(tokens) == 0:
            raise InputError(f"{path} is empty: there are no tokens in it")
        return Source(Path(path).name, None, tokens, file_sha256(path), held_out)
    data = read_bytes(path)
    return Source(_name(path), _document(data, path), None, hashlib.sha256(data).hexdigest(), held_out)


def source_sha256(path):
    """The SHA-256 that a Source of this file has."""
    return hashlib.sha256(read_bytes(path)).hexdigest() if path == "-" else file_sha256(path)


def read_document(path):
    """The text of a UTF-8 file, or of standard input where `path` is "-", without a byte order mark.

    Raises InputError for an empty file, and for what is no text; OSError as the disk does.
    """
    return _document(read_bytes(path), path)


def _document(data, path):
    where = STANDARD_INPUT if path == "-" else path
    if b"\0" in data:
        raise InputError(f"{where} holds NUL bytes, which no text has{_what_it_may_be(path)}")
    try:
        text = decode_utf8(data, where)
    except InputError as error:
        raise InputError(f"{error}{_what_it_may_be(path)}" if _ends_in(path, ".bin") else str(error)) from None
    if not text:
        raise InputError(f"{where} is empty: there is no text in it")
    return text


def _what_it_may_be(path):
    if path == "-":
        return ": save it as UTF-8"
    tokens = str(Path(path).with_suffix(".npy"))
    convert = f"import numpy; numpy.save({tokens!r}, numpy.fromfile({str(path)!r}, '<u2'))"
    return (
        f': save it as UTF-8; or, if it is tokens of two bytes each (nanoGPT\'s train.bin), run: python -c "{convert}"'
    )


def _is_npy(path):
    return _ends_in(path, ".npy") and not Path(path).is_dir()


def _ends_in(path, suffix):
    return Path(path).suffix == suffix


def _name(path):
    return STANDARD_INPUT if path == "-" else Path(path).name
