"""A Transformer on disk: what is written is read, and a GPT's folder is told from it, in both directions."""

import json

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, InputError, Transformer, TransformerConfig, load
from numgpt.checkpoint.weights import WEIGHTS
from numgpt.loading import load_transformer
from numgpt.tokenizer import CharTokenizer
from numgpt.tokenizer.marks import MARKS, train_bpe_with_marks

CONFIG = TransformerConfig(270, 12, 3, 10, 2, norm_first=True, final_norm=True, activation="gelu", dropout=0.25)
TEXT = "the one and the other, " * 9


@pytest.fixture
def folder(tmp_path):
    Transformer(CONFIG, seed=3).save(tmp_path)
    train_bpe_with_marks(TEXT, 270).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("stored", "error"), [("float32", 0.0), ("float64", 0.0), ("float16", 1e-3)])
def test_what_is_saved_is_loaded(folder, stored, error):
    model = Transformer(CONFIG, seed=3)
    model.save(folder, stored)
    for dtype in "float32", "float64":
        found = Transformer.load(folder, dtype)
        assert (found.config, found.dtype) == (CONFIG, dtype)
        assert np.abs(found.values - model.values).max() <= error


def test_the_file_has_the_names_of_pytorch(folder):
    header = (folder / WEIGHTS).read_bytes()
    n = int.from_bytes(header[:8], "little")
    assert set(json.loads(header[8 : 8 + n])) == {"__metadata__", *Transformer(CONFIG).to_pytorch()}


def test_marks_come_first_and_are_no_text(folder):
    _, tokenizer = load_transformer(folder)
    assert tokenizer.special == {mark: i for i, mark in enumerate(MARKS)}
    for text in TEXT, "".join(MARKS), "\u00e9":
        assert min(tokenizer.encode(text)) > 2
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.n_vocab == 270
    with pytest.raises(InputError, match="at least 259 .the 256 bytes and three marks., not 258"):
        train_bpe_with_marks(TEXT, 258)


def test_a_gpt_in_its_place_and_the_reverse(folder, tmp_path):
    with pytest.raises(InputError, match="config.json: a Transformer, which translates and is not a GPT: .numgpt "):
        load(folder)
    GPT(GPTConfig(50, 8, 8, 2, 1)).save(tmp_path / "gpt")
    with pytest.raises(InputError, match="gpt holds a GPT, which does not translate: .numgpt generate --model"):
        Transformer.load(tmp_path / "gpt")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"vocab": None}, "config.json: vocab must be a whole number"),
        ({"heads": 5}, "config.json: d_model .12. must be divisible by heads .5."),
        ({"layers": 10**7}, "has 6,402 numbers, but config.json makes a model of"),
        ({"model_type": "bert"}, "config.json: model_type is 'bert', but should be"),
        ({"d_ff": 10, "vocab": 270, "final_norm": False}, "has 6,402 numbers"),
        ({"norm_first": "yes"}, "config.json: norm_first must be True or False"),
    ],
)
def test_configurations_that_do_not_fit(folder, changed, message):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    n = f"{CONFIG.n_parameters:,}"
    with pytest.raises(InputError, match=message.replace("6,402", n)):
        Transformer.load(folder)


def test_folders_that_hold_no_translator(folder, tmp_path):
    (folder / "config.json").write_text('{"model_type": "numgpt-transformer"}')
    with pytest.raises(InputError, match="config.json: vocab is missing"):
        Transformer.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match="config.json is missing beside model.safetensors"):
        Transformer.load(folder)
    with pytest.raises(InputError, match="nothing does not exist"):
        Transformer.load(tmp_path / "nothing")
    with pytest.raises(InputError, match="'nothing' is not a folder: give a folder that `numgpt train --task tran"):
        load_transformer("nothing")


def test_a_tokenizer_without_marks(tmp_path):
    Transformer(CONFIG).save(tmp_path)
    with pytest.raises(InputError, match="has no vocabulary files"):
        load_transformer(tmp_path)
    CharTokenizer.from_text("abcdef").save(tmp_path)
    with pytest.raises(InputError, match="the tokenizer's ids 0, 1 and 2 must be padding, begin and end marks"):
        load_transformer(tmp_path)


def test_weights_under_other_names(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes().replace(b'"table"', b'"tablo"'))
    with pytest.raises(InputError, match="model.safetensors"):
        Transformer.load(folder)
