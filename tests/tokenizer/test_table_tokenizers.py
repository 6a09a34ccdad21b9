"""Characters and words as tokens."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numgpt import InputError
from numgpt.tokenizer import CharTokenizer, WordTokenizer, load_tokenizer

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
BOTH = pytest.mark.parametrize("kind", [CharTokenizer, WordTokenizer])


@BOTH
@given(text=texts)
def test_a_text_comes_back(kind, text):
    tokenizer = kind.from_text(text)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()
    decoder = tokenizer.stream_decoder()
    assert "".join(map(decoder.push, ids)) + decoder.flush() == text
    assert max(ids) < tokenizer.n_vocab


@BOTH
def test_saved_and_loaded(kind, tmp_path):
    text = "Café 😀\n\n naïve, 日本"
    kind.from_text(text).save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert type(loaded) is kind
    assert loaded.strings == kind.from_text(text).strings
    assert loaded.decode(loaded.encode(text)) == text


def test_examples_of_the_docstrings():
    assert CharTokenizer.from_text("hello").encode("hole") == [1, 3, 2, 0]
    words = WordTokenizer.from_text("to be, or not to be")
    assert words.decode(words.encode("to see, or not")) == "to <unk>, or not"


def test_an_unknown_character_is_named_with_its_place():
    with pytest.raises(InputError, match="line 2, column 3: the character 'x'"):
        CharTokenizer.from_text("abc\n").encode("abc\nabx")


@BOTH
def test_what_cannot_be_a_text_or_an_id(kind):
    tokenizer = kind.from_text("ab")
    for text in (b"ab", None, "\ud800"):
        with pytest.raises(InputError):
            tokenizer.encode(text)
        with pytest.raises(InputError):
            kind.from_text(text)
    for ids in ([-1], [tokenizer.n_vocab], [0.5], ["a"]):
        with pytest.raises(InputError):
            tokenizer.decode(ids)


@BOTH
@pytest.mark.parametrize(
    "content",
    [
        '{"<unk>": 0, "\\ud800": 1}',
        '{"<unk>": 0, "a b": 1}',
        "",
        "[]",
        '{"a": 1}',
        '{"a": 0, "b": 0}',
        '{"a": "x"}',
        "{",
    ],
)
def test_damaged_files(kind, content, tmp_path):
    (tmp_path / kind.FILE).write_text(content)
    with pytest.raises(InputError, match=kind.FILE):
        load_tokenizer(tmp_path)


def test_words_without_the_unknown_one(tmp_path):
    (tmp_path / "words.json").write_text('{"a": 0}')
    with pytest.raises(InputError, match="<unk>"):
        load_tokenizer(tmp_path)


def test_files_hold_characters_as_they_are(tmp_path):
    CharTokenizer.from_text("é\n").save(tmp_path)
    assert json.loads((tmp_path / "chars.json").read_text("utf-8")) == {"\n": 0, "é": 1}
