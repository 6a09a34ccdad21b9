"""Translating: greedy and cached is greedy and uncached, a text's translation is its own, and where it attends."""

import numpy as np
import pytest

from numgpt import InputError, Transformer, TransformerConfig
from numgpt.generation.alignment import alignment, grid
from numgpt.generation.translation import longest, translate

CONFIG = TransformerConfig(vocab=17, d_model=12, heads=3, d_ff=10, layers=2, norm_first=True, final_norm=True)
SOURCES = [[5, 3, 9, 4], [7], [6, 6], [8, 3, 4, 5, 9, 12, 3], [16]]


@pytest.fixture
def model():
    """Weights with which some texts end and others are cut off."""
    model = Transformer(CONFIG, seed=4, dtype="float64")
    model.values *= 2
    return model


def by_hand(model, source):
    """(ids, logprobs), computing everything anew for each token."""
    written, logprobs = [1], []
    while len(written) <= longest(len(source)):
        logits = model.forward([source], [written])[0, -1]
        logits[[0, 1]] = -np.inf
        p = np.exp(logits - logits.max())
        written.append(int(p.argmax()))
        logprobs.append(np.log(p.max() / p.sum()))
        if written[-1] == 2:
            return written[1:-1], logprobs
    return written[1:], logprobs


def test_as_without_caches_and_without_a_batch(model):
    found = translate(model, SOURCES)
    for source, (ids, logprobs) in zip(SOURCES, found, strict=True):
        expected, expected_logprobs = by_hand(model, source)
        assert ids == expected
        assert np.allclose(logprobs, expected_logprobs, atol=1e-12)
    assert len({len(translation.ids) for translation in found}) > 1
    assert translate(model, []) == []


def test_many_batches_keep_the_order(model, monkeypatch):
    expected = translate(model, SOURCES)
    monkeypatch.setattr("numgpt.generation.translation.BATCH_TOKENS", 5)
    found = translate(model, SOURCES)
    assert [ids for ids, _ in found] == [ids for ids, _ in expected]


def test_weights_that_are_no_numbers(model):
    model.values[...] = np.nan
    with pytest.raises(InputError, match="logits are not finite numbers"):
        translate(model, SOURCES)


def test_attention_is_that_of_the_model(model):
    """Rows sum to 1; what nothing attends to could be any token."""
    source, written = [5, 3, 9, 4], [8, 7, 6]
    p = alignment(model, source, written)
    assert p.shape == (3, 4)
    assert np.allclose(p.sum(-1), 1)
    model.train()
    model.loss([source], [[1, *written]], 0.0)
    kept = model.decoder[-1].cross.take()
    expected = np.exp(kept.q @ kept.k.swapaxes(-1, -2) * kept.scale)
    assert np.allclose(p, (expected / expected.sum(-1, keepdims=True))[0].mean(0), atol=1e-12)


def test_a_grid():
    p = np.array([[1.0, 0.0, 0.0], [0.1, 0.5, 0.4]])
    shown = "     I  am  here\n  Je @\nsuis    ++  ::::"
    assert grid(p, ["I", "am", "here"], ["Je", "suis"], 80) == shown
    assert grid(p, ["I", "am", "here"], ["Je", "suis"], 12).count("\n\n") == 1
