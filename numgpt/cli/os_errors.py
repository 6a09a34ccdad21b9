"""What the operating system refused, in a line: what was being done, with which file, why, and what to do."""

import errno
from contextlib import contextmanager

from numgpt.errors import InputError

NO_ROOM = "make room there, or name a folder on another disk"
ADVICE = {
    errno.ENOSPC: NO_ROOM,
    errno.EDQUOT: NO_ROOM,
    errno.EFBIG: "neither the disk nor `ulimit -f` may forbid a file of that size",
    errno.EACCES: "choose a place that you may use, or change its permissions",
    errno.EPERM: "choose a place that you may use, or change its permissions",
    errno.EROFS: "name a folder on a disk that can be written to",
    errno.ENOENT: "check the name",
    errno.ENOTDIR: "check the name: a part of it is a file and no folder",
    errno.EISDIR: "give a file, not a folder",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "close what else is open, or raise `ulimit -n`",
    errno.EIO: "the disk may be failing: copy what is on it to another",
}


@contextmanager
def doing(what, file=None):
    """Errors of the operating system in here become an InputError that says so; `file`, where it names none itself."""
    try:
        yield
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):  # numgpt's own words, or a reader that went away
            raise
        raise InputError(explain(error, what, file)) from None


def explain(error, what, file=None):
    """The line for an OSError that came of doing `what`."""
    if error.errno is None:
        return str(error)
    name = error.filename if error.filename is not None else file
    parts = [what, *([str(name)] if name is not None else []), error.strerror or type(error).__name__]
    return ": ".join([*parts, *([ADVICE[error.errno]] if error.errno in ADVICE else [])])
