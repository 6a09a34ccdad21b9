"""The checker can fail: each of the bugs that real implementations have had is injected, and has to be seen."""

import math
from functools import cache

import numpy as np
import pytest

from numgpt import gradcheck, layers
from numgpt.kernels import cpu_attention
from numgpt.layers import GELU, Attention, CrossEntropy, Embedding, LayerNorm, TiedCrossEntropy
from numgpt.layers.linear import Linear
from numgpt.model import GPT, Block


def wrong_tensors(check):
    """The names of the tensors whose gradient a check finds wrong."""
    return {row.tensor for row in gradcheck.check(check, seed=3) if not row.ok}


@cache
def passes_unbroken(check):
    """Whether nothing is wrong before anything is broken; asked once a check."""
    return not wrong_tensors(check)


@pytest.fixture
def inject(monkeypatch):
    """Put a buggy function in the place of a right one, after seeing that the check passes without it."""

    def put(check, owner, name, buggy):
        assert passes_unbroken(check)
        monkeypatch.setattr(owner, name, buggy)
        return wrong_tensors(check)

    return put


def attention_backward(self, dy, transpose_ds=False, scale_dq=True, softmax_sum=True, leak=False):
    """Attention.backward as its docstring has it, with a place to break each of its lines."""
    q, k, v, _, lse, _ = self.take()
    T = q.shape[2]
    do = self.heads(self.c_proj.backward(self.resid_drop.backward(dy)))
    s = q @ k.swapaxes(-1, -2) * self.scale
    p = np.exp(s - lse) if leak else np.exp(s - lse) * np.tri(T)
    dv = p.swapaxes(-1, -2) @ do
    dp = do @ v.swapaxes(-1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True) * softmax_sum)
    dq = ds @ k * (self.scale if scale_dq else 1)
    dk = (ds if transpose_ds else ds.swapaxes(-1, -2)) @ q * self.scale
    return self.c_attn.backward(np.concatenate([layers.attention.merge(d) for d in (dq, dk, dv)], -1))


def test_the_second_writing_is_right_where_nothing_is_broken(inject):
    assert not inject("attention", Attention, "backward", attention_backward)


def test_transposed_dk(inject):
    wrong = inject("attention", Attention, "backward", lambda self, dy: attention_backward(self, dy, transpose_ds=True))
    assert {"c_attn.weight", "input"} <= wrong


def test_softmax_backward_without_its_sum(inject):
    wrong = inject("attention", Attention, "backward", lambda self, dy: attention_backward(self, dy, softmax_sum=False))
    assert {"c_attn.weight", "input"} <= wrong


def test_missing_scale_in_backward(inject):
    wrong = inject("attention", Attention, "backward", lambda self, dy: attention_backward(self, dy, scale_dq=False))
    assert {"c_attn.weight", "input"} <= wrong


def test_missing_scale_in_forward_is_seen_by_comparison_with_the_plain_model(monkeypatch, plain_model_agrees):
    """A forward without 1/sqrt(D) has the right gradient of the wrong function: it takes a second implementation."""
    assert plain_model_agrees()
    build = Attention.__init__

    def without_scale(self, *args):
        build(self, *args)
        self.scale = 1.0

    monkeypatch.setattr(Attention, "__init__", without_scale)
    assert not plain_model_agrees()


@pytest.mark.parametrize("shift", [-1, 1])
def test_mask_off_by_one_is_seen_by_comparison_with_the_plain_model(monkeypatch, plain_model_agrees, shift):
    assert plain_model_agrees()

    def off_by_one(t, dtype):
        return np.triu(np.full((t, t), -1e9, dtype), 1 + shift)

    monkeypatch.setattr(cpu_attention, "future", off_by_one)
    assert not plain_model_agrees()


def test_mask_left_out_of_backward(inject):
    """Scores that were masked in forward but not in backward carry gradient from the future."""
    wrong = inject("attention", Attention, "backward", lambda self, dy: attention_backward(self, dy, leak=True))
    assert {"c_attn.weight", "input"} <= wrong


def test_layernorm_backward_applied_to_the_residual_as_well(inject):
    def backward(self, dy):
        dy = self.ln_2.backward(dy + self.mlp.backward(dy))
        return self.ln_1.backward(dy + self.attn.backward(dy))

    assert {"input", "attn.c_attn.weight"} <= inject("block", Block, "backward", backward)


