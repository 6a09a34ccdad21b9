"""From a source to its two parts: split, tokenise, keep the tokens on disk."""

import hashlib
import re
from dataclasses import asdict, dataclass

import numpy as np

from numgpt.errors import InputError
from numgpt.files import atomic_write, file_sha256, quoted
from numgpt.training.documents import is_folder
from numgpt.training.npy import map_tokens
from numgpt.training.part import Part, part_of_documents, part_of_tokens
from numgpt.training.source import source_sha256
from numgpt.training.tokenizers import encoder

PARTS = ("train", "held_out")


@dataclass(frozen=True)
class DataRecord:
    """What a checkpoint records about its data: the SHA-256 of the file or folder, and of the two parts made from it.

    val_file, val_sha256: of a separate held-out file, or None. Raises InputError for values of any other form.
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
        """A message for each of the two files that is not the one the run began with; None is not checked."""
        said = []
        for path, file, sha256 in (data, self.file, self.sha256), (val_data, self.val_file, self.val_sha256):
            if path is not None and sha256 is None:
                said.append(f"{path} was not held out when the run began; part of {quoted(self.file)} was")
            elif path is not None and source_sha256(path) != sha256:
                what = "folder" if is_folder(path) else "file"
                said.append(f"{path} is not the {what} {quoted(file)} that the run began with")
        return said


def prepare(source, tokenizer, settings, folder, n_vocab):
    """Split the source, tokenise the two parts separately, write them to `folder`; return the DataRecord.

    tokenizer: None for a source of tokens. Raises InputError for tokens outside [0, n_vocab), and as `Source.split` and
    the tokenizer do; OSError if writing fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = tokenizer.end_of_text if tokenizer else None
    smallest = np.uint16 if n_vocab <= 1 << 16 else np.uint32
    for name, whole, file in zip(PARTS, source.split(settings.val_fraction, end), source.files, strict=True):
        if source.tokens is None:
            part = part_of_documents(whole, encoder(tokenizer, settings), end, file.is_apart, file.is_lines)
        else:
            part = part_of_tokens(whole, end)
        ids = _checked(part.ids, n_vocab, file.name).astype(smallest)
        write_part(folder, name, (part.joined() if settings.documents == "joined" else part)._replace(ids=ids))
    return record_of(source, folder)


def record_of(source, folder):
    """The DataRecord of a source whose parts have been written to `folder`."""
    hashes = [part_sha256(folder, name) for name in PARTS]
    held_out = (source.held_out.name, source.held_out.sha256) if source.held_out else ()
    return DataRecord(source.name, source.sha256, *hashes, *held_out)


def _checked(tokens, n_vocab, name):
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < n_vocab:
        raise InputError(
            f"{name} has tokens from {tokens.min()} to {tokens.max()}, but the vocabulary has 0 to {n_vocab - 1}"
        )
    return tokens


def write_part(folder, name, part):
    """Write each array that the part has to a file of its own, as one row of numbers."""
    documents = None if part.documents is None else part.documents.reshape(-1)
    for path, array in zip(_files(folder, name), (part.ids, documents, part.counts), strict=True):
        if array is not None:
            with atomic_write(path) as file:
                np.save(file, array, allow_pickle=False)


def part_sha256(folder, name):
    """The SHA-256 of a part: that of its file of ids or, if it has more files, of all their SHA-256s joined."""
    hashes = [file_sha256(path) for path in _files(folder, name) if path.exists()]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def open_tokens(folder, context):
    """(Part to train on, Part held out) as `prepare` wrote them to `folder`, mapped into memory.

    Raises InputError if the text to train on has no more than `context` tokens, if fewer than two are held out, or if
    documents have no target.
    """
    train, held_out = (open_part(folder, name) for name in PARTS)
    if train.documents is None and len(train.ids) <= context:
        raise InputError(
            f"the text to train on has {len(train.ids)} tokens, too few for a context of {context}: "
            "give more text, or a smaller --context"
        )
    if held_out.documents is None and len(held_out.ids) < 2:
        raise InputError(f"only {len(held_out.ids)} tokens are held out: give more text, or a larger --val-fraction")
    for part, what in (train, "to train on"), (held_out, "held out"):
        if not part.n_targets:
            raise InputError(f"the documents {what} have no token that can be predicted: give more, or longer ones")
    return train, held_out


def open_part(folder, name):
    """The Part that `write_part` wrote, mapped into memory."""
    ids, documents, counts = (map_tokens(path) if path.exists() else None for path in _files(folder, name))
    return Part(ids, documents if documents is None else documents.reshape(-1, 2), counts)


def check_tokens(folder, record):
    """Raise InputError unless the token files in `folder` are those of `record`."""
    for name, sha256 in zip(PARTS, (record.train_sha256, record.held_out_sha256), strict=True):
        path = _files(folder, name)[0]
        if not path.exists() or part_sha256(folder, name) != sha256:
            raise InputError(f"{path} is missing, or is not what the run began with: the run cannot continue as before")


def _files(folder, name):
    """The paths of a part's arrays: ids, documents, counts."""
    return [folder / f"{name}{array}.npy" for array in ("", "-documents", "-counts")]
