"""One file over HTTP, from servers that break off, lie, refuse and change their minds."""

import errno
import hashlib
import io

import pytest
import requests

from numgpt.checkpoint import fetch as fetching
from numgpt.checkpoint.fetch import DownloadError, fetch

CHUNK = fetching.CHUNK
DATA = bytes(range(256)) * 1500 + b"the end"  # six chunks
SIZE = len(DATA)
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE", 0)


@pytest.fixture
def part(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def get(server, part):
    """A function that fetches DATA from the server, as a file whose size and hash are known unless told otherwise."""
    server.files["/data"] = DATA

    def get(size=SIZE, sha256=DIGEST, path="/data"):
        with requests.Session() as session:
            fetch(session, server.url + path, part, size, sha256)
        assert part.read_bytes() == DATA

    return get


def test_a_whole_file_in_one_request(server, get):
    get()
    assert server.requests == [("/data", None, None)]


def test_goes_on_where_the_connection_broke(server, get):
    server.plan = [server.breaks_after(3 * CHUNK), server.breaks_after(CHUNK)]
    get()
    ranges = [request[1:] for request in server.requests]
    assert ranges == [(None, None), (f"bytes={3 * CHUNK}-", '"one"'), (f"bytes={4 * CHUNK}-", '"one"')]


def test_goes_on_where_an_earlier_process_stopped(server, get, part):
    part.write_bytes(DATA[:1000])
    get()
    assert server.requests == [("/data", "bytes=1000-", None)]


def test_a_file_that_arrived_whole_earlier_is_not_asked_for(server, get, part):
    part.write_bytes(DATA)
    get()
    assert server.requests == []


def test_a_file_of_unknown_size_that_arrived_whole_earlier(server, get, part):
    part.write_bytes(DATA)
    get(size=None)
    assert server.requests == [("/data", f"bytes={SIZE}-", None)]


def test_what_is_longer_than_the_file_is_thrown_away(server, get, part):
    part.write_bytes(DATA + b"?")
    get()
    assert [request[1] for request in server.requests] == [f"bytes={SIZE + 1}-", None]


def test_a_server_that_ignores_ranges_starts_over(server, get, part):
    part.write_bytes(b"?" * 1000)
    server.plan = [server.ignores_ranges]
    get()
    assert len(server.requests) == 1


def test_a_file_that_changes_between_attempts_starts_over(server, get):
    server.plan = [server.breaks_after(2 * CHUNK), server.new_version()]
    get(size=None, sha256=None)
    assert len(server.requests) == 2


def test_a_server_that_ignores_if_range_is_found_out_by_its_etag(server, get):
    server.plan = [
        lambda handler, data: server.well(handler, b"?" * len(data), count=2 * CHUNK),
        lambda handler, data: server.answer(
            handler, 206, {"Content-Range": f"bytes {2 * CHUNK}-{len(data) - 1}/{len(data)}", "ETag": '"two"'}
        ),
    ]
    get(size=None, sha256=None)
    assert [request[1] for request in server.requests] == [None, f"bytes={2 * CHUNK}-", None]


def test_a_range_that_was_not_asked_for_is_not_written(server, get):
    def elsewhere(handler, data):
        server.answer(handler, 206, {"Content-Range": f"bytes {2 * CHUNK}-{len(data) - 1}/{len(data)}"})
        handler.wfile.write(data[2 * CHUNK :])

    server.plan = [server.breaks_after(CHUNK), elsewhere]
    get()
    assert [request[1] for request in server.requests] == [None, f"bytes={CHUNK}-", None]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_passing_error_is_tried_again(server, get, code):
    server.plan = [server.status(code), server.status(code)]
    get()
    assert len(server.requests) == 3


def test_follows_redirects_and_keeps_the_range(server, get, part):
    server.files["/moved"] = b""
    server.plan = [server.redirects("/data")]
    part.write_bytes(DATA[:77])
    get(path="/moved")
    assert server.requests == [("/moved", "bytes=77-", None), ("/data", "bytes=77-", None)]


def test_a_slow_server(server, get):
    server.plan = [server.trickles]
    get()
    assert len(server.requests) == 1


def test_a_server_that_announces_no_length(server, get):
    server.plan = [server.without_length(2 * CHUNK), server.without_length()]
    get()


def test_a_server_that_stops_in_the_middle(server, get, monkeypatch):
    import threading

    monkeypatch.setattr(fetching, "TIMEOUT", (5, 0.1))
    gate = threading.Event()

    def hangs(handler, data):
        server.well(handler, data, count=CHUNK)
        gate.wait(5)

    server.plan = [hangs]
    get()
    gate.set()
    assert [request[1] for request in server.requests] == [None, f"bytes={CHUNK}-"]


def refused(get, part, *words, **known):
    """The one line of the DownloadError that `get` raises, which contains `words`."""
    with pytest.raises(DownloadError) as caught:
        get(**known)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


@pytest.mark.parametrize(("code", "words"), [(404, "Not Found"), (403, "Forbidden"), (401, "Unauthorized")])
def test_a_refusal_is_final(server, get, part, code, words):
    server.plan = [server.status(code)]
    refused(get, part, f"{server.url}/data", f"{code} {words}")
    assert len(server.requests) == 1
    assert not part.exists()


def test_an_error_that_does_not_pass(server, get, part):
    server.plan = [server.status(500)] * 10
    refused(get, part, "500 Internal Server Error", "5 times")
    assert len(server.requests) == fetching.TRIES


def test_a_connection_that_keeps_breaking_keeps_what_arrived(server, get, part):
    server.plan = [server.breaks_after(CHUNK)] + [server.breaks_after(0)] * 10
    refused(get, part, "5 times")
    assert part.read_bytes() == DATA[:CHUNK]


def test_any_progress_counts(server, get, monkeypatch):
    monkeypatch.setattr(fetching, "TRIES", 1)
    server.plan = [server.breaks_after(CHUNK)] * 5
    get()


@pytest.mark.parametrize("total", [SIZE + 1, SIZE - 1, 10**30])
def test_another_length_than_published_is_refused_before_it_arrives(server, get, part, total):
    server.plan = [server.announces(total)]
    if total < 10**20:
        refused(get, part, "not the published file", str(total), str(SIZE))
        assert not part.exists()
    else:
        get()  # not a length at all, so none was announced


def test_a_length_that_is_too_long_where_none_is_published(server, get, part):
    server.plan = [server.announces(SIZE + 9)] * 10
    refused(get, part, "5 times", size=None)


def test_a_length_that_is_too_short_where_none_is_published(server, get, part):
    server.plan = [server.announces(SIZE - 9)]
    refused(get, part, "SHA-256", size=None)
    assert not part.exists()


def test_more_than_the_published_length(server, get, part):
    server.plan = [lambda handler, data: server.without_length()(handler, data * 3)]
    refused(get, part, f"more than {SIZE} bytes")
    assert not part.exists()


def test_other_bytes_of_the_right_length(server, get, part):
    server.plan = [server.sends(bytes(SIZE))]
    refused(get, part, "not the published file", DIGEST[:12], "deleted")
    assert not part.exists()


def test_a_wrong_beginning_is_found_and_deleted(server, get, part):
    part.write_bytes(b"?" * 1000)
    refused(get, part, "not the published file")
    assert not part.exists()
    get()


def test_nobody_listens(part):
    with requests.Session() as session, pytest.raises(DownloadError, match=r"cannot reach .*: .*Connection refused"):
        fetch(session, "http://127.0.0.1:9/data", part)


def test_a_network_that_is_gone_for_a_moment(server, part):
    """A first contact that fails is final; one that fails later is not."""

    class Session(requests.Session):
        def get(self, url, **options):
            if len(server.requests) == 1 and part.exists():
                server.requests.append("nobody")
                return super().get("http://127.0.0.1:9/data", **options)
            return super().get(url, **options)

    server.files["/data"] = DATA
    server.plan = [server.breaks_after(CHUNK)]
    with Session() as session:
        fetch(session, f"{server.url}/data", part, SIZE, DIGEST)
    assert server.requests[1:] == ["nobody", ("/data", f"bytes={CHUNK}-", '"one"')]


def test_no_such_host(part):
    with requests.Session() as session, pytest.raises(DownloadError, match=r"^cannot reach http://nowhere\.invalid/"):
        fetch(session, "http://nowhere.invalid/data", part)


def test_endless_redirects(server, get, part):
    server.plan = [server.redirects("/data")] * 100
    refused(get, part, "cannot download", "redirects")


def test_a_full_disk_names_the_file_and_keeps_what_arrived(server, get, part, monkeypatch):
    class Disk(io.FileIO):
        written = 0

        def write(self, data):
            self.written += len(data)
            if self.written > 2 * CHUNK:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(fetching, "open", lambda path, mode: Disk(path, mode.replace("b", "")), raising=False)
    with pytest.raises(OSError, match="No space left on device") as caught:
        get()
    assert not isinstance(caught.value, DownloadError)
    assert str(part) in str(caught.value)
    assert part.read_bytes() == DATA[: 2 * CHUNK]
    assert len(server.requests) == 1
