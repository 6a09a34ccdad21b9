"""What --data holds, documents or tokens, and which part of it is held out."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numgpt.errors import InputError
from numgpt.files import file_sha256
from numgpt.tokenizer.bpe import END_OF_TEXT
from numgpt.training.documents import (
    STANDARD_INPUT,
    Document,
    documents_sha256,
    is_apart,
    is_lines,
    read_documents,
)
from numgpt.training.npy import map_tokens


@dataclass(frozen=True)
class Source:
    """A list of Document or, from a .npy file, the tokens themselves; the name and the SHA-256 of what they come from.

    is_apart: whether the documents are separate rather than one text. is_lines: whether <|endoftext|> within a document
    does not end it. notices: lines for the user. held_out: a separate Source of the same kind; None if the end of this
    one is held out.
    """

    name: str
    documents: list[Document] | None
    tokens: np.ndarray | None
    sha256: str
    is_apart: bool = False
    is_lines: bool = False
    notices: tuple[str, ...] = ()
    held_out: "Source | None" = None

    @property
    def whole(self):
        """The documents, or the tokens."""
        return self.documents if self.tokens is None else self.tokens

    @property
    def texts(self):
        """Every text that the tokenizer must spell, those held out included, a list of str."""
        documents = [*(self.documents or ()), *(self.held_out.documents or () if self.held_out else ())]
        return [part for document in documents for part in (document.prompt, document.text) if part]

    @property
    def files(self):
        """The sources of the part to train on and of the one held out."""
        return self, self.held_out or self

    def split(self, val_fraction, end_of_text=None):
        """(part to train on, part held out); the latter is `held_out` or, without it, that share at the end.

        The cut is at the end of a document, the one nearest to that share in characters or tokens. end_of_text: the id
        that ends a document of tokens, or None. Only a text without <|endoftext|>, or tokens without that id, are cut
        in the middle. Raises InputError for a folder or JSON lines with a single document.
        """
        if self.held_out:
            return self.whole, self.held_out.whole
        if self.tokens is not None:
            ends = np.flatnonzero(self.tokens == end_of_text) + 1 if end_of_text is not None else []
            end = where_to_cut(len(self.tokens), val_fraction, ends)
            return self.tokens[:end], self.tokens[end:]
        if self.is_apart:
            ends = np.cumsum([len(document.prompt) + len(document.text) for document in self.documents])
            if len(ends) == 1:
                raise InputError(f"{self.name} is one document, so none can be held out: give --val-data too")
            n = 1 + np.searchsorted(ends, where_to_cut(ends[-1], val_fraction, ends))
            return self.documents[:n], self.documents[n:]
        text = self.documents[0].text
        ends = [found.end() for found in re.finditer(re.escape(END_OF_TEXT), text)]
        end = where_to_cut(len(text), val_fraction, ends)
        return [Document(text[:end])], [Document(text[end:])]


def where_to_cut(size, val_fraction, ends):
    """Where the last `val_fraction` of `size` begins, moved to the nearest of `ends` within, if there is one."""
    wanted = int(size * (1 - val_fraction))
    ends = np.asarray(ends, int)
    ends = ends[(ends > 0) & (ends < size)]
    return int(ends[np.abs(ends - wanted).argmin()]) if len(ends) else wanted


def read_source(path, val_path=None):
    """The Source at `path`: texts, as `read_documents` reads them, or one row of whole numbers in a .npy file.

    The latter is mapped into memory. val_path: of what is held out. "-" is standard input, a text. Raises InputError as
    `read_documents` does, for a .npy file of anything else, and if one path has texts and the other tokens; OSError if
    reading fails.
    """
    if val_path is None:
        return _read(path, None)
    if path == val_path == "-":
        raise InputError("--data and --val-data cannot both be standard input: give a file for one of them")
    held_out = _read(val_path, None)
    source = _read(path, held_out)
    if (source.tokens is None) != (held_out.tokens is None):
        raise InputError(f"{path} and {val_path} must both be texts, or both tokens (.npy)")
    return source


def _read(path, held_out):
    name = STANDARD_INPUT if path == "-" else Path(path).name or str(path)
    if _is_npy(path):
        tokens = map_tokens(path)
        if len(tokens) == 0:
            raise InputError(f"{path} is empty: there are no tokens in it")
        return Source(name, None, tokens, file_sha256(path), held_out=held_out)
    found = read_documents(path)
    notices = tuple(line for line in (found.left_out, _windows_line_ends(found.documents, path)) if line)
    return Source(name, found.documents, None, found.sha256, is_apart(path), is_lines(path), notices, held_out)


def source_sha256(path):
    """The SHA-256 that a Source of this file or folder has."""
    return file_sha256(path) if _is_npy(path) else documents_sha256(path)


def _windows_line_ends(documents, path):
    n = sum(document.text.count("\r\n") + document.prompt.count("\r\n") for document in documents)
    name = STANDARD_INPUT if path == "-" else path
    return f"{name} has {n:,} Windows line endings, \\r\\n: they are kept and learnt." if n else None


def _is_npy(path):
    return Path(path).suffix == ".npy" and not Path(path).is_dir()
