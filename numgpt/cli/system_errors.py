"""What the operating system said, in a line for who has to do something about it."""

import errno

TO_WRITE = {
    errno.ENOSPC: "make room on the disk",
    errno.EFBIG: "no larger file is allowed there, by the disk or by a limit of this shell (ulimit -f)",
    errno.EROFS: "nothing can be written there: name another folder",
}
if hasattr(errno, "EDQUOT"):
    TO_WRITE[errno.EDQUOT] = "make room: the quota on this disk is used up"
TO_OPEN = {
    errno.ENOENT: "check the name",
    errno.ENOTDIR: "check the name: a part of it is a file, and no folder",
    errno.EISDIR: "that is a folder: name a file",
    errno.EEXIST: "that is a file: name a folder",
    errno.EACCES: "its permissions do not allow it: change them, or name another",
    errno.EPERM: "its permissions do not allow it: change them, or name another",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "its links lead in a circle",
    errno.EIO: "the disk failed: try again, and save what is on it",
    errno.EMFILE: "too many files are open in this shell (ulimit -n)",
}


def explain(error):
    """An OSError as one line: the file, what could not be done with it, why, and what to do."""
    if error.errno is None or error.strerror is None:
        return str(error)
    doing = "written" if error.errno in TO_WRITE else "opened"
    what = f"{error.filename} cannot be {doing}" if error.filename is not None else "the system reports an error"
    advice = (TO_WRITE | TO_OPEN).get(error.errno)
    return f"{what}: {error.strerror}" + (f"; {advice}" if advice else "")
