"""A model with merges that answers at once, and a text's numbers."""

import pytest

import numgpt
from numgpt import explain
from numgpt.gradcheck import with_random_weights

SHAPE = numgpt.GPTConfig(n_vocab=1024, n_ctx=24, n_embd=24, n_head=3, n_layer=2)


@pytest.fixture(scope="session")
def tokenizer():
    """The bundled model's."""
    return numgpt.load("shakespeare")[1]


@pytest.fixture
def model():
    """A small model of weights of order one, float64, for the bundled vocabulary."""
    import numpy as np

    model = with_random_weights(numgpt.GPT(SHAPE, dtype="float64"), np.random.default_rng(0))
    model.values *= 0.4
    return model


@pytest.fixture
def gathered(model, tokenizer):
    """A function: prompt and what `read_subject` and `gather` take -> the numbers."""

    def gather(prompt, target=None, layers=None, heads=None, **options):
        return explain.gather(explain.read_subject(model, tokenizer, prompt, target, layers, heads), "tiny", **options)

    return gather


@pytest.fixture
def opened(opened):
    """The same, for pages whose script says when it is done."""

    def open_page(text, width=1280, scheme="light"):
        page = opened(text, width, scheme)
        assert page.get_attribute("html", "data-ready") == "yes"
        return page

    return open_page
