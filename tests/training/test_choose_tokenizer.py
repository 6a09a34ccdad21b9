"""Which tokenizer a run gets, and of which part of the text it is made."""

import json

import pytest

from numgpt import GPT, GPTConfig, load
from numgpt.errors import InputError
from numgpt.tokenizer import CharTokenizer
from numgpt.training import session
from numgpt.training.loop import train
from numgpt.training.source import read_source
from numgpt.training.tokenizers import choose_tokenizer


@pytest.fixture
def source(tmp_path):
    """A text whose last tenth has a character, a word and a frequent pair that the rest has not."""
    path = tmp_path / "source.txt"
    path.write_text("one two three; " * 54 + "Zebra " * 15, "utf-8")
    return read_source(path)


def test_characters_and_words_of_the_whole_text(source, settings):
    first, last = (documents[0].text for documents in source.split(0.1))
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


@pytest.fixture
def start(begin, tmp_path):
    """A folder with a model whose tokenizer.json adds PersonA, a token without brackets, to the 256 bytes."""
    from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE

    folder = tmp_path / "start"
    GPT(GPTConfig(n_vocab=300, n_ctx=8, n_embd=8, n_head=2, n_layer=1)).save(folder)
    content = {
        "added_tokens": [{"id": 256, "content": "PersonA"}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "model": {"type": "BPE", "merges": [], "vocab": {s: i for i, s in enumerate(SYMBOL_OF_BYTE.values())}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    return folder


def test_a_run_begins_only_with_a_tokenizer_that_can_be_read_back(begin, quiet, start, tmp_path):
    """Whatever added tokens a folder has: the run is refused before it begins, or can be read, resumed and tuned."""
    try:
        begun = begin(init=str(start), max_steps=1)
    except InputError:
        assert not (tmp_path / "run").exists()
        return
    assert train(begun, quiet)
    for tokenizer in load(begun.run)[1], session.resume(begun.run, {}).tokenizer:
        assert [tokenizer.decode_bytes([i]) for i in range(257)] == [
            begun.tokenizer.decode_bytes([i]) for i in range(257)
        ]


@pytest.mark.parametrize("broken", ["nothing", "fewer", "other"])
def test_a_tokenizer_that_saves_something_else(begin, tmp_path, monkeypatch, broken):
    def save(self, folder):
        tokens = {"fewer": self.strings[:-1], "other": [*self.strings[:-1], "\u1234"]}
        if broken in tokens:
            whole(CharTokenizer(tokens[broken]), folder)

    whole = CharTokenizer.save
    monkeypatch.setattr(CharTokenizer, "save", save)
    with pytest.raises(InputError, match="the tokenizer cannot be saved with the run"):
        begin(tokenizer="char")
    assert not (tmp_path / "run").exists()
