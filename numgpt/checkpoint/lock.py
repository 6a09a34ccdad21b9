"""A lock between processes, on any system that Python runs on."""

import contextlib
import os
import sys
from pathlib import Path

from numgpt.errors import InputError


@contextlib.contextmanager
def exclusive(path, busy, wait=True):
    """Let one process at a time into the body; the others wait, after printing the line `busy` to stderr.

    With wait=False they do not wait but raise InputError with the message `busy`. The lock is held on the file `path`,
    which is made and removed with it, as are missing folders above it, unless the body puts something into them. The
    lock ends with the process, however that ends. Raises OSError if the file cannot be made or locked.
    """
    missing = [folder for folder in Path(path).parents if not folder.exists()]
    try:
        with _held(path, busy, wait):
            yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def _held(path, busy, wait):
    while True:
        with _open(path) as file:
            _lock(file, busy, wait)
            if not _is_still(file, path):
                continue
            try:
                yield
            finally:
                # Whoever waits for this file then finds its name gone, and starts over with a new one.
                with contextlib.suppress(OSError):
                    os.unlink(path)
            return


def _open(path):
    """The file, made if it is missing; whoever held it last may be removing its folder at this moment."""
    while True:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        try:
            return open(path, "ab")
        except FileNotFoundError:
            if os.path.isdir(os.path.dirname(path) or "."):
                raise


def _is_still(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(file, busy, wait):
    try:
        _try_lock(file)
    except (BlockingIOError, PermissionError):
        if not wait:
            raise InputError(busy) from None
        print(busy, file=sys.stderr)
        _wait_for_lock(file)


if os.name == "nt":
    import msvcrt

    def _try_lock(file):
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _wait_for_lock(file):
        while True:
            # LK_LOCK tries ten times, once a second, and then gives up.
            with contextlib.suppress(OSError):
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                return
else:
    import fcntl

    def _try_lock(file):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _wait_for_lock(file):
        fcntl.flock(file, fcntl.LOCK_EX)
