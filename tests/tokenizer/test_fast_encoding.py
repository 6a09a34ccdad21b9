"""The fast form against the plain one: the same ids for any text, whatever was encoded before."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt.errors import InputError
from numgpt.kernels import use_kernels
from numgpt.tokenizer import BPETokenizer, bpe, fast, fast_merging, fast_pieces, load_tokenizer
from numgpt.tokenizer.fast_merging import MOST_IDS, Merger, from_characters, merge_side_by_side, to_characters
from numgpt.tokenizer.pair_ranks import PairRanks, parts_come_first

WHITESPACE = " \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u2003\u2028\u202f\u3000\u200b\ufeff"
TRICKY = st.lists(
    st.sampled_from([*WHITESPACE, "  ", " \n", "a", "The", "Alice", "'", "'s", "'ll", "'T", "1", "\xbd", "\u0661", "."])
    | st.sampled_from(
        ["?!", "_", "\xe9", "\u0301", "\u65e5", "\u0e17\u0e22", "\U0001f600", "\u200d", "\x00", "<|endoftext|>"]
    )
).map("".join)
LONG = st.builds(
    lambda unit, n, end: unit * n + end,
    st.text(alphabet="the an\n.1\u65e5\U0001f600", min_size=1, max_size=4),
    st.integers(10, 100),
    st.text(max_size=3),
)
TEXTS = TRICKY | LONG | st.text() | st.text(alphabet="ab '\n ", max_size=60)


def algorithm(tokenizer):
    """What bpe.py's functions need of a tokenizer: byte_ids, rank, made."""
    byte_ids = [tokenizer.tokens.index(bytes([byte])) for byte in range(256)]
    return byte_ids, {pair: n for n, pair in enumerate(tokenizer.merges)}, list(tokenizer.merges.values())


def plain_ids(tokenizer, text):
    return bpe.encode(text, *algorithm(tokenizer))


def fast_ids(tokenizer, text):
    """The ids of a long text and of a short one: two ways, which must not differ."""
    ids = tokenizer._fast.encode(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "SHORT", 0)
        assert tokenizer._fast.encode(text) == ids
    return ids


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_equals_the_plain_form(golden, text):
    tokenizer = load_tokenizer(golden / "tokenizer")
    expected = plain_ids(tokenizer, text)
    assert fast_ids(tokenizer, text) == expected
    assert fast_ids(tokenizer, text) == expected, "the second time, from memory"
    assert tokenizer.decode(expected) == text


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_equals_the_plain_form_with_special_tokens(golden, text):
    tokenizer = load_tokenizer(golden / "tokenizer")
    with use_kernels("plain"):
        expected = tokenizer.encode(text, allowed_special="all")
    with use_kernels("fast"):
        assert tokenizer.encode(text, allowed_special="all") == expected
    assert expected.count(tokenizer.end_of_text) == text.count("<|endoftext|>")


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_equals_the_plain_form_with_the_vocabulary_of_gpt2(gpt2, text):
    assert fast_ids(gpt2, text) == plain_ids(gpt2, text)


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXTS, max_size=5))
def test_one_text_after_another(golden, texts):
    """What was remembered of one text serves for the next, whatever was merged side by side, alone or forgotten."""
    tokenizer = load_tokenizer(golden / "tokenizer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_merging, "SMALLEST_BATCH", 2)
        patch.setattr(fast_merging, "LARGEST_BATCH", 3)
        patch.setattr(fast_merging, "LONGEST_IN_BATCH", 6)
        patch.setattr(fast_merging, "LONG", 10)
        patch.setattr(fast_pieces, "BLOCK", 5)
        patch.setattr(fast, "MEMORY_SIZE", 10)
        for text in texts:
            assert fast_ids(tokenizer, text) == plain_ids(tokenizer, text)


def test_a_whole_text(gpt2, shared):
    text = (shared / "data" / "tinyshakespeare.txt").read_text("utf-8")[:200_000]
    assert fast_ids(gpt2, text) == plain_ids(gpt2, text)


def test_memory_is_bounded(small_folder, monkeypatch):
    """A full memory is replaced; a thread that still reads the old one finds everything in it."""
    monkeypatch.setattr(fast, "MEMORY_SIZE", 100)
    tokenizer = load_tokenizer(small_folder)
    encoder = tokenizer._fast
    encoder.encode("Alice was late")
    first = encoder._known
    for text in "word{} and{}", "word{}", "word{}\n a\n ":
        for n in range(1000):
            encoder.encode(text.format(n, n))
            assert sum(map(len, encoder._known)) < 150, text
    assert first is not encoder._known
    assert {b"Alice", b" was", b" late"} <= first.keys()


def random_vocabulary(rng, alphabet, n_merges, one_merge_a_token=False):
    """Merges over a few bytes, each of symbols that are there by then.

    Two may make the same token, even with one between them that joins this token to another.
    """
    tokens = [bytes([byte]) for byte in range(256)]
    symbols = [*alphabet]
    merges = {}
    for _ in range(n_merges):
        pair = rng.choice(symbols), rng.choice(symbols)
        token = tokens[pair[0]] + tokens[pair[1]]
        if pair in merges or one_merge_a_token and token in tokens:
            continue
        if token not in tokens:
            tokens.append(token)
            symbols.append(tokens.index(token))
        merges[pair] = tokens.index(token)
    return BPETokenizer(tokens, merges)


def random_text(rng, alphabet, longest):
    return "".join(rng.choices(alphabet, k=rng.randint(1, longest)))


SEEDS = st.integers(0, 2**32).map(random.Random)  # examples of hypothesis's own are small, and show little here


@settings(max_examples=100, deadline=None)
@given(rng=SEEDS)
def test_pieces_are_not_merged_with_each_other(rng):
    """Here the merges would reach over the edge of a piece, which those that were learnt cannot do."""
    tokenizer = random_vocabulary(rng, b"a1. '\n", 60)
    for _ in range(20):
        text = random_text(rng, "aas11.  '\n", 20)
        assert fast_ids(tokenizer, text) == plain_ids(tokenizer, text)


@settings(max_examples=100, deadline=None)
@given(rng=SEEDS)
def test_merging_alone_and_side_by_side(rng):
    tokenizer = random_vocabulary(rng, b"abcd", rng.randint(0, 30))
    pieces = list({random_text(rng, "abcdx", 30).encode() for _ in range(20)})
    byte_ids, rank, made = algorithm(tokenizer)
    expected = [bpe.merge(piece, rank, made) for piece in pieces]
    merger = Merger(byte_ids, rank, made, tokenizer.n_vocab)
    assert [ids_of(merger.merge_alone(piece)) for piece in pieces] == expected
    side_by_side = merge_side_by_side(pieces, *merger._arrays)
    assert [ids_of(side_by_side[piece]) for piece in pieces] == expected


@settings(max_examples=100, deadline=None)
@given(rng=SEEDS)
def test_merging_a_long_piece(rng):
    """All equal pairs at once, but only with a vocabulary where that is the same."""
    tokenizer = random_vocabulary(rng, b"abcd", rng.randint(0, 30), one_merge_a_token=rng.random() < 0.9)
    byte_ids, rank, made = algorithm(tokenizer)
    merger = Merger(byte_ids, rank, made, tokenizer.n_vocab)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_merging, "LONG", 1)
        for _ in range(20):
            piece = random_text(rng, "aaabcdx", 60).encode()
            assert ids_of(merger.merge_one(piece)) == bpe.merge(piece, rank, made)
            if merger._parts_come_first:
                assert ids_of(merger.merge_long(piece)) == bpe.merge(piece, rank, made)


