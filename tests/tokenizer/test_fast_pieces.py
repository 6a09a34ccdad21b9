"""Pieces found in NumPy, against those of the pattern."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt.tokenizer import fast_pieces
from numgpt.tokenizer.bpe import find_pieces
from numgpt.tokenizer.fast_pieces import PieceFinder, find_blocks, find_equal

WHITESPACE = " \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u2003\u2028\u202f\u3000\u200b\ufeff"
CONTRACTIONS = ["'", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'r", "'v", "'l", "'e", "'S", "\u2019s"]
WORDS = ["a", "s", "e", "l", "The", "1", "\xbd", "\u0661", "\xe9", "\u65e5", "internationalisation"]
OTHERS = ["  ", ".", "?!", "\u0301", "\U0001f600", "\0"]
TEXTS = st.lists(st.sampled_from([*WHITESPACE, *CONTRACTIONS, *WORDS, *OTHERS])).map("".join) | st.text()


def found(text):
    return [
        different[number].decode()
        for different, numbers in PieceFinder(find_pieces).find_different(text)
        for number in numbers
    ]


@settings(max_examples=500, deadline=None)
@given(text=TEXTS, block=st.sampled_from([1, 4, 2**18]))
def test_the_pieces_are_those_of_the_pattern(text, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_pieces, "BLOCK", block)
        assert found(text) == find_pieces(text)


def test_every_character():
    codes = [*range(0xD800), *range(0xE000, 0x110000)]
    np.random.default_rng(0).shuffle(codes)
    text = "".join(map(chr, codes))
    assert found(text) == find_pieces(text)


def test_blocks_are_cut_where_a_piece_begins(monkeypatch):
    monkeypatch.setattr(fast_pieces, "BLOCK", 2)
    assert list(find_blocks("a b  c d \n e f")) == ["a b  c", " d \n e", " f"]
    assert list(find_blocks("abcdefgh")) == ["abcdefgh"]
    assert list(find_blocks("")) == []


@pytest.mark.parametrize("n_factors", [0, 1, 3])
def test_equal_pieces(monkeypatch, n_factors):
    """Whatever the hash table has no room for stands for itself; what is told to be equal is."""
    monkeypatch.setattr(fast_pieces, "FACTORS", fast_pieces.FACTORS[:n_factors])
    rng = np.random.default_rng(0)
    pieces = [rng.choice([b"a", b"ab", b"a\0", b"\0", b"abcdefgh", b"abcdefgh\0"]) for _ in range(200)]
    pieces = [piece or b"\0" for piece in map(bytes, pieces)] + [bytes([n]) * n for n in range(1, 20)] * 2
    edges = np.cumsum([0, *map(len, pieces)])
    same = find_equal(b"".join(pieces), edges)
    assert [pieces[number] for number in same] == pieces
    assert (same[same] == same).all()
    if n_factors == 3:
        shorter = {piece for piece in pieces if len(piece) < 16}
        assert len(np.unique(same)) == len(shorter) + 2 * len(range(16, 20))