@pytest.mark.parametrize("term", ["mean", "projection"])
def test_layernorm_backward_without_one_of_its_means(inject, term):
    def backward(self, dy):
        xhat, rstd = self.take()
        self.dbias += dy.sum((0, 1))
        self.dweight += (dy * xhat).sum((0, 1))
        g = dy * self.weight
        mean, projection = g.mean(-1, keepdims=True), xhat * (g * xhat).mean(-1, keepdims=True)
        return rstd * (g - (projection if term == "mean" else mean))

    assert inject("layernorm", LayerNorm, "backward", backward) == {"input"}


def test_layernorm_backward_that_forgets_eps(inject):
    def backward(self, dy):
        xhat, rstd = self.take()
        sigma = np.sqrt(1 / rstd**2 - self.eps)
        centred = xhat / rstd
        g = dy * self.weight
        self.dbias += dy.sum((0, 1))
        self.dweight += (dy * xhat).sum((0, 1))
        unit = centred / sigma
        return (g - g.mean(-1, keepdims=True) - unit * (g * unit).mean(-1, keepdims=True)) * rstd

    assert inject("layernorm-near-eps", LayerNorm, "backward", backward) == {"input"}


def backward_of_the_tied_loss(self):
    """dlogits, the rows that the head read, and dx, from `CrossEntropy` and the head's formula."""
    _, rows, targets, shape = self.take()
    plain = CrossEntropy()
    plain.forward(rows @ self._embedding.weight.T, targets)
    dlogits = plain.backward()
    return dlogits, rows, (dlogits @ self._embedding.weight).reshape(shape)


def test_tied_gradient_dropped(inject):
    def backward(self):
        return backward_of_the_tied_loss(self)[2]

    assert inject("model", TiedCrossEntropy, "backward", backward) == {"wte.weight"}


def test_assignment_for_addition_in_the_head(inject):
    def backward(self):
        dlogits, rows, dx = backward_of_the_tied_loss(self)
        self._embedding.dweight[...] = dlogits.T @ rows
        return dx

    assert inject("model", TiedCrossEntropy, "backward", backward) == {"wte.weight"}


def test_assignment_for_addition_in_scatter_add(inject):
    def scatter(table, ids, rows):
        table[ids] = rows

    assert "weight" in inject("embedding", layers.embedding, "scatter_add", scatter)


def test_fancy_indexed_addition_that_drops_repeated_ids(inject):
    def scatter(table, ids, rows):
        table[ids] += rows

    assert "weight" in inject("embedding", layers.embedding, "scatter_add", scatter)


def test_overwritten_instead_of_added(inject):
    def backward(self, dy):
        (rows,) = self.take()
        flat = dy.reshape(-1, dy.shape[-1])
        self.dweight[...] = rows.T @ flat
        self.dbias += flat.sum(0)
        return (flat @ self.weight.T).reshape(*dy.shape[:-1], -1)

    assert inject("linear", Linear, "backward", backward) == {"weight"}


def test_gelu_without_the_inner_derivative(inject):
    def backward(self, dy):
        (x,) = self.take()
        t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * math.sqrt(2 / math.pi))

    assert inject("gelu", GELU, "backward", backward) == {"input"}


def test_positions_not_summed_over_the_batch(inject):
    backward = Embedding.backward

    def only_first(self, dy):
        backward(self, dy if dy.ndim == 3 else dy / 2)

    assert inject("model", Embedding, "backward", only_first) == {"wpe.weight"}


def test_a_gradient_that_is_not_a_number_fails():
    with np.errstate(invalid="ignore"):
        assert not gradcheck.compare("x", np.array([np.nan, 1.0]), np.ones(2), 1e-8).ok
        assert not gradcheck.compare("x", np.array([np.inf, 1.0]), np.ones(2), 1e-8).ok


def test_one_backward_left_out_is_not_hidden_by_the_other(inject):
    """A model that goes back through its blocks in the wrong order."""

    def backward(self):
        dx = self.ln_f.backward(self.criterion.backward())
        for block in self.h:
            dx = block.backward(dx)
        self.wte.backward(dx)
        self.wpe.backward(dx.sum(0))

    assert "wte.weight" in inject("model", GPT, "backward", backward)
