"""From a file to windows of tokens."""

import hashlib

import numpy as np
import pytest

from numgpt.errors import InputError
from numgpt.training import session
from numgpt.training.documents import Document
from numgpt.training.evaluate import HeldOut
from numgpt.training.part import Part
from numgpt.training.source import read_source
from numgpt.training.windows import Windows


def test_text_is_split_by_characters(tmp_path):
    path = tmp_path / "a.txt"
    text = "äöü€\r\n1234"
    path.write_bytes(text.encode())
    source = read_source(path)
    assert source.documents == [Document(text)]
    assert source.split(0.2) == ([Document(text[:8])], [Document(text[8:])])
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_the_parts_are_tokenised_separately(begin, text_file, tmp_path, byte_folder):
    begun = begin()
    text = text_file.read_text()
    train, held_out = (np.load(begun.run / "data" / f"{name}.npy") for name in ("train", "held_out"))
    assert (train.dtype, held_out.dtype) == (np.uint16, np.uint16)
    end = int(len(text) * 0.9)
    assert begun.tokenizer.decode(train.tolist()) == text[:end]
    assert begun.tokenizer.decode(held_out.tolist()) == text[end:]
    assert isinstance(begun.trainer.batches.part.ids, np.memmap)


def test_tokens_from_a_file(tmp_path, settings):
    path = tmp_path / "tokens.npy"
    np.save(path, np.arange(500) % 37)
    begun = session.begin(tmp_path / "run", path, settings(tokenizer="bpe"))
    assert begun.trainer.model.config.n_vocab == 37
    assert begun.tokenizer is None
    assert begun.held_out.loss(begun.trainer.model).per_character is None
    known = session.begin(tmp_path / "known", path, settings())
    assert known.trainer.model.config.n_vocab == 256
    assert known.tokenizer.n_vocab == 256


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros(0, int), "is empty"),
        (np.zeros(9), "float64 of shape .9,.: tokens are one row of whole numbers"),
        (np.zeros((3, 3), int), "int64 of shape .3, 3."),
        (np.arange(500) - 1, "tokens from -1 to 448, but the vocabulary has 0 to 255"),
        (np.arange(500), "tokens from 0 to 449, but the vocabulary has 0 to 255"),
        (np.array([None]), "not a .npy file of numbers"),
    ],
)
def test_tokens_that_are_none(tmp_path, settings, values, reason):
    path = tmp_path / "tokens.npy"
    np.save(path, values)
    with pytest.raises(InputError, match=reason):
        session.begin(tmp_path / "run", path, settings())
    assert not (tmp_path / "run" / "data").exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"text", b"PK\3\4"])
def test_rubbish_for_tokens(tmp_path, content):
    path = tmp_path / "tokens.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match="tokens.npy is not a .npy file of numbers"):
        read_source(path)


def test_texts_that_cannot_be_used(tmp_path, settings):
    path = tmp_path / "a.txt"
    for content, reason in [
        (b"", "a.txt is empty"),
        (b"one\ntwo\nth\xffree", "a.txt, line 3: not UTF-8: byte 0xff at offset 10; convert it to UTF-8"),
        (b"ab\xc3", "line 1: not UTF-8: byte 0xc3 at offset 2"),
        (b"123456789", "has 8 tokens, too few for a context of 8"),
        (b"1234567890", "only 1 tokens are held out: give more text, or a larger --val-fraction"),
    ]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=reason):
            session.begin(tmp_path / "run", path, settings())
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "missing.txt")


def test_every_window_can_come_and_its_targets_follow():
    tokens = np.arange(10, 17, dtype=np.uint16)
    windows = Windows(Part(tokens), 5, 4, np.random.default_rng(0))
    seen = set()
    for _ in range(30):
        ids, targets = windows.draw()
        assert ids.shape == targets.shape == (5, 4)
        assert np.array_equal(targets, ids + 1)
        assert np.array_equal(np.diff(ids), np.ones((5, 3)))
        seen |= set(ids[:, 0].tolist())
    assert seen == {10, 11, 12}


def test_windows_of_a_seed():
    tokens = np.arange(1000, dtype=np.uint16)
    a, b = (Windows(Part(tokens), 4, 8, np.random.default_rng(3)).draw() for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a[0], Windows(Part(tokens), 4, 8, np.random.default_rng(4)).draw()[0])


@pytest.mark.parametrize("length", [2, 8, 9, 10, 64, 65, 66, 100])
def test_each_held_out_token_but_the_first_is_predicted_once(length):
    held_out = HeldOut(Part(np.arange(length)), 8, 3, 0, None)
    pairs = [(i, t) for ids, targets in held_out.windows() for i, t in zip(ids.ravel(), targets.ravel(), strict=True)]
    pairs = [(i, t) for i, t in pairs if t != -1]
    assert sorted(pairs) == [(i, i + 1) for i in range(length - 1)]
    assert held_out.n_tokens == length - 1


def test_a_part_of_the_held_out_text_is_taken_evenly():
    held_out = HeldOut(Part(np.arange(8 * 100 + 1)), 8, 5, 4, None)
    starts = np.concatenate([ids[:, 0] for ids, _ in held_out.windows()])
    assert np.array_equal(starts, 8 * np.arange(0, 100, 5))
    assert held_out.n_tokens == 160
