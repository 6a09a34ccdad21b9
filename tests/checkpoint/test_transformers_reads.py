"""What numgpt saves, transformers loads; what transformers saves, in whatever precision, numgpt loads."""

import numpy as np
import pytest

import family
from numgpt.checkpoint import open_checkpoint
from numgpt.config import GPTConfig
from numgpt.model import GPT

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def theirs(folder):
    return transformers.GPT2LMHeadModel.from_pretrained(folder).eval()


def ours(folder, dtype="float32"):
    checkpoint = open_checkpoint(folder)
    model = GPT(checkpoint.config, seed=None, dtype=dtype)
    checkpoint.read_into({name: value for name, value, _ in model.named_parameters()})
    return model


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.from_numpy(ids)).logits.numpy()


@pytest.fixture
def ids(golden):
    return np.load(golden / "tiny-gpt2" / "expected.npz")["ids"]


def test_transformers_loads_what_numgpt_saved(golden, tmp_path, ids):
    ours(golden / "tiny-gpt2" / "tf").save(tmp_path)
    saved, original = theirs(tmp_path), theirs(golden / "tiny-gpt2" / "hf")
    assert np.array_equal(logits_of(saved, ids), logits_of(original, ids))
    assert saved.config.eos_token_id is None


def test_nothing_is_missing_or_left_over_for_transformers(tmp_path):
    """At the vocabulary of 50257 tokens, where the end of a text has its id."""
    model = GPT(GPTConfig(n_ctx=8, n_embd=4, n_head=2, n_layer=1), seed=1)
    model.save(tmp_path)
    loaded, report = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    ids = np.array([[50256, 1, 2]])
    np.testing.assert_allclose(logits_of(loaded.eval(), ids), model.forward(ids), rtol=0, atol=1e-5)
    assert loaded.config.eos_token_id == loaded.generation_config.eos_token_id == 50256


@pytest.mark.parametrize("precision", ["float16", "bfloat16", "float64"])
def test_numgpt_loads_what_transformers_saved(golden, tmp_path, ids, precision):
    model = theirs(golden / "tiny-gpt2" / "hf").to(getattr(torch, precision))
    model.save_pretrained(tmp_path)
    assert np.allclose(ours(tmp_path, "float64").forward(ids), logits_of(model.double(), ids), rtol=0, atol=1e-12)


@pytest.mark.parametrize("max_shard_size", [None, "3KB"])
@pytest.mark.parametrize("name", family.OWN.split())
def test_transformers_loads_every_configuration(golden, tmp_path, name, max_shard_size):
    model = ours(golden / "family" / name)
    model.save(tmp_path, max_shard_size=max_shard_size)
    loaded, report = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    expected = np.load(golden / "family" / name / "expected.npz")
    assert np.allclose(logits_of(loaded.eval().double(), expected["ids"]), expected["logits"], rtol=0, atol=1e-12)


def test_several_ids_that_end_a_text(tmp_path):
    model = GPT(GPTConfig(n_vocab=20, n_ctx=8, n_embd=4, n_head=2, n_layer=1))
    model.end_of_text = (3, 5)
    model.save(tmp_path)
    assert theirs(tmp_path).generation_config.eos_token_id == [3, 5]
