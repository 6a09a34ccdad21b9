"""An error of the operating system as one line that tells the user what to do."""

import errno

TO_WRITE = {
    errno.ENOSPC: "make room on the disk",
    errno.EFBIG: "the disk or a limit of this shell (ulimit -f) allows no larger file",
    errno.EROFS: "nothing can be written there: give another folder",
}
if hasattr(errno, "EDQUOT"):
    TO_WRITE[errno.EDQUOT] = "make room: the quota on this disk is used up"
TO_OPEN = {
    errno.ENOENT: "check the name",
    errno.ENOTDIR: "check the name: a part of it is a file, not a folder",
    errno.EISDIR: "that is a folder: give a file",
    errno.EEXIST: "that is a file: give a folder",
    errno.EACCES: "its permissions do not allow it: change them, or give another",
    errno.EPERM: "its permissions do not allow it: change them, or give another",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "its links form a circle",
    errno.EIO: "the disk failed: back up what is on it, and try again",
    errno.EMFILE: "too many files are open in this shell (ulimit -n)",
}


def explain(error):
    """An OSError as one line: the file, what failed, why, and what to do."""
    if error.errno is None or error.strerror is None:
        return str(error)
    doing = "written" if error.errno in TO_WRITE else "opened"
    what = f"{error.filename} cannot be {doing}" if error.filename is not None else "the system reports an error"
    advice = (TO_WRITE | TO_OPEN).get(error.errno)
    return f"{what}: {error.strerror}" + (f"; {advice}" if advice else "")
