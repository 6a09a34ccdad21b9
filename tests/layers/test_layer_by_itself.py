"""A layer without a model around it, what it looks like, and copies of it."""

import copy
import pickle

import numpy as np
import pytest

from numgpt import GPT, AdamW, GPTConfig, InputError
from numgpt.layers import Attention, Embedding, FeedForward, LayerNorm, Linear
from numgpt.model import Block

CONFIG = GPTConfig(n_vocab=11, n_ctx=6, n_embd=12, n_head=3, n_layer=2, dropout=0.1)


def test_a_layernorm_normalises_at_once():
    x = np.random.default_rng(0).standard_normal((2, 3, 8))
    y = LayerNorm(8).forward(x)
    assert np.allclose(y.mean(-1), 0, atol=1e-6)
    assert np.allclose(y.std(-1), 1, atol=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: Linear(12, 5, seed=seed),
        lambda seed: Embedding(12, 5, seed=seed),
        lambda seed: Attention(12, 3, seed=seed),
        lambda seed: FeedForward(12, seed=seed),
        lambda seed: Block(CONFIG, seed=seed),
    ],
)
def test_layers_draw_their_weights_at_once_and_from_their_seed(make):
    one, same, other = (make(seed).values for seed in (0, 0, 1))
    assert 0.01 < one[: len(one) // 2].std() < 0.03
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_attention_by_itself_attends():
    x = np.random.default_rng(0).standard_normal((2, 5, 12))
    layer = Attention(12, 3, seed=0)
    y = layer.forward(x)
    assert y.any()
    assert layer.backward(np.ones_like(y)).shape == x.shape
    assert layer.c_attn.dweight.any()


@pytest.mark.parametrize("sizes", [(10, 3), (0, 1), (12, 0), (12, 1.5), (True, 1)])
def test_attention_of_sizes_that_cannot_be_is_refused(sizes):
    with pytest.raises(InputError, match="n_embd|n_head"):
        Attention(*sizes)


def test_a_layer_is_printed_as_a_tree():
    assert repr(Attention(12, 3)).splitlines() == [
        "Attention, 624 parameters",
        "  c_attn: Linear (weight 12 x 36, bias 36)",
        "  c_proj: Linear (weight 12 x 12, bias 12)",
        "  attn_drop: Dropout",
        "  resid_drop: Dropout",
    ]


def test_a_model_is_printed_as_a_tree():
    lines = repr(GPT(CONFIG)).splitlines()
    assert lines[0] == f"GPT, {GPT(CONFIG).values.size:,} parameters"
    assert "  wte: Embedding (weight 11 x 12)" in lines
    assert "    attn: Attention, 624 parameters" in lines
    assert sum("wte" in line or "11 x 12" in line for line in lines) == 1  # the head's table is the embedding's own


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_trains_like_the_original_and_apart_from_it(copied):
    model = GPT(CONFIG, seed=1).train()
    losses(model, 2)  # gradients, and memory of a forward pass, are not what they were at the start
    other = copied(model)
    assert not any(np.shares_memory(a, b) for a in (model.values, model.grads) for b in (other.values, other.grads))
    for (name, value, gradient), (name_there, value_there, gradient_there) in zip(
        model.named_parameters(), other.named_parameters(), strict=True
    ):
        assert name == name_there
        assert np.shares_memory(value_there, other.values)
        assert np.shares_memory(gradient_there, other.grads)
        assert np.array_equal(value, value_there)
        assert np.array_equal(gradient, gradient_there)
    assert other.head.embedding is other.criterion.embedding is other.wte
    before = model.values.copy()
    found = losses(other, 10)
    assert np.array_equal(model.values, before)
    assert losses(model, 10) == found
    assert found[-1] < found[0]


def losses(model, steps):
    """The losses of AdamW steps on one batch."""
    ids, targets = np.random.default_rng(0).integers(0, 11, (2, 2, 6))
    optimizer, found = AdamW(model, lr=0.01), []
    for _ in range(steps):
        model.zero_grad()
        found.append(model.loss(ids, targets))
        model.backward()
        optimizer.step()
    return found


def test_a_copy_of_a_part_stands_by_itself():
    model = GPT(CONFIG)
    part = copy.deepcopy(model.h[0].attn)
    part.c_attn.weight[...] = 7
    assert not np.any(model.values == 7)


def test_a_part_without_weights_says_what_it_lacks():
    part = Linear(3, 4, seed=None)
    with pytest.raises(AttributeError, match="this Linear has no weight yet, as it was made with seed=None"):
        part.forward(np.ones((2, 3)))
    with pytest.raises(AttributeError, match="this Linear has no dbias yet"):
        _ = part.dbias
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        _ = part.wieght
    assert not hasattr(part, "weight")
    assert part.allocate().weight.shape == (3, 4)
