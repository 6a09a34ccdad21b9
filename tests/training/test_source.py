"""What a data file may hold, and what is made of it."""

import io
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from numgpt.errors import InputError
from numgpt.loading import load
from numgpt.tokenizer.bpe import END_OF_TEXT
from numgpt.training import session, state
from numgpt.training.documents import read_document
from numgpt.training.loop import train
from numgpt.training.schedule import learning_rate
from numgpt.training.settings import Settings
from numgpt.training.source import read_source

LINES = "".join(f"{n} times {n} is {n * n};\n" for n in range(60))


@pytest.fixture
def standard_input(monkeypatch):
    """A function: have standard input hold these bytes."""

    def give(data):
        stdin = io.TextIOWrapper(io.BytesIO(data))
        monkeypatch.setattr(sys, "stdin", stdin)

    return give


def test_a_byte_order_mark_is_no_character(tmp_path, standard_input):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffäb\ufeff".encode())
    standard_input(path.read_bytes())
    assert read_source(path).documents[0].text == read_document(path) == read_document("-") == "äb\ufeff"
    path.write_bytes("\ufeff".encode())
    with pytest.raises(InputError, match="is empty"):
        read_document(path)


@pytest.mark.parametrize("tokens", [np.arange(600) % 65, 300 + np.arange(600) % 40_000])
def test_nanogpts_tokens_are_refused_with_the_command_that_converts_them(tmp_path, monkeypatch, begin, tokens):
    """65 characters give a file full of NUL; tokens of GPT-2's one that is not UTF-8."""
    path = tmp_path / "train.bin"
    tokens.astype("<u2").tofile(path)
    with pytest.raises(InputError, match="nanoGPT's train.bin") as error:
        session.begin(tmp_path / "run", path, Settings())
    python, *words = shlex.split(re.search(r"python -c .*", str(error.value))[0])
    assert python == "python"
    subprocess.run([sys.executable, *words], check=True)
    assert read_source(tmp_path / "train.npy").tokens.tolist() == tokens.tolist()


