"""From a name or a folder to a model and its tokenizer."""

import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from numgpt.checkpoint import hub
from numgpt.errors import InputError
from numgpt.loading import load


@pytest.fixture(params=["hf", "tf"])
def folder(golden, request):
    return golden / "tiny-gpt2" / request.param


@pytest.fixture
def expected(golden):
    return np.load(golden / "tiny-gpt2" / "expected.npz")


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A machine without downloads, which must not make one."""
    monkeypatch.setenv("NUMGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "download", lambda *_: pytest.fail("downloads"))


def test_a_folder(folder, expected):
    model, tokenizer = load(folder, dtype="float64")
    assert tokenizer is None
    np.testing.assert_allclose(model.forward(expected["ids"]), expected["logits"], rtol=0, atol=1e-12)
    assert abs(model.loss(expected["ids"], expected["targets"]) - expected["loss"]) < 1e-13
    model.backward()
    for name, _, grad in model.named_parameters():
        np.testing.assert_allclose(grad, expected[f"grad/{name}"], rtol=0, atol=1e-13)


def test_float32(folder, expected):
    model, _ = load(str(folder))
    logits = model.forward(expected["ids"])
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected["logits"], rtol=0, atol=1e-4)


def test_a_trained_model(shared):
    """Logits of both formats against those that transformers computed."""
    expected = np.load(shared / "oracles" / "mini-gpt2" / "expected.npz")
    for kind in "hf", "tf":
        model, tokenizer = load(shared / "oracles" / "mini-gpt2" / kind)
        assert tokenizer.n_vocab == model.config.n_vocab == 50257
        logits = model.forward(expected["logits_ids"])
        np.testing.assert_allclose(logits, expected["logits"].reshape(logits.shape), rtol=0, atol=1e-4)


def test_a_name_that_is_on_the_machine(golden, monkeypatch, expected):
    monkeypatch.setattr(hub, "find", {"124M": golden / "tiny-gpt2" / "hf"}.get)
    for name in "124M", "117M", "gpt2":
        model, _ = load(name, offline=True)
        assert model.config.n_vocab == 96


def test_a_name_that_is_not_on_the_machine(golden, empty_home, monkeypatch):
    with pytest.raises(InputError, match="355M is not on this machine.*numgpt download 355M"):
        load("gpt2-medium", offline=True)
    asked = []
    monkeypatch.setattr(hub, "download", lambda name: asked.append(name) or golden / "tiny-gpt2" / "hf")
    load("gpt2-medium")
    assert asked == ["355M"]


def test_a_folder_comes_before_a_name(golden, tmp_path, empty_home, monkeypatch):
    shutil.copytree(golden / "tiny-gpt2" / "hf", tmp_path / "gpt2")
    monkeypatch.chdir(tmp_path)
    assert load("gpt2")[0].config.n_vocab == 96


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gpt3", "'gpt3' is not a folder, and there is no published model 'gpt3'.*124M"),
        ("no/where", "does not exist"),
        ("./124M", "does not exist"),
        ("~/no-such-folder", "no-such-folder does not exist"),
    ],
)
def test_what_is_neither(empty_home, tmp_path, monkeypatch, name, reason):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=reason):
        load(name)


@pytest.mark.parametrize(("size", "fits"), [(95, True), (96, True), (97, False)])
def test_a_tokenizer_of_another_model(golden, monkeypatch, size, fits):
    """A model may have more rows than its tokenizer has tokens, for the sake of speed; not fewer."""
    stub = SimpleNamespace(n_vocab=size)
    monkeypatch.setitem(sys.modules, "numgpt.tokenizer", SimpleNamespace(load_tokenizer=lambda folder: stub))
    if fits:
        assert load(golden / "tiny-gpt2" / "hf")[1] is stub
    else:
        with pytest.raises(InputError, match="the tokenizer has 97 tokens, but the model only 96"):
            load(golden / "tiny-gpt2" / "hf")


def test_other_types(golden):
    with pytest.raises(InputError, match="dtype must be float32 or float64"):
        load(golden / "tiny-gpt2" / "hf", dtype="float16")
