"""A web server on this machine that can be told to misbehave."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server:
    """Serves `files` (path -> bytes). Each behaviour in `plan` answers one request; then it behaves well.

    A behaviour is one of the methods below, or what it returns. `requests` lists what came in, in order: (path,
    Range header, If-Range header).
    """

    def __init__(self):
        self.files, self.plan, self.requests, self.etag = {}, [], [], '"one"'
        turn = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with turn:
                    server.requests.append((self.path, self.headers["Range"], self.headers["If-Range"]))
                    behave = server.plan.pop(0) if server.plan else server.well
                data = server.files.get(self.path)
                (server.status(404) if data is None else behave)(self, data)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *args: None  # a client that hangs up is no news here
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def well(self, handler, data, count=None, total=None, seconds=0.0):
        """As the standard asks; but send only `count` bytes, and say that the whole has `total`."""
        total = len(data) if total is None else total
        start = 0
        if handler.headers["Range"] and handler.headers["If-Range"] in (None, self.etag):
            start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(data):
            self.answer(handler, 416, {"Content-Range": f"bytes */{len(data)}"})
            return
        headers = {"Content-Length": total - start, "ETag": self.etag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        self.answer(handler, 206 if start else 200, headers)
        body = data[start:] if count is None else data[start : start + count]
        for at in range(0, len(body), 1 << 15):
            handler.wfile.write(body[at : at + (1 << 15)])
            time.sleep(seconds)

    def answer(self, handler, status, headers):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, str(value))
        handler.end_headers()

    def breaks_after(self, count):
        return lambda handler, data: self.well(handler, data, count=count)

    def announces(self, total):
        return lambda handler, data: self.well(handler, data, total=total)

    def trickles(self, handler, data):
        self.well(handler, data, seconds=0.02)

    def sends(self, other):
        return lambda handler, data: self.well(handler, other)

    def ignores_ranges(self, handler, data):
        self.answer(handler, 200, {"Content-Length": len(data)})
        handler.wfile.write(data)

    def without_length(self, count=None):
        def answer(handler, data):
            self.answer(handler, 200, {})
            handler.wfile.write(data[:count])

        return answer

    def new_version(self, count=None):
        """From now on the file has another ETag."""

        def answer(handler, data):
            self.etag = '"two"'
            self.well(handler, data, count=count)

        return answer

    def status(self, code):
        return lambda handler, data: self.answer(handler, code, {"Content-Length": 0})

    def redirects(self, path):
        return lambda handler, data: self.answer(handler, 302, {"Location": path, "Content-Length": 0})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()
