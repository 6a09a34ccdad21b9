"""Files are written whole or not at all, and other people's are refused with one line that says what is wrong."""

import hashlib
import os
import stat

import pytest

from numgpt.errors import InputError
from numgpt.files import (
    LATEST,
    atomic_write,
    decode_utf8,
    file_sha256,
    flush,
    newest_checkpoint,
    parse_json,
    quoted,
    read_json,
    read_text,
)

BOM = b"\xef\xbb\xbf"


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with atomic_write(path, "w") as file:
        file.write("né")
        assert path.read_text() == "old"
    assert path.read_bytes() == "né".encode()
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.write(b"half") and file.write("of another kind")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "a") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_files_and_folders_are_flushed(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    flush(tmp_path / "a")
    assert flushed == [(tmp_path / "a").stat().st_ino]
    if os.name != "nt":
        flush(tmp_path)
        assert flushed[1] == tmp_path.stat().st_ino


def test_the_hash_of_a_file_longer_than_a_block(tmp_path):
    data = bytes(range(256)) * (1 << 13)
    (tmp_path / "a").write_bytes(data)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_texts(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(BOM + "ä\r\n\ufeff".encode())
    assert read_text(path) == "ä\r\n\ufeff"  # only the first mark is no text
    path.write_bytes(b"")
    assert read_text(str(path)) == ""
    with pytest.raises(InputError, match="is a folder: give one text file"):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"one\ntwo\nth\xffree", "line 3: not UTF-8: byte 0xff at offset 10"),
        (b"ab\xc3", "line 1: not UTF-8: byte 0xc3 at offset 2"),
        ("\ufeff{}".encode("utf-16-le"), "line 1: not UTF-8: byte 0xff at offset 0"),
    ],
)
def test_the_first_byte_that_is_not_utf8(data, place):
    with pytest.raises(InputError, match=f"^a file, {place}; convert it"):
        decode_utf8(data, "a file")


def test_json(tmp_path):
    (tmp_path / "a.json").write_bytes(BOM + b'{"a": [1, -2.5e3, null], "\\u00e4": {"a": %d}}' % 2**128)
    assert read_json(tmp_path / "a.json") == {"a": [1, -2500.0, None], "ä": {"a": 2**128}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "line 1, column 1: not usable JSON"),
        (b'{"a": 0,\n "b": }', "line 2, column 7: not usable JSON"),
        (b"<!DOCTYPE html>", "line 1, column 1: not usable JSON"),
        (b"[]", "expected a JSON object, {...}, but found a list"),
        (b"null", "found a NoneType"),
        (b'{"a": 1, "b": 2, "a": 1}', "'a' occurs twice"),
        (b'{"x": [{"\\u0061": 1, "a": 2}]}', "'a' occurs twice"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": ' + b"9" * 1_000_000 + b"}", "an integer of 1000000 digits"),
        (b'{"a": ' + b"[" * 100_000, "brackets nested too deeply"),
        (b'{"a": ' * 100_000, "brackets nested too deeply"),
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at offset 7"),
    ],
)
def test_what_is_no_json_object(data, reason):
    with pytest.raises(InputError) as caught:
        parse_json(data, "a file")
    message = str(caught.value)
    assert message.startswith("a file")
    assert reason in message
    assert "\n" not in message


def test_what_a_file_supplied_is_shown_on_one_short_line():
    assert quoted("a\nb") == r"'a\nb'"
    assert len(quoted("x" * 1000)) == 80


def test_the_newest_checkpoint_of_a_run(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    (tmp_path / "step-00000007").mkdir()
    (tmp_path / LATEST).write_text("step-00000007\n")
    assert newest_checkpoint(tmp_path) == tmp_path / "step-00000007"
    assert newest_checkpoint(tmp_path / LATEST) is None  # no folder at all


@pytest.mark.parametrize("name", [b"", b"step-00000008", b"other", b"../step-00000007", b"\xff", b"\0", b"step-0"])
def test_a_run_whose_newest_checkpoint_is_not_there(tmp_path, name):
    for folder in "step-00000007", "other", "step-0":
        (tmp_path / folder).mkdir()
    (tmp_path / LATEST).write_bytes(name)
    with pytest.raises(InputError, match=f"{LATEST} does not name a checkpoint of the run"):
        newest_checkpoint(tmp_path)


def test_an_error_of_the_disk_names_the_file(tmp_path):
    """A write to a full disk has no name of its own; one that has keeps it."""
    for name, expected in (None, str(tmp_path / "a")), ("b", "b"):
        with pytest.raises(OSError, match="full") as error, atomic_write(tmp_path / "a"):
            raise OSError(28, "full", name)
        assert error.value.filename == expected
