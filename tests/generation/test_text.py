"""Streaming text: whole characters, stop strings that are split over tokens, the end of the text."""

import codecs
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numgpt
from numgpt import InputError
from numgpt.generation.text import Continuation, encode_prompt, overlap

slow_machine = settings(deadline=None)


class ByteTokenizer:
    """One id a byte: every character beyond ASCII is split over tokens."""

    end_of_text = None

    def encode(self, string):
        return list(string.encode("utf-8"))

    def decode(self, ids):
        return bytes(ids).decode("utf-8", "replace")

    def stream_decoder(self):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return SimpleNamespace(push=lambda i: decoder.decode(bytes([i])), flush=lambda: decoder.decode(b"", True))


class PieceTokenizer:
    """An id stands for any piece of text that it is given."""

    def __init__(self, pieces):
        self.pieces = pieces

    def stream_decoder(self):
        return SimpleNamespace(push=self.pieces.__getitem__, flush=lambda: "")


def pieces_of(tokenizer, ids, **settings):
    """Push ids until the text ends; return its pieces and the reason."""
    text, pieces = Continuation(tokenizer, **settings), []
    for token in ids:
        pieces.append(text.push(token, 0.0))
        assert text.text == "".join(pieces)
        if text.stop_reason is not None:
            return pieces, text.stop_reason
    return [*pieces, text.finish()], text.stop_reason


@slow_machine
@given(st.text())
def test_valid_text_comes_whole_and_never_half_a_character(string):
    tokenizer = ByteTokenizer()
    pieces, _ = pieces_of(tokenizer, tokenizer.encode(string), stop=("never comes",))
    assert "".join(pieces) == string
    assert ("\ufffd" in "".join(pieces)) == ("\ufffd" in string)


def test_a_character_comes_with_its_last_byte():
    assert pieces_of(ByteTokenizer(), "é日😀".encode())[0] == ["", "é", "", "", "日", "", "", "", "😀", ""]


def test_an_incomplete_character_at_the_end_is_a_replacement_as_in_decode():
    ids = list("a日".encode())[:-1]
    assert "".join(pieces_of(ByteTokenizer(), ids)[0]) == ByteTokenizer().decode(ids) == "a\ufffd"


def cut_at_stop(string, stops):
    """The definition: read character by character; when the text ends in a stop string, it ends before that."""
    for end in range(1, len(string) + 1):
        for stop in sorted(stops, key=len, reverse=True):
            if string[:end].endswith(stop):
                return string[: end - len(stop)], "stop_string"
    return string, "max_new_tokens"


splits = st.lists(st.text("ab", max_size=4), max_size=12)
stop_strings = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=3)


@slow_machine
@given(splits, stop_strings)
def test_the_text_ends_before_the_stop_string_however_it_is_split_over_tokens(parts, stops):
    # a token completes several stop strings at once: which one counts must not depend on the split
    pieces, reason = pieces_of(PieceTokenizer(parts), range(len(parts)), stop=stops)
    shown = ""
    for n, piece in enumerate(pieces, 1):
        shown += piece
        assert "".join(parts[:n]).startswith(shown)
    expected, why = cut_at_stop("".join(parts), stops)
    assert (shown, reason) == (expected, why)


@slow_machine
@given(splits, stop_strings)
def test_no_more_is_held_back_than_could_begin_a_stop_string(parts, stops):
    text, shown = Continuation(PieceTokenizer(parts), stops), ""
    for n in range(len(parts)):
        shown += text.push(n, 0.0)
        if text.stop_reason is not None:
            return
        so_far = "".join(parts[: n + 1])
        assert any(stop.startswith(so_far[len(shown) :]) for stop in stops)


@pytest.mark.parametrize("parts", [["abcd"], ["ab", "cd"], ["abc", "d"], ["a", "b", "c", "d"]])
def test_of_two_stop_strings_the_one_that_is_complete_first_counts(parts):
    pieces, _ = pieces_of(PieceTokenizer(parts), range(len(parts)), stop=("abcd", "bc"))
    assert "".join(pieces) == "a"


def test_overlap():
    assert overlap("say aba", "abac") == 3
    assert overlap("abac", "abac") == 0
    assert overlap("", "a") == 0


def test_the_end_of_text_token_ends_the_text_and_shows_what_was_held_back():
    pieces = ["Once", " up", "<|endoftext|>", "more"]
    assert pieces_of(PieceTokenizer(pieces), range(4), stop=("upon",), ends=(2,)) == (
        ["Once", " ", "up"],
        "end_of_text",
    )


def test_without_it_the_end_of_text_is_text_like_any_other():
    pieces = ["a", "<|endoftext|>", "b"]
    assert pieces_of(PieceTokenizer(pieces), range(3))[0] == [*pieces, ""]


@pytest.mark.parametrize("stop", ["", [""], ["a", ""], [None], [3]])
def test_a_stop_string_has_at_least_one_character(stop):
    with pytest.raises(InputError, match="stop string"):
        Continuation(ByteTokenizer(), stop)


def test_one_stop_string_is_not_taken_for_its_letters():
    assert Continuation(ByteTokenizer(), "end").stop == ("end",)


@pytest.mark.parametrize(("last", "ends"), [("<|endoftext|>", (7, 1)), ("stop", ())])
def test_what_comes_after_the_end_is_not_taken_in(last, ends):
    text = Continuation(PieceTokenizer(["a", last, "more"]), "stop", ends)
    assert [text.push(token, -token) for token in range(3)] == ["a", "", ""]
    assert (text.finish(), text.text, text.ids, text.logprobs) == ("", "a", [0, 1], [0, -1])


def test_streamed_text_is_the_text_of_the_generated_ids():
    tokenizer = ByteTokenizer()
    model = numgpt.GPT(numgpt.GPTConfig(n_vocab=256, n_ctx=16, n_embd=8, n_head=2, n_layer=1), seed=1)
    model.values *= 12
    ids = encode_prompt(tokenizer, "Hé")
    new = numgpt.generate(model, [ids], 50, seed=3, top_k=20)[0, 3:].tolist()
    pieces, reason = pieces_of(tokenizer, numgpt.stream(model, ids, 50, seed=3, top_k=20))
    assert ("".join(pieces), reason) == (tokenizer.decode(new), "max_new_tokens")


def test_an_empty_prompt_is_refused():
    with pytest.raises(InputError, match="the prompt is empty"):
        encode_prompt(ByteTokenizer(), "")
