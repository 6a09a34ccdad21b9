"""The published models: names, folders, whole downloads."""

import concurrent.futures
import hashlib
import io
import re
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from numgpt.checkpoint import fetch, hub, releases
from numgpt.checkpoint.fetch import DownloadError
from numgpt.checkpoint.lock import exclusive
from numgpt.checkpoint.releases import File, Release
from numgpt.cli import main
from numgpt.config import OFFICIAL_SIZES
from numgpt.errors import InputError

DATA_NAME = "model.ckpt.data-00000-of-00001"


@pytest.fixture(autouse=True)
def at_home(monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "PAUSE", 0)
    monkeypatch.setenv("NUMGPT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def release(monkeypatch, server, golden):
    """A function that publishes the small checkpoint on the server as 124M, and returns its files (name -> bytes)."""

    def publish(**unknown):
        names = ("hparams.json", "model.ckpt.index", DATA_NAME)
        contents = {name: (golden / "tiny-gpt2" / "tf" / name).read_bytes() for name in names}
        files = tuple(File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items())
        files = tuple(replace(file, **unknown) for file in files)
        monkeypatch.setitem(releases.RELEASES["openai"], "124M", Release("124M", server.url, "124M", 0.5, files))
        server.files.update({f"/124M/{name}": data for name, data in contents.items()})
        return contents

    return publish


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Names


@pytest.mark.parametrize(
    ("name", "size"),
    [("124M", "124M"), ("117M", "124M"), ("gpt2", "124M"), ("345M", "355M"), ("gpt2-medium", "355M")]
    + [("774M", "774M"), ("gpt2-large", "774M"), ("1558M", "1558M"), ("gpt2-xl", "1558M")],
)
def test_names(name, size):
    assert hub.canonical_name(name) == size
    assert size in OFFICIAL_SIZES


@pytest.mark.parametrize(
    ("name", "guess"),
    [("124m", "'124M'"), ("GPT2", "'gpt2'"), ("gpt2-meduim", "'gpt2-medium'"), ("gpt2xl", "'gpt2-xl'")],
)
def test_a_name_that_is_almost_right(name, guess):
    with pytest.raises(InputError, match=f"did you mean {guess}"):
        hub.canonical_name(name)


@pytest.mark.parametrize("name", ["llama", "", None, 7, ["x"]])
def test_an_unknown_name_lists_those_that_exist(name):
    with pytest.raises(InputError, match=r"no published model .*: there are 124M, 355M, 774M, 1558M, 117M"):
        hub.canonical_name(name)


# The table


def test_every_release_is_complete_and_plausible():
    for source, needed in {"openai": {"encoder.json", "vocab.bpe"}, "hf": {"vocab.json", "merges.txt"}}.items():
        assert releases.RELEASES[source].keys() == OFFICIAL_SIZES.keys()
        for size, release in releases.RELEASES[source].items():
            assert needed < {file.name for file in release.files}
            assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in release.files if file.sha256)
            known = sum(file.size for file in release.files if file.size)
            if all(file.size for file in release.files[-1:]):
                assert round(known / 1e9, 1) == release.gigabytes
            assert release.folder.startswith(size)


def test_the_sizes_of_the_weights_are_those_of_the_parameters():
    for size, config in OFFICIAL_SIZES.items():
        C, L = config.n_embd, config.n_layer
        parameters = (config.n_vocab + config.n_ctx + 2) * C + L * (12 * C * C + 13 * C)
        assert releases.RELEASES["openai"][size].files[-1].size == 4 * parameters


def test_the_table_agrees_with_the_files_at_hand(shared):
    for size in ("124M", "355M", "1558M"):
        for file in releases.RELEASES["openai"][size].files:
            path = shared / "gpt2" / "official" / size / file.name
            path = path if path.exists() else shared / "gpt2" / file.name
            if path.exists():
                data = path.read_bytes()
                assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest()), path


# Folders


def test_home_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMGPT_HOME", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub.home() == tmp_path / "models"


def test_home_of_a_source_checkout(monkeypatch):
    monkeypatch.setenv("NUMGPT_HOME", "")
    assert hub.home() == Path(hub.__file__).parents[2] / "weights"


@pytest.mark.parametrize(
    ("platform", "variable", "home"),
    [
        ("linux", "XDG_CACHE_HOME", "cache/numgpt"),
        ("linux", None, ".cache/numgpt"),
        ("darwin", None, "Library/Caches/numgpt"),
        ("win32", "LOCALAPPDATA", "cache/numgpt"),
    ],
)
def test_home_of_an_installed_package(monkeypatch, tmp_path, platform, variable, home):
    monkeypatch.delenv("NUMGPT_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(hub, "_PACKAGE", tmp_path / "site-packages" / "numgpt")
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    assert hub.home() == tmp_path / home


def test_find_wants_all_the_files(release, at_home):
    contents = release()
    assert hub.find("gpt2") is None
    folder = hub.download("124M")
    assert folder == at_home / "124M"
    assert hub.find("gpt2") == folder
    (folder / next(iter(contents))).unlink()
    assert hub.find("gpt2") is None


def test_find_knows_hugging_faces_folder(at_home, monkeypatch):
    known = releases.RELEASES["hf"]["355M"]
    monkeypatch.setitem(
        releases.RELEASES["hf"], "355M", replace(known, files=tuple(File(file.name) for file in known.files))
    )
    (at_home / "355M-hf").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "vocab.json", "merges.txt"):
        (at_home / "355M-hf" / name).touch()
    assert hub.find("gpt2-medium") == at_home / "355M-hf"


