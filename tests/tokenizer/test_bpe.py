"""GPT-2's ids: the published ones, Hugging Face's, those of the plain definition for any text."""

import json
from itertools import chain, pairwise

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt.errors import InputError
from numgpt.tokenizer import BPETokenizer, load_tokenizer, trainer, words
from numgpt.tokenizer.batch import BatchMerger
from numgpt.tokenizer.characters import MOST, from_characters, to_characters
from numgpt.tokenizer.merging import Merges

SPACES = " \t\n\r\v\f\x1c\x1f\x85\xa0\u1680\u2003\u2028\u202f\u3000\u200b\ufeff"
TRICKY = st.lists(
    st.sampled_from([*SPACES, "  ", " \n", "a", "The", "Alice", "'", "'s", "'ll", "'T", "1", "\xbd", "\u0661", "."])
    | st.sampled_from(
        ["?!", "_", "\xe9", "\u0301", "\u65e5", "\u0e17\u0e22", "\U0001f600", "\u200d", "\x00", "<|endoftext|>"]
    )
).map("".join)
TEXTS = TRICKY | st.text() | st.text(alphabet="ab '\n ", max_size=60)

PATTERN = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def textbook_merge(symbols, merges):
    """The definition: merge the leftmost pair of the lowest rank, until there is none. merges: {pair: (rank, id)}."""
    symbols = list(symbols)
    while found := [(merges[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in merges]:
        (_, merged), i = min(found)
        symbols[i : i + 2] = [merged]
    return symbols


def ranked(merges):
    return {pair: (rank, merged) for rank, (pair, merged) in enumerate(merges.items())}


class Textbook:
    """Cut the whole text by the pattern, merge each piece; a piece that occurs again is looked up."""

    def __init__(self, tokenizer):
        self.byte_ids = [tokenizer.tokens.index(bytes([byte])) for byte in range(256)]
        self.merges = ranked(tokenizer.merges)
        self.known = {}

    def encode(self, text):
        return [i for piece in PATTERN.findall(text) for i in self.ids(piece)]

    def ids(self, piece):
        if piece not in self.known:
            self.known[piece] = textbook_merge([self.byte_ids[byte] for byte in piece.encode()], self.merges)
        return self.known[piece]


def test_ids_of_hugging_face(small, small_folder):
    for case in json.loads((small_folder / "ids.json").read_text("utf-8")):
        assert small.encode(case["text"]) == case["ids"], case["text"]
        assert small.decode(case["ids"]) == case["text"]


def test_ids_of_openai(gpt2, shared):
    cases = json.loads((shared / "oracles" / "gpt2_tokens.json").read_text("utf-8"))
    assert len(cases) == 477
    for case in cases:
        assert gpt2.encode(case["text"]) == case["ids"], case["text"]
        assert gpt2.decode(case["ids"]) == case["text"]


def test_published_cases(gpt2, shared):
    cases = json.loads((shared / "oracles" / "gpt2_tokens_published.json").read_text("utf-8"))
    assert len(cases) == 39
    for case in cases:
        allowed = {"<|endoftext|>"} if case["special_endoftext"] else ()
        expected = case["ids"] if case["matches_openai_encoder"] else case["openai_encoder_ids"]
        assert gpt2.encode(case["text"], allowed_special=allowed) == expected, case["source"]


def test_a_whole_text(gpt2, shared):
    text = (shared / "data" / "tinyshakespeare.txt").read_text("utf-8")[:200_000]
    assert gpt2.encode(text) == Textbook(gpt2).encode(text)


def test_whitespace_is_what_the_pattern_takes_for_it():
    characters = "".join(map(chr, [*range(0x4000), *range(0xE000, 0x20000)]))
    whitespace = regex.findall(r"\s", characters)
    assert whitespace == regex.findall(f"[{trainer.WHITESPACE}]", characters)
    assert not "".join(whitespace).strip(), "words with whitespace at an end are those that strip() changes"
    assert PATTERN.pattern == words.PATTERN


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_equals_the_definition(golden, text):
    tokenizer = load_tokenizer(golden / "tokenizer")
    expected = Textbook(tokenizer).encode(text)
    assert tokenizer.encode(text) == expected
    assert tokenizer.encode(text) == expected, "the second time, from memory"
    assert tokenizer.decode(expected) == text


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXTS, max_size=5))
def test_one_text_after_another(golden, texts):
    """What was remembered of one text serves for the next, whatever was merged side by side, alone or forgotten."""
    tokenizer = load_tokenizer(golden / "tokenizer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "BATCH", range(2, 3))
        patch.setattr(words, "SHORT", 6)
        patch.setattr(words, "MEMORY", 10)
        for text in texts:
            assert tokenizer.encode(text) == Textbook(tokenizer).encode(text)


def test_memory_is_bounded(small_folder, monkeypatch):
    """A full memory is replaced; a thread that still reads the old one finds everything in it."""
    monkeypatch.setattr(words, "MEMORY", 100)
    tokenizer = load_tokenizer(small_folder)
    tokenizer.encode("Alice was late")
    encoder = tokenizer._words
    first = encoder._words
    for text in "word{} and{}", "word{}", "word{}\n a\n ":
        for n in range(1000):
            tokenizer.encode(text.format(n, n))
        assert sum(map(len, chain(encoder._words, encoder._texts))) < 300, text
    assert first is not encoder._words
    assert {"was", "late"} <= first.keys()


@settings(deadline=None)
@given(text=st.text())
def test_decoding_gives_the_text_back(gpt2, text):
    assert gpt2.decode(gpt2.encode(text)) == text


@st.composite
def vocabularies(draw):
    """Merges over four bytes, each of symbols that are there by then, two of which may make the same symbol."""
    tokens = [bytes([byte]) for byte in range(256)]
    symbols = [*b"abcd"]
    merges = {}
    for _ in range(draw(st.integers(0, 12))):
        pair = draw(st.sampled_from(symbols)), draw(st.sampled_from(symbols))
        if pair in merges:
            continue
        token = tokens[pair[0]] + tokens[pair[1]]
        if token not in tokens:
            tokens.append(token)
            symbols.append(tokens.index(token))
        merges[pair] = tokens.index(token)
    return tokens, merges


@settings(max_examples=200, deadline=None)
@given(vocabulary=vocabularies(), texts=st.lists(st.text(alphabet="abcdx", min_size=1, max_size=30), min_size=1))
def test_merging_alone_and_side_by_side(vocabulary, texts):
    tokens, merges = vocabulary
    pieces = [text.encode() for text in texts]
    expected = [tuple(textbook_merge(piece, ranked(merges))) for piece in pieces]
    one = Merges(range(256), merges)
    assert [one.merge(piece) for piece in pieces] == expected
    side_by_side = BatchMerger(one, len(tokens)).merge(pieces)
    assert [tuple(from_characters(ids)) for ids in side_by_side] == expected


def test_merging_nothing_side_by_side(small):
    assert BatchMerger(Merges(range(256), small.merges), small.n_vocab).merge([]) == []


def test_every_id_has_a_character():
    assert from_characters(to_characters(np.arange(MOST))) == list(range(MOST))
    with pytest.raises(InputError, match=f"a vocabulary of {MOST + 1} tokens is too large"):
        words.WordEncoder(range(256), {}, MOST + 1)


def test_colliding_pairs_are_told_apart():
    """Ten thousand merges in the hash table of pairs, and as many pairs that are none."""
    rng = np.random.default_rng(0)
    pairs = list(dict.fromkeys(map(tuple, rng.integers(0, 5000, (20_000, 2)).tolist())))
    rank = {pair: n for n, pair in enumerate(pairs[:10_000])}
    merges = Merges(range(256), dict.fromkeys(rank, 5000))
    found = BatchMerger(merges, 5001)._rank(*np.array(pairs).T)
    assert found.tolist() == [rank.get(pair, 10_000) for pair in pairs]


@pytest.mark.parametrize("unit", ["a", "the", "ab1 ", ", ", ".,", "\n", " ", "\u65e5", "a,"])
def test_long_repetitions(small, unit):
    ids = small.encode(unit * 20_000)
    assert small.decode(ids) == unit * 20_000
    short = Textbook(small).encode(unit * 300)
    assert small.encode(unit * 300) == short


def test_end_of_text(small):
    end = small.end_of_text
    assert small.tokens[end] == b"<|endoftext|>"
    plain = small.encode("a<|endoftext|>b")
    assert end not in plain
    assert small.decode(plain) == "a<|endoftext|>b"
    parted = [*small.encode("a"), end, *small.encode("b")]
    assert small.encode("a<|endoftext|>b", allowed_special={"<|endoftext|>"}) == parted
    assert small.encode("a<|endoftext|>b", allowed_special="all") == parted
    assert small.encode("<|endoftext|>" * 2, allowed_special="all") == [end, end]
    assert small.encode("a <|endoftext|> b", allowed_special="all") == [*small.encode("a "), end, *small.encode(" b")]
    assert small.decode(parted) == "a<|endoftext|>b"


def test_the_longest_special_token_wins(small):
    tokens = [*small.tokens, b"<x>", b"<x><y>"]
    special = {"<x>": small.n_vocab, "<x><y>": small.n_vocab + 1}
    tokenizer = BPETokenizer(tokens, small.merges, special)
    assert tokenizer.encode("<x><y><x>", allowed_special="all") == [special["<x><y>"], special["<x>"]]
    assert tokenizer.end_of_text is None


@pytest.mark.parametrize("allowed", [{"<|pad|>"}, "<|pad|>"])
def test_an_unknown_special_token(small, allowed):
    with pytest.raises(InputError, match=r"'<\|pad\|>' is no special token .* '<\|endoftext\|>'"):
        small.encode("x", allowed_special=allowed)


@pytest.mark.parametrize("text", ["\ud800", "ab\udfffcd", "x" * 100 + "\udc80"])
def test_lone_surrogates(small, text):
    place = next(i for i, character in enumerate(text) if "\ud800" <= character <= "\udfff")
    with pytest.raises(InputError, match=rf"character {place} of the text is a lone surrogate \(U\+D"):
        small.encode(text)


@pytest.mark.parametrize("text", [b"bytes", None, 7, ["a"]])
def test_what_is_no_text(small, text):
    with pytest.raises(InputError, match="a text must be a str, not"):
        small.encode(text)


@pytest.mark.parametrize("ids", [[384], [0, -1], [2**70], [-(2**70)], np.array([3, 500])])
def test_ids_out_of_range(small, ids):
    with pytest.raises(InputError, match=r"token id -?\d+ is out of range: .* 0 to 383"):
        small.decode(ids)


@pytest.mark.parametrize("ids", [[1.0], ["a"], "ab", [None], [[1, 2]], np.array([1.5]), np.zeros((1, 2), int)])
def test_ids_that_are_no_numbers(small, ids):
    with pytest.raises(InputError, match=r"a token id must be a whole number from 0 to 383, not"):
        small.decode(ids)


@pytest.mark.parametrize("ids", [5, None, np.int64(5), np.array(5)])
def test_ids_that_are_no_sequence(small, ids):
    with pytest.raises(InputError, match="must be a sequence"):
        small.decode(ids)


@pytest.mark.parametrize("kind", [list, tuple, np.array, iter, lambda ids: [np.int32(i) for i in ids], np.uint16])
def test_kinds_of_ids(small, kind):
    assert small.decode(kind([33, 34, 35])) == small.decode([33, 34, 35])
    assert small.decode(kind([])) == ""


def test_bytes_that_are_no_utf8(small):
    broken = [i for byte in b"\xf0\x9f\x98a" for i in [small.tokens.index(bytes([byte]))]]
    assert small.decode_bytes(broken) == b"\xf0\x9f\x98a"
    assert small.decode(broken) == "\ufffda"


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 383)))
def test_any_ids_can_be_decoded(golden, ids):
    tokenizer = load_tokenizer(golden / "tokenizer")
    assert tokenizer.decode(ids) == tokenizer.decode_bytes(ids).decode("utf-8", "replace")


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.integers(0, 383)), text=TEXTS)
def test_streaming_gives_the_same_text(golden, ids, text):
    tokenizer = load_tokenizer(golden / "tokenizer")
    for whole in (ids, tokenizer.encode(text), tokenizer.encode(text)[1:-1]):
        stream = tokenizer.stream_decoder()
        assert "".join([*map(stream.push, whole), stream.flush()]) == tokenizer.decode(whole)


def test_streaming_holds_half_characters_back(small):
    ids = [small.tokens.index(bytes([byte])) for byte in "\U0001f600\xe9".encode()]
    stream = small.stream_decoder()
    assert [stream.push(i) for i in ids] == ["", "", "", "\U0001f600", "", "\xe9"]
    assert stream.flush() == ""
    assert [stream.push(ids[0]), stream.flush(), stream.push(ids[4]), stream.push(ids[5])] == ["", "\ufffd", "", "\xe9"]
    with pytest.raises(InputError):
        stream.push(384)
