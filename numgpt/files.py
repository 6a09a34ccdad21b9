"""Writing files so that a reader finds either the whole of the old one or the whole of the new one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; on leaving, flush it to the disk and give it its name.

    Raises OSError as `open`, `write` and `rename` do. Whenever the body or the disk fails, the temporary
    file goes and `path` is as it was.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=".tmp")
    try:
        with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)  # a full disk is reported without saying which file
        raise


def _umask() -> int:
    """The process's umask: mkstemp makes files that only the owner can read, and a model is not a secret."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
