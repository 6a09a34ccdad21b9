"""Download one file over HTTP: resume what was cut off, try again, compare with what is published."""

import math
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import requests
from requests.auth import AuthBase
from tqdm import tqdm
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from numgpt.files import file_sha256

CHUNK = 1 << 16  # bytes
TIMEOUT = (15, 60)  # seconds to connect, and between two arrivals of data
TRIES = 5  # attempts in a row that bring no new byte
PAUSE = 1.0  # seconds before the second attempt, doubled before each further one
LONGEST_WAIT = 300  # seconds that a server may ask to wait
PASSING = {408, 425, 429, 500, 502, 503, 504}  # status codes that another attempt may not get


class DownloadError(ConnectionError):
    """The network or the server does not deliver the file; the message is one line that says why.

    status: the server's status code, if that is the reason.
    """

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class Interrupted(Exception):
    """An attempt that ended too early; another one may continue it, `wait` seconds later at the earliest."""

    def __init__(self, message, wait=0):
        super().__init__(message)
        self.wait = wait


class Bearer(AuthBase):
    """Sends a token to the server, in a header that requests removes when it is redirected to another host."""

    def __init__(self, token):
        self.token = token

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@dataclass
class Published:
    """What Hugging Face's server says about a file: its SHA-256, its size, and the commit that it belongs to."""

    sha256: str | None = None
    size: int | None = None
    commit: str | None = None


def fetch(session, url, part, size=None, sha256=None):
    """Download `url` to the file `part`, which must then have `size` bytes and this `sha256` if they are given.

    Returns the Published that the server gives; its SHA-256 and size are used where none is given.

    What `part` holds already is taken for the beginning of the file; what has arrived when an attempt breaks off is
    kept in it, also for the next call. session: a requests.Session.

    Raises DownloadError if nobody answers, if the server refuses, if the connection breaks TRIES times without a new
    byte, and if what the server sends is not the published file, in which case `part` is deleted; OSError if writing
    fails.
    """
    transfer = _Transfer(session, url, part, size)
    transfer.run()
    sha256 = sha256 or transfer.published.sha256
    if sha256 is not None and (found := file_sha256(part)) != sha256:
        part.unlink()
        raise DownloadError(
            f"{url} is not the published file: its SHA-256 is {found[:12]}..., published is {sha256[:12]}... "
            "(what had arrived was deleted)"
        )
    return transfer.published


