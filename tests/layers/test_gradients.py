"""Every hand-written gradient against the derivative of its forward, at shapes and values that hypothesis chooses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt import GPT, GPTConfig, InputError, gradcheck
from numgpt.gradcheck.whole import check_model
from numgpt.layers import GELU, Attention, CrossEntropy, Dropout, Embedding, FeedForward, LayerNorm, Linear, ReLU

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
lengths = st.integers(3, 6)
few = settings(max_examples=15, deadline=None)


def assert_right(rows):
    rows = list(rows)
    assert rows
    assert all(row.ok for row in rows), "\n".join(map(str, rows))


@pytest.mark.parametrize("name", gradcheck.CHECKS)
def test_every_check_of_the_command_passes(name):
    assert_right(gradcheck.check(name, seed=11))


def test_an_unknown_check_names_those_that_exist():
    with pytest.raises(InputError, match="attention"):
        gradcheck.check("transformer")


def check(make, shape, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    layer = gradcheck.with_random_weights(make(rng), rng).train()
    assert_right(gradcheck.check_layer(layer, scale * rng.standard_normal(shape)))


@few
@given(seeds, sizes, lengths, sizes, sizes)
def test_linear(seed, B, T, n_in, n_out):
    check(lambda rng: Linear(n_in, n_out), (B, T, n_in), seed)


@few
@given(seeds, sizes, lengths, st.integers(3, 9), st.sampled_from([1e-3, 3e-3, 1.0, 30.0]))
def test_layernorm_from_variances_far_below_eps_to_far_above(seed, B, T, C, scale):
    check(lambda rng: LayerNorm(C), (B, T, C), seed, scale)


@few
@given(seeds, sizes, lengths, st.sampled_from([0.01, 1.0, 3.0]))
def test_gelu(seed, B, T, scale):
    check(lambda rng: GELU(), (B, T, 3), seed, scale)


@few
@given(seeds, sizes, lengths)
def test_relu_away_from_its_corner(seed, B, T):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((B, T, 3))
    assert_right(gradcheck.check_layer(ReLU(), x + 0.2 * np.sign(x)))


@few
@given(seeds, st.sampled_from([0.1, 0.5, 0.9]), lengths)
def test_dropout_with_its_mask_held(seed, p, T):
    check(lambda rng: Dropout(p, rng), (2, T, 3), seed)


@few
@given(seeds, st.integers(1, 3), lengths, st.integers(1, 3), st.integers(1, 4), st.sampled_from([0.0, 0.3]))
def test_attention(seed, B, T, H, D, p_drop):
    check(lambda rng: Attention(H * D, H, p_drop, rng), (B, T, H * D), seed)


@few
@given(seeds, st.integers(1, 3), lengths, st.integers(1, 4))
def test_feedforward_with_relu_as_a_drop_in(seed, B, T, C):
    rng = np.random.default_rng(seed)
    layer = gradcheck.with_random_weights(FeedForward(C, act=ReLU()), rng)
    x = rng.standard_normal((B, T, C))
    if np.abs(layer.c_fc.forward(x)).min() > 0.05:  # no hidden value so near 0 that a step could cross it
        assert_right(gradcheck.check_layer(layer, x))


@few
@given(seeds, st.integers(2, 6), st.integers(1, 5))
def test_embedding_with_repeated_ids(seed, n, C):
    rng = np.random.default_rng(seed)
    layer = gradcheck.with_random_weights(Embedding(n, C), rng)
    assert_right(gradcheck.check_layer(layer, rng.integers(0, n, (2, 7))))


@few
@given(seeds, st.integers(2, 8), st.sampled_from([1.0, 10.0]))
def test_cross_entropy_with_ignored_targets(seed, V, scale):
    rng = np.random.default_rng(seed)
    logits = scale * rng.standard_normal((2, 4, V))
    targets = rng.integers(-1, V, (2, 4))
    targets[0, 0] = 0
    assert_right(gradcheck.check_layer(CrossEntropy(), logits, targets))


@settings(max_examples=4, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(3, 5), st.sampled_from([(1, 8), (2, 4), (3, 3)]), st.integers(1, 2))
def test_whole_model(seed, B, T, heads, n_layer):
    rng = np.random.default_rng(seed)
    H, D = heads
    config = GPTConfig(n_vocab=5, n_ctx=T + 1, n_embd=H * D, n_head=H, n_layer=n_layer)
    model = gradcheck.with_random_weights(GPT(config, dtype="float64"), rng)
    ids, targets = rng.integers(0, 5, (2, B, T))
    assert_right(check_model(model, ids, targets, rng, "cpu"))
