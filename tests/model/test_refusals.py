"""What a model, a block or an optimizer cannot be made of or given, each refused in a line of its own."""

import numpy as np
import pytest

import numgpt
from numgpt import GPT, AdamW, GPTConfig, InputError, backend
from numgpt.layers import Linear
from numgpt.model import Block, KVCache

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)
IDS = np.array([[1, 2, 3], [4, 5, 6]])


@pytest.fixture(scope="module")
def model():
    return GPT(CONFIG)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GPT("small"), "config must be a GPTConfig, not 'small'"),
        (lambda: GPT(CONFIG, device="tpu"), "unknown device 'tpu'"),
        (lambda: Block("small"), "config must be a GPTConfig, not 'small'"),
        (lambda: Block(CONFIG, index=-1), "index must be"),
        (lambda: Block(CONFIG, index=1.5), "index must be"),
        (lambda: AdamW("model"), "AdamW needs a model, such as a GPT, not 'model'"),
        (lambda: AdamW(Linear(3, 4, seed=None)), "AdamW needs a model, such as a GPT, not Linear"),
        (lambda: numgpt.trace("model", IDS), "model must be a GPT, not 'model'"),
    ],
)
def test_what_cannot_be_made(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1}, "lr must be"),
        ({"lr": "fast"}, "lr must be"),
        ({"betas": (0.9,)}, r"betas must be two numbers, not \(0.9,\)"),
        ({"betas": 0.9}, "betas must be two numbers, not 0.9"),
        ({"betas": (0.9, 1)}, r"betas\[1\] must be"),
        ({"eps": 0}, "eps must be"),
        ({"weight_decay": -0.1}, "weight_decay must be"),
    ],
)
def test_settings_of_the_optimizer_are_checked_when_made_and_when_changed(model, settings, message):
    with pytest.raises(InputError, match=message):
        AdamW(model, **settings)
    optimizer = AdamW(model)
    for name, value in settings.items():
        setattr(optimizer, name, value)
    with pytest.raises(InputError, match=message):
        optimizer.step()


def test_an_optimizer_takes_four_times_the_weights(model, monkeypatch):
    monkeypatch.setattr(backend, "memory_of", lambda device: 4 * model.values.nbytes)
    AdamW(model)
    monkeypatch.setattr(backend, "memory_of", lambda device: 4 * model.values.nbytes - 1)
    with pytest.raises(InputError, match="training it takes"):
        AdamW(model)


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        (lambda model: None, "cache must be a KVCache of this model, not None"),
        (lambda model: KVCache(GPT(GPTConfig(11, 8, 12, 3, 3)), 2), "cache must be a KVCache of this model"),
        (lambda model: KVCache(GPT(GPTConfig(11, 9, 12, 3, 2)), 2), "cache must be a KVCache of this model"),
        (lambda model: KVCache(GPT(CONFIG, dtype="float64"), 2), "cache must be a KVCache of this model"),
        (lambda model: KVCache(model, 3), "the cache is for 3 sequences, but ids hold 2"),
    ],
)
def test_a_cache_of_something_else(model, cache, message):
    with pytest.raises(InputError, match=message):
        model.next_logits(IDS, cache(model))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (IDS[:, :2], r"targets have shape \(2, 2\), but ids \(2, 3\): there must be one for each id"),
        (IDS + 5, r"targets\[1, 2\] is 11, but the vocabulary has only -1 to 10"),
        (IDS / 2, "targets must be whole numbers"),
    ],
)
def test_targets_of_something_else(model, targets, message):
    with pytest.raises(InputError, match=message):
        model.loss(IDS, targets)


def test_a_folder_that_is_no_name(model):
    with pytest.raises(InputError, match="folder must be"):
        model.save(5)


def test_a_gpu_that_is_not_there():
    problem = backend.cuda_problem()
    if problem is None:
        pytest.skip("there is one")
    with pytest.raises(InputError) as error:
        GPT(CONFIG, device="cuda")
    assert problem in str(error.value)
