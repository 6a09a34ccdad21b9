"""Repositories of Hugging Face's, from a server on this machine that behaves like theirs.

Small files come by a redirect within the host; for a large one the server names the SHA-256 and redirects to another
host, where it lies. Refusals have the status codes that theirs has.
"""

import hashlib
import json
import shutil
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time

import numpy as np
import pytest

import numgpt
from numgpt.checkpoint import fetch, repository
from numgpt.checkpoint.fetch import DownloadError
from numgpt.cli import main
from numgpt.errors import InputError

COMMIT = "c0ffee" + "0" * 34
TOKEN = "hf_aSecretThatNobodySees"


class Host:
    """A host that notes every request: (path, Authorization, Range)."""

    def __init__(self, answer):
        self.requests = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                host.requests.append((self.path, self.headers["Authorization"], self.headers["Range"]))
                answer(self)

            def reply(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in {"Content_Length": len(body), **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *args: None
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Hub:
    """The server and its store. files: name -> bytes of the repository org/name. plan: statuses to answer first."""

    def __init__(self):
        self.files, self.plan, self.headers, self.token, self.breaks_after = {}, [], {}, None, None
        self.sha256_of = {}
        self.server, self.store = Host(self.answer), Host(self.deliver)

    def answer(self, handler):
        if self.plan:
            handler.reply(self.plan.pop(0), **self.headers)
            return
        if self.token and handler.headers["Authorization"] != f"Bearer {self.token}":
            handler.reply(401, X_Error_Code="RepoNotFound")
            return
        if handler.path == f"/api/models/org/name/revision/{COMMIT}":
            handler.reply(200, json.dumps({"siblings": [{"rfilename": name} for name in self.files]}).encode())
            return
        name = handler.path.rpartition("/")[2]
        if handler.path.startswith("/api/resolve-cache/"):
            handler.reply(200, self.files[name], ETag='"an etag"')
            return
        if handler.path not in (f"/org/name/resolve/main/{name}", f"/org/name/resolve/{COMMIT}/{name}"):
            handler.reply(404, X_Error_Code="RepoNotFound")
        elif name not in self.files:
            handler.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        elif name.endswith(".safetensors"):
            sha256 = self.sha256_of.get(name, hashlib.sha256(self.files[name]).hexdigest())
            linked = {"X_Linked_ETag": f'"{sha256}"', "X_Linked_Size": len(self.files[name])} if sha256 else {}
            handler.reply(302, Location=f"{self.store.url}/{name}?signed", X_Repo_Commit=COMMIT, **linked)
        else:
            handler.reply(307, Location=f"/api/resolve-cache/{name}", X_Repo_Commit=COMMIT)

    def deliver(self, handler):
        data = self.files[handler.path.strip("/").removesuffix("?signed")]
        start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            handler.reply(416, Content_Range=f"bytes */{len(data)}")
            return
        body, count = data[start:], self.breaks_after
        self.breaks_after = None
        span = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        handler.reply(206 if start else 200, body[:count], Content_Length=len(body), ETag='"x"', **span)

    def asked(self):
        """The names of the files that were asked for."""
        return [path.rpartition("/")[2] for path, *_ in self.server.requests if "/resolve/" in path]


@pytest.fixture
def hub(golden, tmp_path, monkeypatch):
    """The Hub with a small model on it, as $HF_ENDPOINT, and no downloads."""
    for name in "HF_TOKEN", "HF_ENDPOINT":
        monkeypatch.delenv(name, raising=False)
    hub = Hub()
    monkeypatch.setattr(fetch, "PAUSE", 0)
    monkeypatch.setattr(fetch, "CHUNK", 1000)
    monkeypatch.setenv("NUMGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", hub.server.url + "/")
    monkeypatch.chdir(tmp_path)
    hub.files = {path.name: path.read_bytes() for path in (golden / "tiny-gpt2" / "hf").iterdir()}
    yield hub
    hub.server.close()
    hub.store.close()


@pytest.fixture
def secret(hub, monkeypatch):
    """The repository is for those who have the token, and it is set."""
    hub.token = TOKEN
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def download():
    folder = repository.download("org/name")
    assert not folder.with_name(folder.name + ".part").exists()
    return folder


def refused(*words, error=DownloadError):
    with pytest.raises(error) as caught:
        repository.download("org/name")
    message = str(caught.value)
    assert "\n" not in message
    assert TOKEN not in message
    for word in words:
        assert word in message
    assert repository.find("org/name") is None
    return message


def test_a_repository(hub, golden, tmp_path, capsys):
    hub.files["generation_config.json"] = b'{"eos_token_id": [3, 5]}'
    folder = download()
    assert folder == tmp_path / "home" / "org--name"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == hub.files
    said = " ".join(capsys.readouterr().err.split())
    assert said == f"numgpt: downloading org/name from {hub.server.url} to {folder}"
    expected = np.load(golden / "tiny-gpt2" / "expected.npz")
    model, _ = numgpt.load("org/name", dtype="float64", offline=True)
    assert np.allclose(model.forward(expected["ids"]), expected["logits"], rtol=0, atol=1e-12)
    assert model.end_of_text == (3, 5)


def test_it_is_asked_for_once_and_all_of_one_version(hub):
    download()
    assert hub.server.requests[0][0] == "/org/name/resolve/main/config.json"
    later = [path for path, *_ in hub.server.requests if "/resolve/" in path][1:]
    assert all(path.startswith(f"/org/name/resolve/{COMMIT}/") for path in later)
    hub.server.requests.clear()
    download()
    numgpt.load("org/name")
    assert hub.server.requests == []


def test_load_downloads(hub):
    assert numgpt.load("org/name")[0].config.n_vocab == 96
    with pytest.raises(InputError, match="not the folder of a training run"):
        numgpt.load("org/name", checkpoint="best")


def test_shards(hub, golden):
    folder = golden / "family" / "everything-in-shards"
    hub.files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".npz"}
    assert {path.name for path in download().iterdir()} == hub.files.keys()
    assert numgpt.load("org/name")[0].config.n_inner == 10


def test_a_variant_where_it_is_the_only_one(hub):
    hub.files["model.fp16.safetensors"] = hub.files.pop("model.safetensors")
    download()
    assert numgpt.load("org/name")[0].config.n_vocab == 96


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["pytorch_model.bin"], "pytorch_model.bin can run code and is never opened"),
        (["model.fp16.safetensors", "model.bf16.safetensors"], "but model.fp16.safetensors, model.bf16.safetensors"),
        ([], "has no model.safetensors"),
    ],
)
def test_no_weights(hub, files, words):
    weights = hub.files.pop("model.safetensors")
    hub.files |= dict.fromkeys(files, weights)
    refused(words, error=InputError)


