"""Exercise 6: the gradient of softmax with cross-entropy.

    loss = -1/N sum_n log p[n, targets[n]]            p = softmax of each row of logits

A target of -1 does not count, and N is the number of targets that do. logits is (rows, V), targets (rows,).

Hint: log p[n, v] = logits[n, v] - log sum_w exp(logits[n, w]). The gradient of the second term, log sum_w, is p. In
each row, what remains is the prediction minus the token that came.

The bug that people make: they divide by the number of all rows, including those that do not count, or by the N of one
batch where several batches are added up. https://github.com/meta-pytorch/torchtune/pull/1875

    numgpt gradcheck docs/exercises/06_cross_entropy.py
"""

import numpy as np

import numgpt
from numgpt.layers.loss import cross_entropy


def cross_entropy_backward(p, targets):
    """dlogits, (rows, V), from the probabilities p, (rows, V); 0 in rows whose target is -1."""
    raise NotImplementedError("dlogits")


class CrossEntropy:
    def forward(self, logits, targets):
        e = np.exp(logits - logits.max(-1, keepdims=True))
        self.p, self.targets = e / e.sum(-1, keepdims=True), targets
        return cross_entropy(logits, targets)[0]

    def backward(self):
        return cross_entropy_backward(self.p, self.targets)


def check():
    return numgpt.check_layer(
        CrossEntropy(), np.random.default_rng(0).standard_normal((5, 7)), np.array([3, -1, 0, 6, 3])
    )
