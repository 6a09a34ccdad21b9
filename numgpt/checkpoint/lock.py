"""One process at a time, on any machine that Python runs on."""

import contextlib
import os
import sys


@contextlib.contextmanager
def exclusive(path, busy):
    """Let one process at a time into the body; the others wait, after printing the line `busy` to stderr.

    The lock is held on the file `path`, which comes and goes with it, and ends with the process, however that ends.
    Raises OSError where the file cannot be made or locked.
    """
    while True:
        with open(path, "ab") as file:
            _lock(file, busy)
            if not _is_still(file, path):
                continue
            try:
                yield
            finally:
                # Whoever waits for this file then finds its name gone, and starts over with a new one.
                with contextlib.suppress(OSError):
                    os.unlink(path)
            return


def _is_still(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(file, busy):
    try:
        _try_lock(file)
    except (BlockingIOError, PermissionError):
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
