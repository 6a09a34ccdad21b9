"""A training step on one thread and on all."""

import numpy as np
import pytest

from numgpt import GPT, GPTConfig

SIZES = GPTConfig(n_vocab=9000, n_ctx=128, n_embd=128, n_head=4, n_layer=2)


def step():
    """The loss and all gradients of a step that is large enough for threads."""
    model = GPT(SIZES, seed=1)
    ids, targets = np.random.default_rng(0).integers(0, SIZES.n_vocab, (2, 6, 128))
    loss = model.loss(ids, targets)
    model.backward()
    return loss, model.grads


def test_a_step_is_the_same_from_run_to_run():
    (loss, grads), (loss_again, grads_again) = step(), step()
    assert loss == loss_again
    assert np.array_equal(grads, grads_again)


def test_a_step_on_one_thread_differs_by_rounding_only():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    loss, grads = step()
    with threadpoolctl.threadpool_limits(1):
        loss_alone, grads_alone = step()
    assert loss == pytest.approx(loss_alone, rel=1e-6)
    assert np.linalg.norm(grads - grads_alone) < 1e-5 * np.linalg.norm(grads)
