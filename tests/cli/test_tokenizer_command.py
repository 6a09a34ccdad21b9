"""`numgpt tokenizer`."""

import io
import json
import sys

import pytest

from numgpt.cli import main


@pytest.fixture
def run(tiny_model, capsys):
    """A function: run `numgpt tokenizer` with the tiny model's vocabulary; return (status, output, complaints)."""

    def tokenizer(action, *arguments):
        status = main(["tokenizer", action, "--vocab", tiny_model, *arguments])
        return status, *capsys.readouterr()

    return tokenizer


def test_encode_and_decode(run):
    assert run("encode", "Hé") == (0, "72 195 169\n", "")
    for arguments in (["72", "195", "169"], ["72,195, 169"], ["[72, 195, 169]"]):
        assert run("decode", *arguments) == (0, "Hé\n", "")


@pytest.mark.parametrize("dash", [[], ["-"]])
def test_from_standard_input(run, monkeypatch, dash):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Hé\n".encode())))
    assert run("encode", *dash)[1] == "72 195 169\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"72 195\n169\n")))
    assert run("decode", *dash)[1] == "Hé\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"72\n")))
    assert json.loads(run("decode", *dash, "--json")[1])["text"] == "H"


def test_json(run):
    expected = {"text": "Hi", "ids": [72, 105], "tokens": ["H", "i"]}
    assert json.loads(run("encode", "Hi", "--json")[1]) == expected
    assert json.loads(run("decode", "72", "105", "--json")[1]) == expected


def test_special_tokens_are_text_unless_allowed(run):
    assert run("encode", "<|endoftext|>", "--allow-special")[1] == "256\n"
    assert len(run("encode", "<|endoftext|>")[1].split()) == 13


def test_nothing_is_nothing(run):
    assert run("encode", "") == (0, "\n", "")


def test_a_folder_with_a_model(tiny_model, capsys):
    assert main(["tokenizer", "encode", "Hi", "--model", tiny_model]) == 0
    assert capsys.readouterr().out == "72 105\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["decode", "72", "x"], "a token id is a whole number of at least 0, not 'x'"),
        (["decode", "--", "-1"], "not '-1'"),
        (["decode", "1.5"], "not '1.5'"),
        (["decode", "257"], "257 is out of range"),
        (["decode", "9" * 5000], "not '999"),
        (["encode", "a\udcff"], "the text is not valid UTF-8"),
        (["encode", "a", "--model", "124M"], "not allowed with"),
        (["sing"], "there is no command 'sing': choose from encode, decode, train"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert len(err) < 300


def test_a_folder_without_vocabulary(tmp_path, capsys):
    assert main(["tokenizer", "encode", "a", "--vocab", str(tmp_path)]) == 2
    assert "has no vocabulary files" in capsys.readouterr().err


def test_train_writes_a_vocabulary_that_encodes(tmp_path, capsys):
    (tmp_path / "text.txt").write_text("to be, or not to be: to be\n" * 4)
    folder = str(tmp_path / "new" / "folder")
    assert main(["tokenizer", "train", str(tmp_path / "text.txt"), "--vocab-size", "260", "-o", folder]) == 0
    assert "260 tokens" in capsys.readouterr().out
    assert main(["tokenizer", "encode", "to be", "--vocab", folder]) == 0
    assert len(capsys.readouterr().out.split()) < len("to be")


def test_train_says_when_the_text_is_too_small(tmp_path, capsys):
    (tmp_path / "text.txt").write_text("abc")
    assert main(["tokenizer", "train", str(tmp_path / "text.txt"), "-o", str(tmp_path)]) == 0
    assert "257 tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [(b"", [], "empty"), (b"ab\n\xff", [], "line 2"), (b"ab", ["--vocab-size", "3"], "257"), (None, [], "text.txt")],
)
def test_train_refuses(content, options, message, tmp_path, capsys):
    if content is not None:
        (tmp_path / "text.txt").write_bytes(content)
    assert main(["tokenizer", "train", str(tmp_path / "text.txt"), *options, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
