"""Learning merges: the published example, the definition, and Hugging Face's trainer."""

import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt import InputError
from numgpt.tokenizer import load_tokenizer
from numgpt.tokenizer.bpe import find_pieces
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE, to_symbols
from numgpt.tokenizer.trainer import train_bpe


def plain_merges(text, n_merges):
    """Algorithm 1 of Sennrich, Haddow and Birch: count all pairs anew for every merge."""
    id_of = {byte: i for i, byte in enumerate(SYMBOL_OF_BYTE)}
    words = [[id_of[byte] for byte in piece.encode()] for piece in find_pieces(text)]
    merges = []
    while len(merges) < n_merges:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        new = 256 + len(merges)
        merges.append(best)
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = [new]
                i += 1
    return merges


def test_the_published_example():
    """aaabdaaabac: Z = aa, Y = ab, X = ZY, and the text is XdXac (Gage 1994, as Wikipedia tells it)."""
    tokenizer = train_bpe("aaabdaaabac", 260)
    assert [tokenizer.tokens[i] for i in tokenizer.merges.values()] == [b"aa", b"ab", b"aaab"]
    assert [tokenizer.tokens[i] for i in tokenizer.encode("aaabdaaabac")] == [b"aaab", b"d", b"aaab", b"a", b"c"]


@settings(deadline=None)
@given(st.text("ab cd\n", max_size=60), st.integers(0, 12))
def test_merges_are_those_of_the_definition(text, n_merges):
    tokenizer = train_bpe(text, 257 + n_merges)
    assert list(tokenizer.merges) == plain_merges(text, n_merges)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_through_the_files_and_back(tmp_path):
    text = "the cat sat on the mat, the cat's mat 😀 😀\n" * 3
    tokenizer = train_bpe(text, 300)
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.merges == tokenizer.merges
    assert loaded.tokens == tokenizer.tokens
    assert loaded.end_of_text == tokenizer.end_of_text == tokenizer.n_vocab - 1
    assert loaded.encode(text) == tokenizer.encode(text)


def test_a_small_text_gives_fewer_tokens():
    assert train_bpe("abc", 1000).n_vocab == 257
    assert train_bpe("", 1000).n_vocab == 257
    assert 257 < train_bpe("abab abab", 1000).n_vocab < 265


def test_progress_is_told():
    seen = []
    train_bpe("abab abab abab", 260, lambda done, total: seen.append((done, total)))
    assert seen == [(258, 260), (259, 260), (260, 260)]


@pytest.mark.parametrize("size", [256, 0, -1])
def test_too_small_a_vocabulary(size):
    with pytest.raises(InputError, match="257"):
        train_bpe("abc", size)


def test_merges_of_a_play_equal_hugging_faces(shared):
    tokenizers = pytest.importorskip("tokenizers")
    text = (shared / "data/tinyshakespeare.txt").read_text("utf-8")[:300_000]
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=767, initial_alphabet=alphabet, show_progress=False)
    theirs.train_from_iterator([text], trainer)
    ours = train_bpe(text, 768)
    expected = json.loads(theirs.to_str())["model"]["merges"]
    assert [[to_symbols(ours.tokens[part]) for part in pair] for pair in ours.merges] == expected
