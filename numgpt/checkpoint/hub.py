"""The models that have names, bundled and published: where they are on disk, and downloading them.

A download is `<home>/124M` (OpenAI's files) or `<home>/124M-hf` (Hugging Face's). Files arrive in `<home>/124M.part`
and are moved one by one, each after it has been verified: the files in `<home>/124M` are complete.
"""

import difflib
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from numgpt.checkpoint import releases
from numgpt.errors import InputError, notice
from numgpt.files import file_sha256, flush, parse_json

SHIPPED = ("shakespeare", "english-french")  # a GPT, and a Transformer that translates
_PACKAGE = Path(__file__).resolve().parents[1]


def find_shipped(name):
    """The folder of the bundled model `name`; None for any other name.

    In an installed wheel it is inside the package; in a source checkout, or an editable install of one, beside it.
    """
    if name not in SHIPPED:
        return None
    inside, beside = _PACKAGE / "weights" / name, _PACKAGE.parent / "weights" / name
    return inside if inside.is_dir() else beside


def is_published(name):
    """Whether `name` is the name of a published model."""
    return name in releases.RELEASES["openai"] or name in releases.ALIASES


def canonical_name(name):
    """The size that `name` stands for: "124M", "355M", "774M" or "1558M".

    `name` is one of them or another common name, such as "gpt2-medium". Raises InputError for any other.
    """
    sizes = list(releases.RELEASES["openai"])
    names = {**{size: size for size in sizes}, **releases.ALIASES}
    if isinstance(name, str) and name in names:
        return names[name]
    by_lower_case = {known.lower(): known for known in names}
    close = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1)
    guess = f"did you mean {by_lower_case[close[0]]!r}? " if close else ""
    raise InputError(f"there is no published model {name!r}: {guess}there are {', '.join(names)}")


def home():
    """The folder of the downloads: $NUMGPT_HOME, else weights/ of a source checkout, else the user's cache folder."""
    if os.environ.get("NUMGPT_HOME"):
        return Path(os.environ["NUMGPT_HOME"]).expanduser()
    if (_PACKAGE.parent / "setup.cfg").is_file():
        return _PACKAGE.parent / "weights"
    return _user_cache() / "numgpt"


def _user_cache():
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def find(name):
    """The folder of a complete download of the model `name`, or None. Raises InputError for an unknown name."""
    return _find(release[canonical_name(name)] for release in releases.RELEASES.values())


def find_vocabulary(name):
    """The folder of a download whose vocabulary, at least, is complete, or None. Raises InputError as `find` does."""
    return _find(release[canonical_name(name)].vocabulary() for release in releases.RELEASES.values())


def _find(candidates):
    """The folder of the first of these releases that is complete, or None."""
    folders = [(release, home() / release.folder) for release in candidates]
    return next((folder for release, folder in folders if not _missing(release, folder)), None)


def download(name, source="openai", mirror=None, vocabulary_only=False):
    """The folder of the model `name`, after downloading what is missing of it, or only of its vocabulary.

    source: "openai" or "hf". mirror: a URL to use in place of the source's server; the files have to be at
    `<mirror>/<size>/<file>`, for "hf" at `<mirror>/openai-community/<repository>/resolve/<revision>/<file>`.

    Each file is compared with its published size and SHA-256; if none is known, the tensors are compared with the
    checksums in OpenAI's index. An interrupted download resumes where it stopped, and a second process waits for the
    first.

    Raises InputError for an unknown name or source, a mirror that is not a URL, too little disk space, and a file of
    the wrong size that is already there; OSError if the network, the server or the disk fails.
    """
    size = canonical_name(name)
    if source not in releases.RELEASES:
        raise InputError(f"there is no source {source!r}: there are {', '.join(releases.RELEASES)}")
    if mirror is not None and not mirror.startswith(("https://", "http://")):
        raise InputError(f"the mirror must be a URL that begins with https:// or http://, not {mirror!r}")
    release = releases.RELEASES[source][size]
    if vocabulary_only:
        release = release.vocabulary()
    folder = home() / release.folder
    if not _missing(release, folder):
        return folder

    from numgpt.checkpoint.lock import exclusive

    home().mkdir(parents=True, exist_ok=True)
    busy = f"numgpt: another process is downloading {release.folder}; waiting for it"
    with exclusive(folder.with_name(f"{folder.name}.lock"), busy):
        parts = folder.with_name(f"{folder.name}.part")
        try:
            _download(release, folder, parts, source, mirror)
        finally:
            for empty in parts, folder:
                with suppress(OSError):  # it is missing, or not empty
                    empty.rmdir()
    return folder


