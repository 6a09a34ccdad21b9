"""What layers and models promise in words: defaults, refusals, what dropout rounds to, what they start from."""

import math
from functools import partial

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, InputError, backend, gradcheck, use_kernels
from numgpt.layers import GELU, Attention, CrossEntropy, Dropout, Embedding, FeedForward, Linear, ReLU, TiedHead
from numgpt.layers import gelu as formulas
from numgpt.layers.base import inferring
from numgpt.layers.dropout import draw_dropped
from numgpt.layers.gelu_erf import gelu_erf
from numgpt.model import Block, KVCache

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)


class EveryPair:
    """A generator that draws each of the 65536 pairs of bytes once."""

    def integers(self, low, high, size, dtype, endpoint):
        assert (low, high, size, dtype, endpoint) == (0, 2**64 - 1, 16384, np.uint64, True)
        return np.arange(65536, dtype=np.uint16).view(np.uint64)


@pytest.mark.parametrize(("p", "dropped"), [(0.5, 32768), (0.9, 58982), (1e-9, 0), (2**-16, 1)])
def test_dropout_drops_p_rounded_to_65536ths(p, dropped):
    drawn = draw_dropped(EveryPair(), (256, 256), p, np.ones(1))
    assert drawn.shape == (256, 256)
    assert np.count_nonzero(drawn) == dropped


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, math.nan])
def test_dropout_of_everything_or_less_than_nothing_is_refused(p):
    with pytest.raises(InputError, match="the probability of dropping must be (at least 0 and below 1|a number)"):
        Dropout(p)
    assert Dropout(0).p == 0


@pytest.mark.parametrize(
    ("activation", "y"),
    [
        ("relu", lambda v: max(v, 0)),
        ("gelu", lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2),
        ("silu", lambda v: v / (1 + math.exp(-v))),
        ("quick_gelu", lambda v: v / (1 + math.exp(-1.702 * v))),
    ],
)
def test_a_block_has_the_configured_activation(activation, y):
    config = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2, activation=activation)
    x = np.linspace(-3, 3, 13)
    assert np.allclose(Block(config).mlp.act.forward(x), [y(v) for v in x], rtol=1e-14, atol=1e-15)


def test_a_block_by_itself_is_the_first():
    config = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2, scale_attn_by_inverse_layer_idx=True)
    assert [block.attn.scale for block in GPT(config).h] == [0.5, 0.25]
    assert Block(config).attn.scale == 0.5


def test_attention_by_itself_scales_by_the_root_of_its_heads_width():
    assert Attention(12, 3).scale == 0.5
    assert Attention(12, 3, scale=0.1).scale == 0.1
    assert Attention(1, 1).scale == 1


def test_a_cache_makes_room_for_as_much_again_up_to_the_context_and_moves_nothing_while_there_is_room():
    model = GPT(GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=1))
    cache = KVCache(model, 2)
    (layer,) = cache.layers
    model.next_logits([[1, 2, 3]] * 2, cache)
    assert layer.keys.shape == layer.values.shape == (2, 3, 6, 4)
    keys = layer.keys
    model.next_logits([[4, 5, 6]] * 2, cache)
    assert layer.keys is keys
    model.next_logits([[7]] * 2, cache)
    assert layer.keys.shape == (2, 3, 8, 4)
    assert cache.length == 7


def test_a_model_knows_its_device():
    assert GPT(CONFIG).device == "cpu"


def test_a_head_of_its_own():
    config = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=1, tie_word_embeddings=False)
    model = GPT(config, dtype="float64")
    assert model.lm_head.weight.shape == (11, 12)
    assert all(row.ok for row in gradcheck.check_checkpoint(model, np.array([[1, 5, 10, 2, 0]])))
    assert model.lm_head.dweight.any()


@pytest.mark.parametrize(
    "make",
    [
        partial(GPT, CONFIG),
        partial(Block, CONFIG),
        partial(Attention, 12, 3),
        partial(FeedForward, 12),
        partial(Linear, 12, 5),
        partial(Embedding, 11, 12),
    ],
    ids=lambda make: make.func.__name__,
)
def test_seed_0_is_the_default(make):
    assert np.array_equal(make().values, make(seed=0).values)


def test_dropout_by_itself_draws_from_seed_0():
    x = np.ones((20, 20))
    first = Dropout(0.5).train().forward(x)
    assert np.array_equal(first, Dropout(0.5, np.random.default_rng(0)).train().forward(x))


def test_what_a_model_starts_from():
    """N(0, 0.02^2), the projections that end in the residual stream smaller by sqrt(2 n_layer); biases 0, scales 1."""
    model = GPT(GPTConfig(n_vocab=99, n_ctx=50, n_embd=64, n_head=4, n_layer=8))
    for name, value, _ in model.named_parameters():
        if value.ndim == 1:
            assert np.all(value == ("ln_" in name and name.endswith("weight"))), name
        else:
            assert value.std() == pytest.approx(0.005 if "c_proj" in name else 0.02, rel=0.1), name


def test_starting_weights_may_be_drawn_again():
    model = GPT(CONFIG, seed=3)
    model.values[...] = 7
    model.initialise_all(np.random.default_rng(3))
    assert np.array_equal(model.values, GPT(CONFIG, seed=3).values)


