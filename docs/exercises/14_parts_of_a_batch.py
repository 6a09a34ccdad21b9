"""Exercise 14: the gradient of a batch whose rows were dealt to several processes.

    loss = sum_r n_r loss_r / sum_r n_r              grad = sum_r n_r grad_r / sum_r n_r

Process r computed the mean loss over the n_r targets of its rows, and the gradient of that mean. The loss of the batch
is the mean over all targets of all processes.

losses, grads and counts are lists with one entry per process: a number, a flat array and a whole number. Return the
loss and the gradient of the whole batch. The arrays in grads are left unchanged.

Hint: a process with twice as many targets has twice the say. A process whose rows have no target that counts has none,
and its loss may be anything.

The bug that people make: they take the plain mean over processes, or over accumulated batches, as if all had the same
number of targets: https://github.com/huggingface/transformers/issues/24725

    numgpt gradcheck docs/exercises/14_parts_of_a_batch.py
"""

import numpy as np

from numgpt import GPT, GPTConfig
from numgpt.gradcheck import held_to


def combined(losses, grads, counts):
    """(loss, grad) of the whole batch."""
    raise NotImplementedError("loss and grad")


def check():
    rng = np.random.default_rng(0)
    model = GPT(GPTConfig(n_vocab=7, n_ctx=5, n_embd=4, n_layer=2, n_head=2), seed=1, dtype="float64")
    ids, targets = rng.integers(0, 7, (4, 5)), rng.integers(0, 7, (4, 5))
    targets[0, 2:] = -1  # so that the first two rows have fewer targets than the others
    whole, grad, _ = of_rows(model, ids, targets)
    parts = [of_rows(model, ids[rows], targets[rows]) for rows in (slice(0, 2), slice(2, 3), slice(3, 4))]
    losses, grads, counts = map(list, zip(*parts, strict=True))
    loss, mine = combined(losses, [array.copy() for array in grads], counts)
    yield held_to("loss", np.array([loss]), np.array([whole]))
    yield held_to("grad", mine, grad)


def of_rows(model, ids, targets):
    """(mean loss, its gradient, number of targets) of some rows."""
    model.zero_grad()
    loss = model.loss(ids, targets)
    model.backward()
    return loss, model.grads.copy(), int((targets >= 0).sum())