def test_a_text_with_nul_bytes_is_none(tmp_path, standard_input):
    path = tmp_path / "a.txt"
    path.write_bytes("ab\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="a.txt holds NUL bytes, so it is not text: save it as UTF-8; or"):
        read_document(path)
    standard_input(b"a\0")
    with pytest.raises(InputError, match="standard input holds NUL bytes, so it is not text: save it as UTF-8$"):
        read_document("-")


def test_standard_input(tmp_path, settings, standard_input, text_file):
    standard_input(text_file.read_bytes())
    begun = session.begin(tmp_path / "run", "-", settings())
    other = session.begin(tmp_path / "other", text_file, settings())
    assert begun.data.file == "standard input"
    assert begun.data.sha256 == other.data.sha256
    assert np.array_equal(begun.trainer.batches.part.ids, other.trainer.batches.part.ids)
    (tmp_path / "-").write_text("a file")
    assert read_document(tmp_path / "-") == "a file"


def test_standard_input_when_a_run_goes_on(begin, quiet, stop_after, standard_input, text_file):
    begun = begin()
    train(begun, quiet, stop_after(1))
    standard_input(text_file.read_bytes())
    session.resume(begun.run, {}, "-")
    standard_input(b"another text")
    with pytest.raises(InputError, match="- is not the file 'text.txt' that the run began with"):
        session.resume(begun.run, {}, "-")


DOCUMENTS = LINES[:200] + END_OF_TEXT + LINES[200:] + END_OF_TEXT


@pytest.mark.parametrize("kind", ["bpe", "char", "text"])
def test_the_end_of_a_document(tmp_path, settings, kind):
    path = tmp_path / "documents.txt"
    path.write_text(DOCUMENTS)
    changed = {"tokenizer": "char"} if kind == "char" else {"tokenizer": "bpe", "vocab_size": 280}
    changed |= {"end_of_text": "text"} if kind == "text" else {}
    begun = session.begin(tmp_path / "run", path, settings(**changed))
    parts = begun.trainer.batches.part.ids.tolist(), begun.held_out.part.ids.tolist()
    assert "".join(map(begun.tokenizer.decode, parts)) == DOCUMENTS
    end = begun.tokenizer.end_of_text
    found = [part.count(end) for part in parts]
    assert found == ([1, 1] if kind == "bpe" else [0, 0])
    said = {
        "bpe": "as the token that ends a document",
        "char": "has no token for it",
        "text": "--end-of-text text says",
    }
    assert begun.notice.startswith("<|endoftext|> occurs 2 times in the text and is read as ")
    assert said[kind] in begun.notice
    if kind == "bpe":
        assert not any(b"<|" in token for token in begun.tokenizer.tokens[:end])


def test_a_text_without_documents_needs_no_notice(begin):
    assert begin().notice is None


@pytest.fixture
def val_file(tmp_path):
    path = tmp_path / "val.txt"
    path.write_text("7 times 8 is 56, äöü;\n" * 9)
    return path


def test_a_file_that_is_held_out(tmp_path, settings, text_file, val_file, quiet, stop_after):
    for kind in "bpe", "char", "word":
        begun = session.begin(tmp_path / kind, text_file, settings(tokenizer=kind, vocab_size=270), val_data=val_file)
        assert begun.tokenizer.decode(begun.trainer.batches.part.ids.tolist()) == text_file.read_text()
        assert begun.tokenizer.decode(begun.held_out.part.ids.tolist()) == val_file.read_text()
        if kind == "bpe":
            assert not any("ä".encode() in token for token in begun.tokenizer.tokens)
    train(begun, quiet, stop_after(1))
    session.resume(begun.run, {}, text_file, val_data=val_file)
    with pytest.raises(InputError, match="text.txt is not the file 'val.txt' that the run began with"):
        session.resume(begun.run, {}, val_data=text_file)
    load(begun.run)


def test_a_run_without_one_does_not_take_one_later(begin, quiet, stop_after, val_file):
    train(begun := begin(), quiet, stop_after(1))
    with pytest.raises(InputError, match="val.txt was not held out when the run began; part of 'text.txt' was"):
        session.resume(begun.run, {}, val_data=val_file)


def test_tokens_that_are_held_out(tmp_path, settings, text_file):
    for name, n in ("a", 7), ("b", 9):
        np.save(tmp_path / f"{name}.npy", np.arange(100) % n)
    files = tmp_path / "a.npy", tmp_path / "b.npy"
    begun = session.begin(tmp_path / "run", files[0], settings(tokenizer="bpe"), val_data=files[1])
    assert begun.trainer.model.config.n_vocab == 9
    assert (len(begun.trainer.batches.part.ids), len(begun.held_out.part.ids)) == (100, 100)
    with pytest.raises(InputError, match="must both be texts, or both tokens"):
        read_source(files[0], text_file)
    with pytest.raises(InputError, match="cannot both be standard input"):
        read_source("-", "-")


def test_more_steps(begin, quiet, finish, newest):
    """Where the learning rate is the same throughout, ten steps and ten more are twenty, bit for bit."""
    steady = {"warmup": 0, "min_lr": 1e-2}
    straight = finish(begin("straight", **steady))
    short = begin("short", max_steps=10, **steady)
    train(short, quiet)
    longer = session.resume(short.run, {}, max_steps=20)
    assert longer.notice.startswith("The run now has 20 steps instead of 10. The learning rate follows")
    assert train(longer, quiet)
    assert newest(short.run) == straight
    assert session.resume(short.run, {}).trainer.finished


def test_the_learning_rate_of_more_steps(begin, quiet):
    """It is that of the longer schedule, and so rises where the shorter one had come to its end."""
    train(short := begin(max_steps=10), quiet)
    longer = session.resume(short.run, {}, max_steps=20)
    rate = learning_rate(10, 1e-2, 1e-4, 4, 20)
    assert longer.notice.endswith(f"of 20 steps: it was 0.0001 and continues at {rate:.2g}.")
    assert longer.trainer.step().lr == rate > 1e-3
    session.resume(short.run, {}, max_steps=10)
    with pytest.raises(InputError, match="--max-steps is 9 here, but 10 in the run"):
        session.resume(short.run, {}, max_steps=9)
    assert state.read_state(short.run / "step-00000010")["settings"]["max_steps"] == 10