def test_what_follows_a_cache_is_checked_like_any_ids():
    model = GPT(CONFIG)
    cache = KVCache(model, 1)
    model.next_logits([[1, 2, 3, 4, 5, 6, 7]], cache)
    with pytest.raises(InputError, match="9 tokens do not fit the context of 8"):
        model.next_logits([[1, 2]], cache)
    with pytest.raises(InputError, match=r"ids\[0, 0\] is 11"):
        model.next_logits([[11]], cache)
    assert cache.length == 7


def test_what_is_kept_may_be_looked_at_until_it_is_taken():
    layer, x = Linear(3, 2), np.ones((4, 3), np.float32)
    assert layer.kept is None
    layer.forward(x)
    assert layer.kept is x
    assert layer.take() is x
    assert layer.kept is None
    with pytest.raises(RuntimeError, match="Linear"):
        layer.take()


def test_what_forward_kept_is_for_a_backward_of_its_own_kind():
    layer = Linear(3, 2)
    with use_kernels("plain"):
        layer.forward(np.ones((4, 3), np.float32))
    with use_kernels("fast"), pytest.raises(RuntimeError, match="plain kernels and backward.. with fast ones"):
        layer.backward(np.ones((4, 2), np.float32))


def test_ids_may_be_lists():
    layer = Embedding(5, 3)
    assert np.array_equal(layer.forward([[1, 4]]), layer.weight[[[1, 4]]])
    layer.backward(np.ones((1, 2, 3), np.float32))
    assert layer.dweight.sum(1).tolist() == [0, 3, 0, 0, 3]


def test_the_head_by_itself():
    """In training, `TiedCrossEntropy` is in its place."""
    rng = np.random.default_rng(0)
    table = Embedding(5, 3).allocate("float64")
    head, (x, dlogits) = TiedHead(table), (rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 4, 5)))
    table.dweight[...] = 1
    assert np.allclose(head.forward(x), np.einsum("btc,vc->btv", x, table.weight), rtol=1e-13)
    assert np.allclose(head.backward(dlogits), np.einsum("btv,vc->btc", dlogits, table.weight), rtol=1e-13)
    assert np.allclose(table.dweight - 1, np.einsum("btv,btc->vc", dlogits, x), rtol=1e-12)


@pytest.mark.parametrize("kind", ["plain", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_is_the_same_to_the_last_bit_with_its_slope_and_without(kind, dtype):
    x = np.random.default_rng(0).normal(0, 3, 100_000).astype(dtype)
    with use_kernels(kind):
        y, _ = formulas.gelu_and_slope(x)
        assert np.array_equal(formulas.gelu(x), y)


def test_gelu_computes_no_slope_that_nobody_needs(monkeypatch):
    monkeypatch.setattr(formulas, "gelu_and_slope", None)
    with inferring():
        assert GELU().forward(np.zeros(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_gelu_of_what_is_far_from_0(kind):
    with use_kernels(kind), np.errstate(over="raise", invalid="raise"):
        y, slope = formulas.gelu_and_slope(np.array([-1e10, -50, 50, 1e10]))
        assert y.tolist() == [0, 0, 50, 1e10]
        assert slope.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_the_exact_gelu_of_what_is_far_from_0(kind):
    with use_kernels(kind), np.errstate(over="raise", invalid="raise"):
        assert gelu_erf(np.array([-1e10, -9.0, 9.0, 1e10])).tolist() == [0, 0, 9, 1e10]


def test_relu_stops_the_gradient_at_0():
    layer = ReLU()
    assert layer.forward(np.array([-1.0, 0.0, 2.0])).tolist() == [0, 0, 2]
    assert layer.backward(np.array([3.0, 3.0, 3.0])).tolist() == [0, 0, 3]


def test_the_loss_by_itself():
    """In training, `TiedCrossEntropy` is in its place."""
    logits, targets = np.log([[[1.0, 3.0], [1.0, 1.0], [9.0, 1.0]]]), np.array([[1, -1, 0]])
    layer = CrossEntropy()
    assert layer.forward(logits, targets) == pytest.approx(-(math.log(0.75) + math.log(0.9)) / 2, rel=1e-14)
    expected = [[[0.25 / 2, -0.25 / 2], [0, 0], [-0.1 / 2, 0.1 / 2]]]
    assert np.allclose(layer.backward(), expected, rtol=1e-13, atol=0)
    with pytest.raises(InputError, match="every one is -1"):
        layer.forward(logits, np.array([[-1, -1, -1]]))


@pytest.mark.parametrize(
    ("x", "says"),
    [([[1.0]], "array of floats"), (np.ones((2, 3, 11)), r"\(\.\.\., 12\)"), (np.ones((2, 12)), r"\(B, T, C\)")],
)
def test_attention_is_told_what_it_cannot_read(x, says):
    with pytest.raises(InputError, match=says):
        Attention(12, 3).forward(x)


def test_a_layer_larger_than_memory_is_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(backend, "memory_of", lambda device: 400)
    assert Linear(9, 10).values.nbytes == 400
    with pytest.raises(InputError, match="this Linear takes"):
        Linear(10, 10)
