"""Access to the disk for the whole package: writing files atomically, and reading untrusted files with care."""

import hashlib
import json
import os
import re
import reprlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from numgpt.errors import InputError

LONGEST_INTEGER = 40  # digits; a random generator's state has 39, and thousands would keep int() busy for minutes
LATEST = "latest"  # in the folder of a training run: the name of its newest complete checkpoint
BEST = "best"  # the same for the one with the lowest loss on held-out text
LONGEST_PATH, LONGEST_NAME = 4096, 255  # bytes, in most systems
LONGEST_VALUE = 80  # characters of a value in a message
CHECKPOINT = re.compile(r"step-(\d{8,18})")

_brief = reprlib.Repr()  # of a list of millions it shows the first few
_brief.maxstring = _brief.maxother = _brief.maxlong = 4 * LONGEST_VALUE  # by default it cuts them in the middle


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; on leaving, flush it to disk and rename it to `path`.

    A reader thus finds either the whole of the old file or the whole of the new one. Raises OSError as `open`, `write`
    and `rename` do. If the body or the disk fails, the temporary file is deleted and `path` is as it was.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=".tmp")
    try:
        with naming(path), os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give an OSError of the body the file name `path` if it has none, as on a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _umask() -> int:
    """The process's umask: mkstemp makes files that only the owner can read, and a model is not a secret."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush(path: str | os.PathLike[str]) -> None:
    """Flush what was written to the file or folder `path` to disk (on Windows, folders need no flush)."""
    if os.name == "nt" and Path(path).is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        with naming(path):
            os.fsync(handle)
    finally:
        os.close(handle)


def check_path(path: object, name: str) -> Path:
    """`path`, a str or a Path, as a Path. Raises InputError if it cannot name a file or folder."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise InputError(f"{name} must be a text or a Path, not {quoted(path)}")
    try:
        raw = os.fsencode(text)
        possible = b"\0" not in raw and len(raw) < LONGEST_PATH and max(map(len, raw.split(b"/"))) <= LONGEST_NAME
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise InputError(f"{name} {quoted(text)} cannot name a file: it is too long, or contains invalid characters")
    return Path(text)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError if reading fails."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file, or of standard input if `path` is the text "-" (a file of that name is "./-").

    Raises InputError for a folder, or if there is no standard input; OSError if reading fails.
    """
    if path == "-":
        return read_standard_input("it")
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: give one text file")
    return Path(path).read_bytes()


def read_standard_input(name: str) -> bytes:
    """The bytes on standard input; at a terminal, a line says what is read, `name`. Raises InputError without one."""
    if sys.stdin is None:
        raise InputError(f"{name} is missing, and there is no standard input to read it from")
    if sys.stdin.isatty():
        print(f"numgpt: reading {name} from standard input; Ctrl-D ends it", file=sys.stderr)
    return sys.stdin.buffer.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file. Raises InputError as `decode_utf8` does and for a folder; OSError if reading fails."""
    return decode_utf8(read_bytes(Path(path)), path)


def decode_utf8(data: bytes, where: object) -> str:
    """`data` (bytes) as a str, without the byte order mark that some editors write before the text.

    Raises InputError, beginning with `where`, that names the first byte that is not UTF-8, and its line.
    """
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{where}, line {line}: not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}; "
            "convert it to UTF-8, or fetch it again"
        ) from None


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object of a file, as a dict. Raises InputError as `parse_json` does; OSError if reading fails."""
    return parse_json(Path(path).read_bytes(), path)


def parse_json(data: bytes, where: object, line: int | None = None) -> dict[str, Any]:
    """The JSON object in `data` (bytes) as a dict; errors name the file `where` and, if given, its line `line`.

    Raises InputError for anything but one object in UTF-8, and for what JSON readers disagree on: a name
    that occurs twice, NaN and Infinity, integers of more than 40 digits, thousands of nested brackets.
    """
    text = decode_utf8(data, where)
    where = where if line is None else f"{where}, line {line}"
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_int=_short_integer, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if line else f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{where}, {place}: not usable JSON: {error.msg}; correct it, or fetch it again") from None
    except RecursionError:
        raise InputError(f"{where}: not usable JSON: brackets nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{where}: not usable JSON: {error}; correct it, or fetch it again") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, {{...}}, but found a {type(value).__name__}")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{quoted(name)} occurs twice")
            seen.add(name)
    return fields


def _short_integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def quoted(value: object) -> str:
    """Any `value` from outside as a message can show it: on one line, escaped, shortened."""
    if isinstance(value, int) and value.bit_length() > 10_000:  # Python does not write out such a number
        return "a number of thousands of digits"
    try:
        line = " ".join(_brief.repr(value).split())
    except Exception:  # an object whose repr fails
        line = f"a {type(value).__name__}"
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 3] + "..."


def newest_checkpoint(run: str | os.PathLike[str]) -> Path | None:
    """The folder of the newest complete checkpoint in the folder of a training run; None if there is none yet.

    Raises InputError if the file `latest` does not name a checkpoint.
    """
    return _named_in(Path(run) / LATEST)


def choose_checkpoint(run: str | os.PathLike[str], which: str) -> Path | None:
    """The folder of a checkpoint of a training run: "best", "latest", or a number of steps in digits.

    None if there is no run, or no checkpoint in it yet. A run that does not know its best gives the newest. Raises
    InputError for a checkpoint that is not there.
    """
    newest = newest_checkpoint(run)
    if newest is None or which == LATEST:
        return newest
    if which == BEST:
        return _named_in(Path(run) / BEST) or newest
    folder = Path(run) / f"step-{which:>08}"
    if which.isdigit() and CHECKPOINT.fullmatch(folder.name) and folder.is_dir():
        return folder
    there = sorted(int(found[1]) for path in Path(run).iterdir() if (found := CHECKPOINT.fullmatch(path.name)))
    steps = ", ".join(map(str, there))
    raise InputError(f"{run} has no checkpoint {quoted(which)}: give best, latest, or one of the steps {steps}")


def _named_in(path: Path) -> Path | None:
    """The checkpoint that the file at `path`, `latest` or `best`, names; None if there is no such file."""
    while (name := _read_latest(path)) is not None:
        if CHECKPOINT.fullmatch(name) and path.with_name(name).is_dir():
            return path.with_name(name)
        if name == _read_latest(path):  # otherwise the training process has replaced it meanwhile
            raise InputError(f"{path} does not name a checkpoint of the run: write the name of one into it")
    return None


def _read_latest(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
