"""Which tokenizer a run gets, and of which part of the text it is made."""

import pytest

from numgpt import load
from numgpt.errors import InputError
from numgpt.training import session
from numgpt.training.data import read_source
from numgpt.training.loop import train
from numgpt.training.tokenizers import choose_tokenizer


@pytest.fixture
def source(tmp_path):
    """A text whose last tenth has a character, a word and a frequent pair that the rest has not."""
    path = tmp_path / "source.txt"
    path.write_text("one two three; " * 54 + "Zebra " * 15, "utf-8")
    return read_source(path)


def test_characters_and_words_of_the_whole_text(source, settings):
    first, last = source.split(0.1)
    assert "Z" not in first
    for kind in "char", "word":
        tokenizer = choose_tokenizer(source, settings(tokenizer=kind))
        assert tokenizer.decode(tokenizer.encode(last)) == last


def test_merges_of_the_first_part_only(source, settings):
    calls = []
    tokenizer = choose_tokenizer(source, settings(tokenizer="bpe", vocab_size=275), lambda *done: calls.append(done))
    assert b" three" in tokenizer.tokens
    assert not any(b"Ze" in token for token in tokenizer.tokens)
    assert calls[-1][1] == 275
    assert len(choose_tokenizer(source, settings(tokenizer="bpe", vocab_size=260)).tokens) == 260


def test_a_folder(source, settings):
    assert choose_tokenizer(source, settings()).n_vocab == 256


def test_names_and_folders_without_one(source, settings, golden):
    with pytest.raises(InputError, match="'runes' is not a folder, and there is no published model"):
        choose_tokenizer(source, settings(tokenizer="runes"))
    with pytest.raises(InputError, match="has no vocabulary files"):
        choose_tokenizer(source, settings(tokenizer=str(golden / "tiny-gpt2" / "hf")))


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_it_is_saved_and_resumed(begin, quiet, stop_after, text_file, kind):
    begun = begin(tokenizer=kind, vocab_size=280)
    train(begun, quiet, stop_after(1))
    text = text_file.read_text()
    assert begun.trainer.model.config.n_vocab == begun.tokenizer.n_vocab
    for tokenizer in load(begun.run)[1], session.resume(begun.run, {}).tokenizer:
        assert type(tokenizer) is type(begun.tokenizer)
        assert tokenizer.encode(text) == begun.tokenizer.encode(text)
