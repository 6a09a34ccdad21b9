"""A model that does not fit is refused before anything is allocated."""

import tracemalloc

import pytest

from numgpt import GPT, AdamW, GPTConfig, InputError, backend, generate, layers
from numgpt.config import OFFICIAL_SIZES

TINY = {"n_vocab": 7, "n_ctx": 5, "n_embd": 4, "n_head": 2, "n_layer": 1}


@pytest.mark.parametrize(
    "sizes",
    [
        *({}, {"n_layer": 3}, {"n_inner": 10}, {"tie_word_embeddings": False}),
        {"n_layer": 2, "n_inner": 6, "tie_word_embeddings": False},
    ],
)
def test_parameters_are_counted_without_a_model(sizes):
    config = GPTConfig(**TINY | sizes)
    assert config.n_parameters == GPT(config, seed=None).values.size


def test_parameters_of_the_published_models():
    counts = {size: config.n_parameters for size, config in OFFICIAL_SIZES.items()}
    assert counts == {"124M": 124_439_808, "355M": 354_823_168, "774M": 774_030_080, "1558M": 1_557_611_200}


@pytest.mark.parametrize(
    "make",
    [
        lambda: GPT(GPTConfig(**TINY | {"n_layer": 2**62})),
        lambda: GPT(GPTConfig(**TINY | {"n_vocab": 2**62}), seed=None),
        lambda: GPT(GPTConfig(**TINY | {"n_embd": 2**62, "n_head": 2})),
        lambda: layers.Embedding(2**62, 4),
        lambda: layers.Linear(2**40, 2**40),
    ],
)
def test_what_cannot_fit_says_how_much_it_is(make):
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"takes \d.* bytes, and this machine has .* GB: choose smaller sizes"):
            make()
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_training_takes_four_times_as_much(monkeypatch):
    model = GPT(GPTConfig(**TINY))
    monkeypatch.setattr(backend, "memory_of", lambda device: 4 * model.values.nbytes - 1)
    with pytest.raises(InputError, match="training it takes"):
        AdamW(model)
    monkeypatch.setattr(backend, "memory_of", lambda device: 4 * model.values.nbytes)
    AdamW(model)


def test_a_limit_of_the_process_counts():
    resource = pytest.importorskip("resource")
    before, limit = resource.getrlimit(resource.RLIMIT_AS), backend.memory_of("cpu")
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit - 4096, before[1]))
        assert backend.memory_of("cpu") == limit - 4096
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", ["n_vocab", "n_ctx", "n_embd", "n_layer"])
@pytest.mark.parametrize("size", [2**80, 10**400, 0, -1, 1.0, True, None, "4"])
def test_sizes_that_are_none(name, size):
    with pytest.raises(InputError, match=f"^{name} must be "):
        GPTConfig(**TINY | {name: size})


def test_a_batch_that_cannot_fit_is_refused_before_it_is_read(monkeypatch):
    model = GPT(GPTConfig(**TINY))
    monkeypatch.setattr(backend, "memory_of", lambda device: 4 * (2 * 4 + 7) * 100)
    assert generate(model, [[1]] * 100, 1).shape == (100, 2)
    with pytest.raises(InputError, match="a batch of 101 texts takes 0.0 GB"):
        generate(model, [[1]] * 101, 1)


def test_what_just_fits_is_made(monkeypatch):
    config = GPTConfig(**TINY | {"n_layer": 3})
    needed = config.n_parameters * 8 + 3 * 12_000  # numbers in float64, and a block's objects in Python
    monkeypatch.setattr(backend, "memory_of", lambda device: needed)
    assert GPT(config, dtype="float64").n_tokens == 7
    monkeypatch.setattr(backend, "memory_of", lambda device: needed - 1)
    with pytest.raises(InputError, match=f"a model of {config.n_parameters} parameters in float64 takes"):
        GPT(config, dtype="float64")