def check_files(name, folder):
    """(file name, published SHA-256, SHA-256 of the file in `folder`) for each file there whose published one is known.

    JSON is left out: the same content can be written in several ways. Raises InputError for an unknown name, OSError if
    reading fails.
    """
    size = canonical_name(name)
    for source in releases.RELEASES.values():
        for file in source[size].files:
            path = Path(folder) / file.name
            if file.sha256 and path.suffix != ".json" and path.is_file():
                yield file.name, file.sha256, file_sha256(path)


def _missing(release, folder):
    """The files of `release` that are not in `folder`. Raises InputError for one that has the wrong size."""
    missing = []
    for file in release.files:
        path = folder / file.name
        if not path.is_file():
            missing.append(file)
        elif path.suffix != ".json" and file.size not in (None, path.stat().st_size):  # JSON may vary in spaces
            raise InputError(
                f"{path} has {path.stat().st_size} bytes, but the published file has {file.size}: "
                "delete it to download it again"
            )
    return missing


def _download(release, folder, parts, source, mirror):
    """Download what is missing, while no other process does."""
    import requests

    from numgpt.checkpoint.fetch import DownloadError, fetch

    folder.mkdir(exist_ok=True)
    parts.mkdir(exist_ok=True)
    missing = _missing(release, folder)
    _check_space(release, missing, parts)
    base = (mirror or (source == "hf" and os.environ.get("HF_ENDPOINT")) or release.base).rstrip("/")
    if missing:
        size = f"{release.gigabytes} GB" if release.gigabytes >= 0.1 else f"{1000 * release.gigabytes:.1f} MB"
        notice(f"downloading {release.folder} ({size}) from {base} to {folder}")
    with requests.Session() as session:
        session.headers["User-Agent"] = "numgpt"
        for file in missing:
            part = parts / file.name
            url = f"{base}/{release.path}/{file.name}"
            try:
                fetch(session, url, part, file.size, file.sha256)
                if file.sha256 is None:
                    _check_contents(part, folder, url)
            except DownloadError as error:
                raise DownloadError(f"{error}; {_advice(release, folder, source)}") from None
            flush(part)  # so that no crash leaves its name without its contents
            os.replace(part, folder / file.name)
    shutil.rmtree(parts)


def _check_space(release, missing, parts):
    sizes = [file.size for file in missing]
    total = round(release.gigabytes * 1e9) if None in sizes else sum(sizes)
    needed = total - sum(path.stat().st_size for path in parts.iterdir())
    free = shutil.disk_usage(parts).free
    if needed > free:
        raise InputError(
            f"{release.folder} needs {needed / 1e9:.1f} GB more in {parts.parent}, where {free / 1e9:.1f} GB are free: "
            "make room, or set NUMGPT_HOME to a folder on another disk"
        )


def _check_contents(part, folder, url):
    """Check a file without a published hash by its contents, and delete it if they are wrong."""
    from numgpt.checkpoint.fetch import DownloadError
    from numgpt.checkpoint.tensorflow import read_index

    try:
        if part.suffix == ".json":
            parse_json(part.read_bytes(), part.name)
        elif part.suffix == ".index":
            read_index(part.with_suffix(""))
        else:
            _check_tensors(part, folder / "model.ckpt")
    except InputError as error:
        part.unlink()
        raise DownloadError(f"{url} is not the published file ({error}; deleted)") from None


def _check_tensors(part, prefix):
    """Compare every tensor in the data file `part` with its checksum in `<prefix>.index`."""
    import numpy as np

    from numgpt.checkpoint.tensorflow import read_index
    from numgpt.checkpoint.tensors import read_tensors

    tensors = read_index(prefix)
    if not all(tensor.dtype == "F32" and tensor.size % 4 == 0 for tensor in tensors):
        raise InputError(f"{prefix}.index: not all tensors are float32")
    scratch = np.empty(max(tensor.size for tensor in tensors) // 4, np.float32)
    read_tensors((replace(tensor, path=part), scratch[: tensor.size // 4]) for tensor in tensors)


def _advice(release, folder, source):
    if release == release.vocabulary():
        return "`--model shakespeare` uses the bundled vocabulary"
    other = "hf" if source == "openai" else "openai"
    files = ", ".join(file.name for file in release.files)
    return f"try --source {other} or --mirror URL, or put {files} into {folder} by hand"
