"""GPT-2's tokenizer: the ids that others published, by the plain algorithm and by the fast one, and what is refused."""

import doctest
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt.errors import InputError
from numgpt.kernels import use_kernels
from numgpt.tokenizer import BPETokenizer, bpe, load_tokenizer, trainer
from numgpt.tokenizer.added import AddedToken


@pytest.fixture(params=["plain", "fast"])
def form(request):
    """Both forms of the algorithm, one after the other."""
    with use_kernels(request.param):
        yield


@pytest.mark.parametrize("function", [bpe.find_pieces, bpe.merge, bpe.encode, trainer.train_bpe])
def test_examples_of_the_docstrings(function):
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    (example,) = finder.find(function, globs=vars(bpe) | vars(trainer))
    assert example.examples
    assert not runner.run(example).failed


@pytest.mark.parametrize(
    "pieces",
    [
        ["It", "'s", " Ann", "'d", " '", "t", " I", "'ll", " don", "'t", " they", "'re", " we", "'ve", " I", "'m"],
        ["I", "'", "LL", " x", "'", "S", "'s", "'s"],
        ["a", "1", "b", " 23", " \xbd\u0661", " ?!...", " <|", "endoftext", "|>"],
        ["\u65e5\u672c", " \u0e17", "\u0e31", "\u0e22", " e", "\u0301", " \U0001f600\x00"],
        [" ", " a", "   ", "\n", "b", "\n", "\n", "c", " \t", "\t", "d", "\xa0", "\xa0", "e", "  ", " f", " \n "],
    ],
)
def test_pieces(pieces):
    assert bpe.find_pieces("".join(pieces)) == pieces


def test_example_of_the_class(gpt2):
    assert gpt2.encode("Hello world") == [15496, 995]
    assert gpt2.decode([15496, 995]) == "Hello world"


def test_the_form_is_asked_for_at_every_call(small, monkeypatch):
    """A tokenizer that exists already takes the plain form too, and goes back."""
    monkeypatch.setattr(bpe, "encode", lambda text, *_: ["plain", text])
    monkeypatch.setattr(small, "_fast", SimpleNamespace(encode=lambda text: ["fast", text]))
    for name in "fast", "plain", "fast":
        with use_kernels(name):
            assert small.encode("a") == [name, "a"]
            assert small.encode("a<|endoftext|>", allowed_special="all")[:2] == [name, "a"]


def test_ids_of_hugging_face(small, small_folder, form):
    for case in json.loads((small_folder / "ids.json").read_text("utf-8")):
        assert small.encode(case["text"]) == case["ids"], case["text"]
        assert small.decode(case["ids"]) == case["text"]


def test_ids_of_openai(gpt2, shared, form):
    cases = json.loads((shared / "oracles" / "gpt2_tokens.json").read_text("utf-8"))
    assert len(cases) == 477
    for case in cases:
        assert gpt2.encode(case["text"]) == case["ids"], case["text"]
        assert gpt2.decode(case["ids"]) == case["text"]


def test_published_cases(gpt2, shared, form):
    cases = json.loads((shared / "oracles" / "gpt2_tokens_published.json").read_text("utf-8"))
    assert len(cases) == 39
    for case in cases:
        allowed = {"<|endoftext|>"} if case["special_endoftext"] else ()
        expected = case["ids"] if case["matches_openai_encoder"] else case["openai_encoder_ids"]
        assert gpt2.encode(case["text"], allowed_special=allowed) == expected, case["source"]


@settings(deadline=None)
@given(text=st.text())
def test_decoding_gives_the_text_back(gpt2, text):
    assert gpt2.decode(gpt2.encode(text)) == text


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
    with pytest.raises(InputError, match=r"'<\|pad\|>' is not a special token .* '<\|endoftext\|>'"):
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


def test_a_special_token_of_one_byte_does_not_stand_for_the_byte():
    tokenizer = BPETokenizer([*(bytes([byte]) for byte in range(256)), b"A"], {}, {"A": 256})
    assert tokenizer.encode("A") == [65]
    assert tokenizer.encode("A", "all") == [256]


BYTES = [bytes([i]) for i in range(256)]


@pytest.mark.parametrize(
    ("tokens", "merges", "special", "message"),
    [
        (tuple(BYTES), {}, None, "tokens must be a list of the bytes of every id"),
        ([*BYTES, "ab"], {}, None, "tokens must be a list of the bytes of every id"),
        ([*BYTES, b"ab"], [(97, 98)], None, "merges must be a dict"),
        ([*BYTES, b"ab"], {97: 256}, None, "merges must be a dict"),
        ([*BYTES, b"ab"], {(97, 98, 99): 256}, None, "merges must be a dict"),
        ([*BYTES, b"ab"], {(97, 98): 257}, None, "token id 257 is out of range"),
        ([*BYTES, b"ab"], {(97, 300): 256}, None, "token id 300 is out of range"),
        ([*BYTES, b"<s>"], {}, ["<s>"], "special must be a dict"),
        ([*BYTES, b"<s>"], {}, {5: 256}, "special must be a dict"),
        ([*BYTES, b"<s>"], {}, {"<s>": 257}, "token id 257 is out of range"),
        (BYTES[1:], {}, None, "the byte 0 is not among the tokens"),
    ],
)
def test_what_cannot_be_a_vocabulary(tokens, merges, special, message):
    with pytest.raises(InputError, match=message):
        BPETokenizer(tokens, merges, special)


def test_a_vocabulary_without_its_added_tokens():
    added = [AddedToken("<s>"), AddedToken("<t>", lstrip=True)]
    tokenizer = BPETokenizer([*BYTES, b"<s>", b"<t>"], {}, {"<s>": 256, "<t>": 257}, added)
    first = tokenizer.without_added(257)
    assert first.n_vocab == 257
    assert list(first.added) == ["<s>"]
    assert first.encode("<s><t>", allowed_special="all") == [256, *b"<t>"]


@pytest.mark.parametrize("allowed", [5, [["<s>"]], None])
def test_special_tokens_that_cannot_be_allowed(allowed):
    tokenizer = BPETokenizer([*BYTES, b"<s>"], {}, {"<s>": 256})
    with pytest.raises(InputError, match="allowed_special must be 'all' or a set of texts, not"):
        tokenizer.encode("a", allowed_special=allowed)
