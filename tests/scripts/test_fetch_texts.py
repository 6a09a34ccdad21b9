"""scripts/fetch-texts: what it writes is verified, and what is there is not fetched again."""

import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from numgpt.evaluation.tasks import TASKS
from tools import fetch_texts
from tools.fetch_texts import TEXTS, Text

PAGE = b"a page\n" * 100


def zipped(name, data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server():
    """The address of a server on this machine, and how often it was asked."""
    answers = {"/text": PAGE, "/zip": zipped("a/b.raw", PAGE), "/other.zip": zipped("c", PAGE)}
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(self.path, b"nothing here"))

        def log_message(self, *words):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", asked
    running.shutdown()
    running.server_close()


def fetch(monkeypatch, folder, url, **about):
    monkeypatch.setitem(TEXTS, "text", Text(url, "free", **about))
    return fetch_texts.main(["text", "--to", str(folder)])


GOOD = hashlib.sha256(PAGE).hexdigest()


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("/text", {"sha256": GOOD}),
        ("/text", {"lines": 100}),
        ("/text", {"at_least": 100}),
        ("/zip", {"sha256": GOOD, "member": "a/b.raw"}),
    ],
)
def test_a_text_is_fetched_and_verified(server, monkeypatch, tmp_path, capsys, path, about):
    assert fetch(monkeypatch, tmp_path, server[0] + path, **about) == 0
    assert (tmp_path / "text").read_bytes() == PAGE
    assert "free" in capsys.readouterr().out


def test_what_is_there_is_not_fetched_again(server, monkeypatch, tmp_path):
    (tmp_path / "text").write_bytes(PAGE)
    before = len(server[1])
    assert fetch(monkeypatch, tmp_path, server[0] + "/text", sha256=GOOD) == 0
    assert len(server[1]) == before


@pytest.mark.parametrize(
    ("path", "about", "reason"),
    [
        ("/text", {"sha256": "0" * 64}, "is not the text that it used to be"),
        ("/text", {"lines": 7}, "does not have the 7 lines"),
        ("/text", {"at_least": 101}, "has 100 lines, but used to have 101 or more"),
        ("/none", {"sha256": GOOD}, "404"),
        ("/text", {"sha256": GOOD, "member": "a/b.raw"}, "no zip archive"),
        ("/other.zip", {"sha256": GOOD, "member": "a/b.raw"}, "no zip archive with a/b.raw"),
    ],
)
def test_what_is_wrong_is_not_written(server, monkeypatch, tmp_path, capsys, path, about, reason):
    assert fetch(monkeypatch, tmp_path, server[0] + path, **about) == 2
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_task_s_text_can_be_fetched():
    assert {task.file for task in TASKS.values()} <= set(TEXTS)
