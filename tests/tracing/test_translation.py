"""A translation's trace: the model's own numbers, and gradients that differences confirm."""

import numpy as np
import pytest

import translation
from numgpt import Transformer, TransformerConfig
from numgpt.errors import InputError
from numgpt.generation.sampling import log_softmax
from numgpt.gradcheck import with_random_weights
from numgpt.tracing.translation import trace_translation

SOURCE, WRITTEN = [5, 3, 7, 4], [6, 8, 5]


@pytest.fixture(params=[True, False], ids=["pre-norm", "post-norm"])
def model(request):
    config = TransformerConfig(11, 12, 3, 10, 2, norm_first=request.param, final_norm=request.param)
    return with_random_weights(Transformer(config, dtype="float64"), np.random.default_rng(0))


def test_what_the_trace_has_is_what_the_model_computes(model):
    found = trace_translation(model, SOURCE, WRITTEN)
    logits = model.forward([SOURCE], [[1, *WRITTEN]])[0]
    assert np.abs(found.logp - log_softmax(logits)).max() < 1e-12
    assert found.written == [*WRITTEN, 2]
    assert np.array_equal(found.nll, -found.logp[np.arange(4), found.written])
    assert abs(found.loss - model.loss([SOURCE], [[1, *WRITTEN, 2]], 0.0)) < 1e-12
    for p, shape in ((found.reading, (4, 4)), (found.writing, (4, 4)), (found.crossing, (4, 4))):
        assert p.shape == (2, 3, *shape)
        assert np.abs(p.sum(-1) - 1).max() < 1e-12
    assert not np.triu(found.writing, 1).any()


def test_each_p_is_its_own_attention_s(model):
    """Texts of two lengths; p again from the weights, at the state in which each attention finds its text."""
    source = SOURCE[:3]
    found = trace_translation(model, source, WRITTEN)
    seen = np.zeros((1, 3), dtype=bool)
    memory, x = model.read.forward(np.array([source])), model.write.forward(np.array([[1, *WRITTEN]]))
    for block, p in zip(model.encoder, found.reading, strict=True):
        n = block.attn_step.enter(memory)
        assert np.abs(softmax_of(linear(block.attn.c_q, n), linear(block.attn.c_kv, n)[:, :12]) - p).max() < 1e-12
        memory = block.forward(memory, seen)
    memory = model.encoder_norm.forward(memory) if model.encoder_norm else memory
    for block, own, p in zip(model.decoder, found.writing, found.crossing, strict=True):
        n = block.attn_step.enter(x)
        qkv = linear(block.attn.c_attn, n)
        assert np.abs(softmax_of(qkv[:, :12], qkv[:, 12:24], causal=True) - own).max() < 1e-12
        n = block.cross_step.enter(block.attn_step.leave(x, block.attn.forward(n)))
        q, k = linear(block.cross.c_q, n), linear(block.cross.c_kv, memory)[:, :12]
        assert np.abs(softmax_of(q, k) - p).max() < 1e-12
        x = block.forward(x, memory, seen)


def linear(layer, x):
    return x[0] @ layer.weight + layer.bias


def softmax_of(q, k, causal=False):
    """p of three heads, (3, T, S), from q (T, 12) and k (S, 12)."""
    q, k = (a.reshape(len(a), 3, 4).swapaxes(0, 1) for a in (q, k))
    e = np.exp(q @ k.swapaxes(-1, -2) / 2)
    e = np.tril(e) if causal else e
    return e / e.sum(-1, keepdims=True)


def test_p_is_pytorch_s(golden):
    """Where p is right, so is the memory that is gathered with it: the oracle's logits say so for every block."""
    model, expected = translation.read(golden / "transformer" / "pre-norm")
    source, written = expected["src"][0].tolist(), expected["tgt"][0, 1:5].tolist()
    found = trace_translation(model, source, written)
    logp = log_softmax(expected["logits"][0, :5])
    assert np.abs(found.logp - logp).max() < 1e-9


def test_gradient_times_vector_is_the_slope_of_log_p(model):
    found = trace_translation(model, SOURCE, WRITTEN)
    h = 1e-6
    for text, slopes in ((model.read, found.needs), (model.write, found.follows)):
        for place in range(4):
            both = [logp_with(model, text, place, 1 + step)[:, None] for step in (-h, h)]
            assert np.abs((both[1] - both[0])[:, 0] / (2 * h) - slopes[:, place]).max() < 1e-6


def logp_with(model, text, place, factor):
    """log p of each written token where one vector of a text is `factor` times as long."""
    forward = text.forward

    def longer(ids, first=0):
        x = forward(ids, first).copy()
        x[:, place] *= factor
        return x

    text.forward = longer
    try:
        logits = model.forward([SOURCE], [[1, *WRITTEN]])[0]
    finally:
        del text.forward
    return log_softmax(logits)[np.arange(4), [*WRITTEN, 2]]


def test_what_arrives_at_the_memory_is_what_its_blocks_send(model):
    """The length of each block's part, from the gradient at its keys and values."""
    found = trace_translation(model, SOURCE, WRITTEN)
    model.zero_grad()
    model.loss([SOURCE], [[1, *WRITTEN, 2]], 0.0)
    dx = model.criterion.backward()
    dx = model.decoder_norm.backward(dx) if model.decoder_norm else dx
    for block, lengths in zip(reversed(model.decoder), found.dmemory[::-1], strict=True):
        dx, dmemory = block.backward(dx)
        assert np.abs(np.linalg.norm(dmemory[0], axis=-1) - lengths).max() < 1e-12


def test_the_model_is_left_as_it_was(model):
    before = model.forward([SOURCE], [[1, *WRITTEN]])
    trace_translation(model, SOURCE, WRITTEN)
    for layer in (model.read, model.write, *(block.cross for block in model.decoder)):
        assert "backward" not in vars(layer)
    assert np.array_equal(model.forward([SOURCE], [[1, *WRITTEN]]), before)


def test_an_empty_source_is_refused(model):
    with pytest.raises(InputError, match="src"):
        trace_translation(model, [], WRITTEN)
