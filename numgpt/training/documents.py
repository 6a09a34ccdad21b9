"""The documents that --data names: a text file, a folder of text files, or JSON lines. Other code sees ids and a mask.

What --data may name, and how it is read:

    FILE                   one text, also from standard input; <|endoftext|>, if read as a token, ends a document
    FOLDER                 each file whose name ends in .txt, .text or .md is a document, in order of name, subfolders
                           included; hidden files and all others are left out
    FILE.jsonl             each line is a document: {"text": ...}, or {"prompt": ..., "completion": ...}, of which only
                           the completion is learnt
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from numgpt.errors import InputError
from numgpt.files import decode_utf8, file_sha256, parse_json, quoted, read_bytes

STANDARD_INPUT = "standard input"
TEXT_NAMES = (".txt", ".text", ".md")
LINES_NAME = ".jsonl"


class Document(NamedTuple):
    """text: learnt, or scored. prompt: the text before it, which is only read."""

    text: str
    prompt: str = ""


class Found(NamedTuple):
    """What `read_documents` finds. sha256: of the file, or of a folder's names and files.

    left_out: a line for the user on what was left out, or None.
    """

    documents: list[Document]
    sha256: str
    left_out: str | None = None


def is_folder(path):
    """Whether `path` names a folder of texts."""
    return path != "-" and Path(path).is_dir()


def is_lines(path):
    """Whether `path` names JSON lines."""
    return path != "-" and not is_folder(path) and Path(path).suffix == LINES_NAME


def is_apart(path):
    """Whether `path` names separate documents rather than one text."""
    return is_folder(path) or is_lines(path)


def read_documents(path):
    """The documents at `path`, as Found; "-" is standard input.

    Raises InputError, naming the file and, if there is one, the line, for data that is not text, for a line that is
    neither kind of record, and if there is no document; OSError if reading fails.
    """
    if is_folder(path):
        return read_folder(Path(path))
    data = read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if is_lines(path):
        documents, n_empty = read_lines(data, path)
        left_out = f"Left out of {path}: {counted(n_empty, 'line')} without text." if n_empty else None
        return Found(documents, sha256, left_out)
    return Found([Document(decode_text(data, path))], sha256)


def documents_sha256(path):
    """The SHA-256 that read_documents gives."""
    if path == "-":
        return hashlib.sha256(read_bytes(path)).hexdigest()
    if not is_folder(path):
        return file_sha256(path)
    names = text_files(Path(path))[0]
    return names_sha256((name, file_sha256(Path(path) / name)) for name in names)


def read_document(path):
    """The text of a UTF-8 file, or of standard input where `path` is "-", without a byte order mark.

    Raises InputError for an empty file, and for data that is not text; OSError if reading fails.
    """
    return decode_text(read_bytes(path), path)


def read_folder(folder):
    """The documents in a folder, as Found."""
    names, n_others = text_files(folder)
    documents, hashes, n_empty = [], [], 0
    for name in names:
        data = (folder / name).read_bytes()
        hashes.append(hashlib.sha256(data).hexdigest())
        if data:
            documents.append(Document(decode_text(data, folder / name)))
        else:
            n_empty += 1
    if not documents:
        raise InputError(f"{folder} holds no text: files whose names end in {', '.join(TEXT_NAMES)} are read")
    said = [counted(n_others, "file") + f" whose name does not end in {', '.join(TEXT_NAMES)}"] if n_others else []
    said += [f"{counted(n_empty, 'empty file')}"] if n_empty else []
    left_out = f"Left out of {folder}: {'; '.join(said)}." if said else None
    return Found(documents, names_sha256(zip(names, hashes, strict=True)), left_out)


def text_files(folder):
    """(sorted paths of the texts in `folder`, relative, with "/"; number of other files that are not hidden)."""
    within = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    names = [path.as_posix() for path in within if not any(part.startswith(".") for part in path.parts)]
    texts = sorted(name for name in names if name.endswith(TEXT_NAMES))
    return texts, len(names) - len(texts)


def names_sha256(files):
    """One SHA-256 for files given as (name, SHA-256)."""
    digest = hashlib.sha256()
    for name, sha256 in files:
        digest.update(os.fsencode(name) + b"\0" + sha256.encode() + b"\n")
    return digest.hexdigest()


def read_lines(data, path):
    """(documents, number of lines whose record has no text)."""
    documents = []
    n_empty = 0
    for number, line in enumerate(decode_utf8(data, path).split("\n"), 1):
        if line.strip():
            document = read_record(parse_json(line.encode(), path, number), f"{path}, line {number}")
            documents += [document] if document.text else []
            n_empty += not document.text
    if not documents:
        raise InputError(f"{path} is empty: there is no text in it")
    return documents, n_empty


def read_record(record, where):
    """The Document in the record of a line; other fields are ignored."""
    names = {"text", "prompt", "completion"} & set(record)
    if names not in ({"text"}, {"prompt", "completion"}):
        found = " and ".join(sorted(names)) or "neither"
        raise InputError(f"{where}: a line has either text, or prompt and completion, but this one has {found}")
    for name in sorted(names):
        check_string(record[name], name, where)
    return Document(record["text"]) if "text" in names else Document(record["completion"], record["prompt"])


def check_string(value, name, where):
    """Raise InputError unless `value` is a str that UTF-8 can encode."""
    if not isinstance(value, str):
        raise InputError(f"{where}: {name} must be a string, not {quoted(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(value[error.start]):04x}"
        raise InputError(f"{where}: {name} has {half}, half of a character, which is not text: remove it") from None


def decode_text(data, path):
    """The text that a file's bytes encode."""
    where = STANDARD_INPUT if path == "-" else path
    if b"\0" in data:
        raise InputError(f"{where} holds NUL bytes, so it is not text{_what_it_may_be(path)}")
    try:
        text = decode_utf8(data, where)
    except InputError as error:
        is_binary = Path(path).suffix == ".bin"
        raise InputError(f"{error}{_what_it_may_be(path)}" if is_binary else str(error)) from None
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


def counted(n, what):
    """ "1 file", "2 files"."""
    return f"{n:,} {what}{'s' * (n != 1)}"
