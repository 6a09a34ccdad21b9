"""What a model makes of windows, however they are read."""

import numpy as np
import pytest

import numgpt
from numgpt.evaluation.scorer import score_logits, score_windows
from numgpt.evaluation.shared_context import batches, score_units
from numgpt.evaluation.unit import Unit
from numgpt.evaluation.windows import Window


@pytest.fixture
def model():
    config = numgpt.GPTConfig(n_vocab=11, n_ctx=16, n_embd=12, n_head=3, n_layer=2)
    return numgpt.gradcheck.with_random_weights(numgpt.GPT(config, dtype="float64"), np.random.default_rng(3))


def unit(rng, n_shared, *tails):
    """A Unit whose windows share n_shared ids and go on with so many more each, of which all but the first count."""
    shared = rng.integers(0, 11, n_shared).tolist()
    return Unit([Window(shared + rng.integers(0, 11, n).tolist(), n - 1) for n in tails], shared=n_shared)


def test_of_equal_logits_the_first_is_the_likeliest():
    logits = np.array([[1.0, 3.0, 3.0], [3.0, 3.0, 0.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    logprobs, greedy = score_logits(logits.copy(), np.array([2, 0, 2, 1]))
    assert greedy.tolist() == [False, True, True, False]
    assert np.allclose(logprobs, (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))[range(4), [2, 0, 2, 1]])


def test_large_logits_do_not_overflow():
    logprobs, _ = score_logits(np.array([[1000.0, 999.0], [-1000.0, 0.0]], np.float32), np.array([1, 0]))
    assert logprobs == pytest.approx([-np.log1p(np.e), -1000.0])


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_a_context_that_is_read_once_is_the_same(model, batch_size):
    rng = np.random.default_rng(0)
    units = [unit(rng, 3, 4, 2, 5), unit(rng, 13, 2, 3, 4), unit(rng, 7, 3, 3), unit(rng, 1, 16, 2), unit(rng, 5, 2)]
    for scores, each in zip(score_units(model, units, batch_size), units, strict=True):
        for score, other in zip(scores, score_windows(model, each.windows, 1), strict=True):
            assert np.allclose(score.logprobs, other.logprobs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_batches_fit_the_context_and_leave_nobody_out(batch_size):
    rng = np.random.default_rng(1)
    units = [unit(rng, n, *rng.integers(2, 18 - n, 3)) for n in rng.integers(1, 15, 40).tolist()]
    found = list(batches(units, batch_size, 16))
    assert sorted(i for batch in found for i in batch) == list(range(40))
    for batch in found:
        tails = [len(window.ids) - 1 - units[i].shared for i in batch for window in units[i].windows]
        assert max(units[i].shared for i in batch) + max(tails) <= 16
        assert len(batch) == 1 or len(tails) <= batch_size


def test_only_needed_logits_are_computed(model, monkeypatch):
    rows = []
    forward = model.head.forward
    monkeypatch.setattr(model.head, "forward", lambda x: rows.append(len(x)) or forward(x))
    score_windows(model, [Window([1, 2, 3, 4, 5], 1), Window([1, 2, 3], 2)], 8)
    assert sum(rows) == 3