# Downloads


def test_a_download(release, server, at_home, capsys):
    contents = release()
    folder = hub.download("117M")
    assert contents_of(folder) == contents
    assert list(at_home.iterdir()) == [folder]
    assert (
        " ".join(capsys.readouterr().err.split()) == f"numgpt: downloading 124M (0.5 GB) from {server.url} to {folder}"
    )


def test_a_second_call_downloads_only_what_is_missing(release, server, capsys):
    contents = release()
    folder = hub.download("124M")
    server.requests.clear()
    capsys.readouterr()
    assert hub.download("124M") == folder
    assert server.requests == []
    assert capsys.readouterr().err == ""
    (folder / "hparams.json").unlink()
    hub.download("124M")
    assert [path for path, *_ in server.requests] == ["/124M/hparams.json"]
    assert contents_of(folder) == contents


def test_a_mirror(release, server, monkeypatch):
    contents = release()
    monkeypatch.setitem(
        releases.RELEASES["openai"], "124M", replace(releases.RELEASES["openai"]["124M"], base="http://nowhere.invalid")
    )
    server.files = {f"/some/where{path}": data for path, data in server.files.items()}
    assert contents_of(hub.download("124M", mirror=server.url + "/some/where/")) == contents


def test_hugging_faces_paths_below_a_mirror(server):
    with pytest.raises(DownloadError):
        hub.download("gpt2-xl", "hf", server.url)
    revision = "15ea56dee5df4983c59b2538573817e1667135e2"
    assert server.requests[0][0] == f"/openai-community/gpt2-xl/resolve/{revision}/config.json"


@pytest.mark.parametrize("mirror", ["", "ftp://there", "/some/folder", "huggingface.co"])
def test_a_mirror_that_is_no_url(mirror):
    with pytest.raises(InputError, match="the mirror must be a URL"):
        hub.download("124M", mirror=mirror)


def test_an_unknown_source():
    with pytest.raises(InputError, match="no source 'elsewhere': there are openai, hf"):
        hub.download("124M", "elsewhere")


def test_a_download_that_breaks_off_goes_on_in_the_next_call(release, server, at_home, monkeypatch):
    contents = release()
    monkeypatch.setattr(fetch, "CHUNK", 1000)
    monkeypatch.setattr(fetch, "TRIES", 1)
    server.plan = [server.well, server.well, server.breaks_after(5000), server.breaks_after(0)]
    with pytest.raises(DownloadError, match="put hparams.json, .* by hand"):
        hub.download("124M")
    assert not (at_home / "124M" / DATA_NAME).exists()
    assert (at_home / "124M.part" / DATA_NAME).stat().st_size == 5000
    server.requests.clear()
    assert contents_of(hub.download("124M")) == contents
    assert server.requests[0] == (f"/124M/{DATA_NAME}", "bytes=5000-", None)


@pytest.mark.parametrize("unknown", [{}, {"sha256": None}, {"sha256": None, "size": None}])
@pytest.mark.parametrize("name", ["hparams.json", "model.ckpt.index", DATA_NAME])
def test_a_wrong_byte_never_gets_the_final_name(release, server, at_home, unknown, name):
    contents = release(**unknown)
    damaged = bytearray(contents[name])
    damaged[len(damaged) // 2] ^= 255
    server.files[f"/124M/{name}"] = bytes(damaged)
    with pytest.raises(DownloadError, match=rf"/124M/{name} is not the published file.*deleted"):
        hub.download("124M")
    assert not (at_home / "124M" / name).exists()
    assert not (at_home / "124M.part" / name).exists()
    server.files[f"/124M/{name}"] = contents[name]
    assert contents_of(hub.download("124M")) == contents


def test_a_data_file_without_published_hash_that_is_cut_short(release, server, at_home):
    contents = release(sha256=None, size=None)
    server.files[f"/124M/{DATA_NAME}"] = contents[DATA_NAME][:-4]
    with pytest.raises(DownloadError, match="the file ends inside tensor"):
        hub.download("124M")
    assert not (at_home / "124M" / DATA_NAME).exists()


def test_a_page_in_place_of_the_file(release, server, at_home):
    release(sha256=None, size=None)
    server.files["/124M/hparams.json"] = b"<html>Please log in</html>"
    with pytest.raises(DownloadError, match="not usable JSON"):
        hub.download("124M")
    assert not any(path.is_dir() for path in at_home.iterdir())  # no empty folders


def test_a_file_of_the_wrong_size_in_the_way(release, at_home):
    release()
    (at_home / "124M").mkdir(parents=True)
    (at_home / "124M" / DATA_NAME).write_bytes(b"mine")
    for use in (hub.find, hub.download):
        with pytest.raises(InputError, match="has 4 bytes, but the published file has 20544: delete it"):
            use("124M")
    assert (at_home / "124M" / DATA_NAME).read_bytes() == b"mine"


def test_no_network(release, at_home, monkeypatch, server):
    release()
    monkeypatch.setitem(
        releases.RELEASES["openai"], "124M", replace(releases.RELEASES["openai"]["124M"], base="http://127.0.0.1:9")
    )
    with pytest.raises(OSError, match="cannot reach http://127.0.0.1:9/124M/hparams.json") as caught:
        hub.download("124M")
    message = str(caught.value)
    assert "\n" not in message
    assert "--source hf or --mirror URL, or put hparams.json, model.ckpt.index, model" in message
    assert f"into {at_home / '124M'} by hand" in message


def test_not_enough_room(release, at_home, monkeypatch, server):
    release()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 5000, 5000))
    with pytest.raises(InputError, match=r"124M needs 0\.0 GB more in .*, where 0\.0 GB are free: make room"):
        hub.download("124M")
    assert server.requests == []