class _Transfer:
    """The attempts to download one file."""

    def __init__(self, session, url, part, size):
        self.session, self.url, self.part, self.size = session, url, part, size
        self.etag = None  # the server's name for the version of the file that `part` holds the beginning of
        self.answered = False
        self.published = Published()

    def run(self):
        """Make attempts until the file is complete, or TRIES in a row have brought nothing."""
        longest, fruitless, wait = self.held(), 0, 0
        while self.size is None or self.held() != self.size:
            try:
                return self.attempt()
            except Interrupted as error:
                fruitless = 0 if self.held() > longest else fruitless + 1
                longest = max(longest, self.held())
                if fruitless == TRIES:
                    raise DownloadError(f"{self.url}: {error}, {TRIES} times in a row") from None
                if error.wait > LONGEST_WAIT:
                    raise DownloadError(
                        f"{self.url}: {error}, and asks to wait {error.wait} s: try again then"
                    ) from None
                print(f"numgpt: {self.part.name}: {error}; trying again", file=sys.stderr)
                wait = error.wait
            time.sleep(max(wait, PAUSE * 2 ** max(0, fruitless - 1)))
        return None

    def attempt(self):
        """Request what is missing and write it. Raises Interrupted if that ends before the file is complete."""
        headers = {"Accept-Encoding": "identity"}  # a compressed response cannot be resumed
        held = self.held()
        if held:
            headers["Range"] = f"bytes={held}-"
            if self.etag:
                headers["If-Range"] = self.etag
        try:
            with self.session.get(self.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
                self.answered = True
                self.note_what_is_published(response)
                self.accept(response, held)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if isinstance(error.args[0] if error.args else None, MaxRetryError) and not self.answered:
                raise DownloadError(f"cannot reach {self.url}: {_reason(error)}") from None
            raise Interrupted(_reason(error)) from None
        except requests.RequestException as error:
            raise DownloadError(f"cannot download {self.url}: {error}") from None

    def accept(self, response, held):
        """Write the response to a request for what follows the `held` bytes that have arrived."""
        status = response.status_code
        if status == 416:
            if _content_range(response)[1] == held:
                return
            self.start_over("the server has nothing after what had arrived earlier")
        if status in PASSING:
            raise Interrupted(f"the server answers {status} {response.reason}", _retry_after(response))
        if status not in (200, 206):
            raise DownloadError(f"{self.url}: the server answers {status} {response.reason}", status)

        start, total = (0, _content_length(response)) if status == 200 else _content_range(response)
        if self.size is not None and total not in (None, self.size):
            raise DownloadError(
                f"{self.url} is not the published file: it has {total} bytes there, but the published one {self.size}"
            )
        etag = response.headers.get("ETag", "W/")
        if etag.startswith("W/"):  # a weak one, which does not promise equal bytes
            etag = self.etag
        if start not in (0, held) or (start and self.etag not in (None, etag)):
            self.start_over("the file changed on the server")
        self.etag = etag
        self.write(response, start, total if self.size is None else self.size)

    def note_what_is_published(self, response):
        """Hugging Face's server says this before it redirects the client to where large files are."""
        for hop in (*response.history, response):
            sha256 = hop.headers.get("X-Linked-ETag", "").strip('"').lower()
            if self.published.sha256 is None and re.fullmatch("[0-9a-f]{64}", sha256):
                self.published.sha256 = sha256
                self.published.size = _number(hop.headers.get("X-Linked-Size", ""))
                self.size = self.published.size if self.size is None else self.size
            if self.published.commit is None and re.fullmatch("[0-9a-f]{40}", hop.headers.get("X-Repo-Commit", "")):
                self.published.commit = hop.headers["X-Repo-Commit"]

    def write(self, response, start, total):
        """Append the response's body to the first `start` bytes; `total` is the whole file's size or None."""
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=self.part.name, disable=None)
        try:
            with bar, open(self.part, "ab" if start else "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
                    start += len(chunk)
                    if total is not None and start > total:
                        break
        except OSError as error:
            if error.errno is not None and error.filename is None:
                error.filename = str(self.part)  # a full disk is reported without the file's name
            raise
        if total is None or self.held() == total:
            return
        if self.held() > total:
            self.part.unlink()
            raise DownloadError(f"{self.url} is not the published file: more than {total} bytes arrived (deleted)")
        raise Interrupted(f"the connection closed after {self.held()} of {total} bytes")

    def held(self):
        """How many bytes have arrived."""
        return self.part.stat().st_size if self.part.exists() else 0

    def start_over(self, why):
        self.part.unlink()
        self.etag = None
        raise Interrupted(why)


def _content_length(response):
    """The size that the server announces; None if it announces none, or only that of a compressed form."""
    plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return _number(response.headers.get("Content-Length", "")) if plain else None


def _content_range(response):
    """(first byte, size of the whole file) from "bytes 10-99/100" or "bytes */100", None for what is missing."""
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    return _number(span.partition("-")[0]), _number(total)


def _retry_after(response):
    """How many seconds the server asks to wait, in either form of the header."""
    text = response.headers.get("Retry-After", "")
    with suppress(TypeError, ValueError):
        until = parsedate_to_datetime(text)
        return max(0, math.ceil((until - datetime.now(until.tzinfo)).total_seconds()))
    return _number(text) or 0


def _number(text):
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _reason(error):
    """What went wrong, in a few words; requests' own messages nest those of three libraries."""
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {TIMEOUT[0]} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    cause = error.args[0] if error.args else error
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
        return f"no data for {TIMEOUT[1]} s"
    return str(getattr(cause, "reason", None) or cause).rpartition(": ")[2]