def ids_of(characters):
    return from_characters(characters).tolist()


def merge_all_at_once(ids, rank, made):
    """As OpenAI's encoder.py does: every occurrence of the pair that was learnt first, then of the next."""
    while found := [rank[pair] for pair in pairwise(ids) if pair in rank]:
        first = min(found)
        ids = replace(ids, list(rank)[first], made[first])
    return [*ids]


def replace(ids, pair, new):
    """`ids` with `new` wherever the pair stands, from left to right."""
    replaced, place = [], 0
    while place < len(ids):
        found = tuple(ids[place : place + 2]) == pair
        replaced.append(new if found else ids[place])
        place += 2 if found else 1
    return replaced


@settings(max_examples=100, deadline=None)
@given(rng=SEEDS)
def test_one_by_one_is_all_at_once(rng):
    _, rank, made = algorithm(random_vocabulary(rng, b"abcd", rng.randint(0, 30), one_merge_a_token=True))
    for _ in range(20):
        piece = random_text(rng, "abcdx", 30).encode()
        assert bpe.merge(piece, rank, made) == merge_all_at_once(piece, rank, made)


def test_one_by_one_is_not_all_at_once_where_a_token_has_two_merges(monkeypatch):
    """ab + c and, learnt after abc + a, a + bc."""
    a, b, c, ab, bc, abc, abca = *b"abc", 256, 257, 258, 259
    rank = {(b, c): 0, (a, b): 1, (ab, c): 2, (abc, a): 3, (a, bc): 4}
    made = [bc, ab, abc, abca, abc]
    assert bpe.merge(b"abcabc", rank, made) == [abca, bc]
    assert merge_all_at_once(b"abcabc", rank, made) == [abc, abc]
    monkeypatch.setattr(fast_merging, "LONG", 1)
    assert ids_of(Merger(range(256), rank, made, 260).merge_one(b"abcabc")) == [abca, bc]


def test_parts_that_come_first(gpt2):
    _, rank, made = algorithm(gpt2)
    assert parts_come_first(rank, made)
    assert parts_come_first({(1, 2): 0, (0, 3): 1}, [3, 4])
    assert not parts_come_first({(0, 3): 0, (1, 2): 1}, [4, 3])
    assert not parts_come_first({(3, 0): 0, (1, 2): 1}, [4, 3])


def test_every_id_has_a_character():
    assert ids_of(to_characters(np.arange(MOST_IDS))) == list(range(MOST_IDS))
    with pytest.raises(InputError, match=f"a vocabulary of {MOST_IDS + 1} tokens is too large"):
        fast.FastEncoder(range(256), {}, [], MOST_IDS + 1, bpe.find_pieces)


def test_colliding_pairs_are_told_apart():
    """Ten thousand merges in the hash table of pairs, and as many pairs that are none."""
    rng = np.random.default_rng(0)
    pairs = list(dict.fromkeys(map(tuple, rng.integers(0, 5000, (20_000, 2)).tolist())))
    rank = {pair: n for n, pair in enumerate(pairs[:10_000])}
    found = PairRanks(rank, 5001)(*np.array(pairs).T)
    assert found.tolist() == [rank.get(pair, 10_000) for pair in pairs]


@pytest.mark.parametrize("unit", ["a", "the", "ab1 ", ", ", ".,", "\n", " ", "\u65e5", "a,"])
def test_long_repetitions(small, unit):
    assert small.decode(fast_ids(small, unit * 20_000)) == unit * 20_000
    assert fast_ids(small, unit * 300) == plain_ids(small, unit * 300)