def test_what_has_arrived_needs_no_more_room(release, at_home, monkeypatch):
    contents = release()
    (at_home / "124M.part").mkdir(parents=True)
    (at_home / "124M.part" / DATA_NAME).write_bytes(contents[DATA_NAME][:20000])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 5000, 5000))
    assert contents_of(hub.download("124M")) == contents


def test_a_second_process_waits_and_then_finds_all_there(release, server, at_home, monkeypatch):
    contents = release()
    said = io.StringIO()  # capsys would lose what another thread prints while it is read
    monkeypatch.setattr(sys, "stderr", said)
    at_home.mkdir()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with exclusive(at_home / "124M.lock", "busy"):
            second = pool.submit(hub.download, "124M")
            while "\n" not in said.getvalue():
                assert not second.done()
                time.sleep(0.001)
            assert said.getvalue().startswith("numgpt: another process is downloading 124M; waiting for it")
            assert server.requests == []
            (at_home / "124M").mkdir(exist_ok=True)
            for name, data in contents.items():
                (at_home / "124M" / name).write_bytes(data)
        assert second.result() == at_home / "124M"
    assert server.requests == []
    assert list(at_home.iterdir()) == [at_home / "124M"]


def test_check_files(release, at_home):
    contents = release()
    folder = hub.download("124M")
    for name, published, found in hub.check_files("124M", folder):
        assert published == found == hashlib.sha256(contents[name]).hexdigest()
    (folder / DATA_NAME).write_bytes(bytes(len(contents[DATA_NAME])))
    assert [name for name, published, found in hub.check_files("124M", folder) if published != found] == [DATA_NAME]


# The vocabulary alone


@pytest.fixture
def vocabulary(monkeypatch, server):
    """Publishes the bundled vocabulary as 124M's, beside weights that nobody can download."""
    folder = hub.find_shipped("shakespeare")
    names = {"encoder.json": "vocab.json", "vocab.bpe": "merges.txt"}
    contents = {name: (folder / file).read_bytes() for name, file in names.items()}
    files = [File(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    whole = Release("124M", server.url, "124M", 0.5, (*files, File(DATA_NAME, 10**9)))
    monkeypatch.setitem(releases.RELEASES["openai"], "124M", whole)
    server.files.update({f"/124M/{name}": data for name, data in contents.items()})
    return contents


def test_a_vocabulary_is_downloaded_without_its_weights(vocabulary, server, at_home, capsys):
    assert hub.find_vocabulary("gpt2") is None
    assert hub.download("gpt2", vocabulary_only=True) == at_home / "124M"
    assert contents_of(at_home / "124M") == vocabulary
    assert [path for path, *_ in server.requests] == ["/124M/encoder.json", "/124M/vocab.bpe"]
    assert "downloading 124M (1.5 MB) from " in capsys.readouterr().err
    assert hub.find_vocabulary("gpt2") == at_home / "124M"
    assert hub.find("gpt2") is None


def test_a_tokenizer_needs_no_more_than_that(vocabulary, server, capsys):
    assert main(["tokenizer", "encode", "Hi"]) == 0
    assert capsys.readouterr().out.split()
    assert len(server.requests) == 2
    assert main(["tokenizer", "encode", "Hi", "--offline"]) == 0
    assert len(server.requests) == 2


def test_where_it_cannot_be_had_the_bundled_one_is_offered(vocabulary, server, capsys):
    assert main(["tokenizer", "encode", "Hi", "--offline"]) == 2
    assert "--model shakespeare uses the bundled one" in capsys.readouterr().err
    server.files.clear()
    assert main(["tokenizer", "encode", "Hi"]) == 2
    err = capsys.readouterr().err
    assert "`--model shakespeare` uses the bundled vocabulary" in err
    assert main(["tokenizer", "encode", "Hi", "--model", "shakespeare", "--offline"]) == 0
