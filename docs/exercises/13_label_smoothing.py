"""Exercise 13: the gradient of cross-entropy with label smoothing.

A share e of the target probability is spread over all V tokens, so that a model need not be certain:

    q[n,v] = (1 - e) [v = targets[n]] + e/V
    loss   = -1/N sum_n sum_v q[n,v] log p[n,v]

A target of -1 is padding and does not count; N is the number of targets that do. logits is (rows, V), targets (rows,).

Hint: q sums to 1 over v, so the gradient of the term log sum_w exp(logits[n,w]) is p, as without smoothing.

The bug that people make: padding has no target, but it still receives a share of the smoothing.
https://github.com/pytorch/pytorch/issues/73205

    numgpt gradcheck docs/exercises/13_label_smoothing.py
"""

import numpy as np

import numgpt


def smoothed_backward(p, targets, e):
    """dlogits, (rows, V), from the probabilities p, (rows, V); 0 in rows whose target is -1."""
    raise NotImplementedError("dlogits")


class Smoothed:
    def forward(self, logits, targets):
        z = logits - logits.max(-1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
        self.p, self.targets = np.exp(log_p), targets
        counted = log_p[targets != -1]
        nll = -counted[np.arange(len(counted)), targets[targets != -1]].mean()
        return 0.7 * nll - 0.3 * counted.mean(-1).mean()

    def backward(self):
        return smoothed_backward(self.p, self.targets, 0.3)


def check():
    return numgpt.check_layer(Smoothed(), np.random.default_rng(0).standard_normal((5, 7)), np.array([3, -1, 0, 6, 3]))