def test_another_architecture_is_refused_before_its_weights_are_brought(hub):
    hub.files["config.json"] = b'{"model_type": "llama"}'
    refused("model_type is 'llama'", error=InputError)
    assert hub.asked() == ["config.json"]
    assert hub.store.requests == []


@pytest.mark.usefixtures("secret")
def test_the_token_is_shown_to_the_server_and_to_nobody_else(hub, capsys):
    download()
    assert {shown for _, shown, _ in hub.server.requests} == {f"Bearer {TOKEN}"}
    assert {shown for _, shown, _ in hub.store.requests} == {None}
    assert TOKEN not in "".join(capsys.readouterr())


@pytest.mark.usefixtures("secret")
def test_the_token_is_not_shown_again_where_the_other_host_sends_back(hub):
    hub.store.close()
    hub.store = Host(lambda handler: handler.reply(302, Location=f"{hub.server.url}/org/name/resolve/main/x.json"))
    refused("401")
    assert hub.server.requests[-1][:2] == ("/org/name/resolve/main/x.json", None)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("code", [401, 403, 410, 429, 500])
def test_the_token_is_in_no_message(hub, code, capsys):
    hub.plan = [code] * 9
    refused(str(code))
    assert TOKEN not in "".join(capsys.readouterr())


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "caf\u00e9"])
def test_a_token_that_is_none(hub, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    assert token not in refused("HF_TOKEN contains a character", error=InputError)
    assert hub.server.requests == []


def test_white_space_around_the_token_does_not_matter(hub, monkeypatch):
    hub.token = TOKEN
    monkeypatch.setenv("HF_TOKEN", f" {TOKEN}\n")
    download()


@pytest.mark.parametrize(
    ("code", "token", "words"),
    [
        (401, None, "org/name does not exist, or HF_TOKEN has to be set"),
        (401, TOKEN, "HF_TOKEN is not accepted there, or org/name does not exist"),
        (403, TOKEN, "its terms may have to be accepted at http://127.0.0.1"),
    ],
)
def test_refusals_say_what_to_do(hub, monkeypatch, code, token, words):
    monkeypatch.setenv("HF_TOKEN", token or "")
    hub.plan = [code]
    refused(words)
    assert len(hub.server.requests) == 1


def test_no_such_repository(hub, tmp_path):
    hub.files = {}
    refused("has no config.json", error=InputError)
    assert not list((tmp_path / "home").glob("*"))


def test_a_name_that_may_be_a_folder_s(hub):
    hub.token = TOKEN
    with pytest.raises(InputError, match="org/name does not exist as a folder, and as a repository: http.* 401"):
        numgpt.load("org/name")


def test_a_server_that_asks_to_wait(hub, monkeypatch):
    waited = []
    monkeypatch.setattr(fetch.time, "sleep", waited.append)
    hub.plan, hub.headers = [429, 429], {"Retry_After": 7}
    download()
    assert [seconds for seconds in waited if seconds >= 1] == [7, 7]


def test_a_server_that_names_the_time(hub, monkeypatch):
    waited = []
    monkeypatch.setattr(fetch.time, "sleep", waited.append)
    hub.plan, hub.headers = [503], {"Retry_After": formatdate(time() + 60, usegmt=True)}
    download()
    assert any(50 < seconds <= 61 for seconds in waited)


def test_a_server_that_asks_to_wait_for_long(hub):
    hub.plan, hub.headers = [429], {"Retry_After": 4000}
    refused("429", "asks to wait 4000 s")


def test_a_download_that_breaks_off_goes_on(hub):
    hub.breaks_after = 5000
    download()
    assert [span for *_, span in hub.store.requests] == [None, "bytes=5000-"]


def test_a_download_that_was_ended_goes_on_in_the_next_call(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "TRIES", 1)
    part = tmp_path / "home" / "org--name.part" / "model.safetensors"
    hub.breaks_after = 5000
    stopped = []

    def stop(seconds):
        if part.exists() and not stopped:
            stopped.append(seconds)
            raise KeyboardInterrupt

    monkeypatch.setattr(fetch.time, "sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        repository.download("org/name")
    assert part.stat().st_size == 5000
    assert repository.find("org/name") is None
    hub.store.requests.clear()
    assert {path.name: path.read_bytes() for path in download().iterdir()} == hub.files
    assert [span for *_, span in hub.store.requests] == ["bytes=5000-"]


def test_weights_that_arrived_whole_earlier_are_verified_again(hub, tmp_path):
    parts = tmp_path / "home" / "org--name.part"
    parts.mkdir(parents=True)
    (parts / "model.safetensors").write_bytes(hub.files["model.safetensors"])
    download()
    shutil.rmtree(tmp_path / "home")
    parts.mkdir(parents=True)
    (parts / "model.safetensors").write_bytes(bytes(len(hub.files["model.safetensors"])))
    refused("is not the published file", "deleted")
    download()


def test_wrong_bytes_never_get_the_final_name(hub):
    hub.sha256_of["model.safetensors"] = "0" * 64
    refused("is not the published file", "published is 000000000000")


def test_a_server_that_names_no_hash(hub, capsys):
    hub.sha256_of["model.safetensors"] = ""
    download()
    assert "gives no SHA-256 for model.safetensors" in capsys.readouterr().err


def test_a_page_in_place_of_a_file(hub):
    hub.files["config.json"] = b"<html>Please log in</html>"
    refused("config.json is not what its name says", "not usable JSON", "deleted")


def test_a_shard_that_leaves_the_folder(hub):
    del hub.files["model.safetensors"]
    hub.files["model.safetensors.index.json"] = b'{"weight_map": {"wte.weight": "../model.safetensors"}}'
    refused("is not the name of a safetensors file", error=InputError)


def test_the_command(hub, capsys, tmp_path):
    assert main(["download", "org/name"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'home' / 'org--name'}\n"
    assert main(["info", "org/name"]) == 0
    assert "n_vocab" in capsys.readouterr().out


def test_a_mirror(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://nowhere.invalid")
    assert main(["download", "org/name", "--mirror", hub.server.url]) == 0


def test_offline(hub, capsys):
    with pytest.raises(InputError, match=r"offline forbids it: `numgpt download org/name` fetches it"):
        numgpt.load("org/name", offline=True)
    assert main(["info", "org/name"]) == 0
    assert capsys.readouterr().out == "folder  not downloaded (numgpt download org/name)\n"
    assert hub.server.requests == []


@pytest.mark.parametrize("path", ["org/name", "org/other", "./org/name", "a/b/c", "~/model"])
def test_what_is_a_path_is_never_asked_for(hub, tmp_path, path):
    """A folder of the name, or one of the first half's, which a slip of the pen then missed."""
    (tmp_path / "org" / "name").mkdir(parents=True)
    with pytest.raises(InputError):
        numgpt.load(path)
    assert hub.server.requests == []


@pytest.mark.parametrize("name", ["org/na me", "/name", "org/", "org/../name", "org/..", "org/n?x"])
@pytest.mark.usefixtures("hub")
def test_names_that_are_none(name):
    with pytest.raises(InputError, match="a repository must be named org/name"):
        repository.download(name)


@pytest.mark.usefixtures("hub")
def test_a_server_that_is_no_url():
    with pytest.raises(InputError, match="the server must be a URL"):
        repository.download("org/name", "huggingface.co")
