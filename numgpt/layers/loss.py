"""Softmax with cross-entropy: what training minimises."""

import numpy as np

from numgpt.errors import InputError
from numgpt.layers.base import Layer

IGNORE = -1  # a target that does not count


class CrossEntropy(Layer):
    """The mean surprise of the model, in nats, at the tokens that did come: softmax and negative log-likelihood.

    logits, dlogits are (..., V); targets is an int array of logits.shape[:-1]; N counts the targets that are not -1.

        p    = softmax_V(logits)
        loss = -1/N sum_n log p[n, targets[n]]
             =  1/N sum_n ( log sum_v exp(logits[n,v])  -  logits[n, targets[n]] )

    The second form never takes the logarithm of a rounded probability, and subtracting each row's largest
    logit first, which changes neither p nor the loss, keeps exp from overflowing.

    Backward: the logarithm of the sum has gradient p, the target's own logit -1.

        dlogits[n,v] = (p[n,v] - [v = targets[n]]) / N         and 0 in rows whose target is -1

    The gradient is "what was predicted minus what came"; in each row it sums to 0.
    """

    def forward(self, logits, targets):
        """The loss, a float. Raises InputError when no target counts."""
        p = logits.reshape(-1, logits.shape[-1])
        targets = targets.reshape(-1)
        counted = np.flatnonzero(targets != IGNORE)
        n = len(counted)
        if n == 0:
            raise InputError("there is no target to learn from: every one is -1 (ignored)")
        p = p - p.max(-1, keepdims=True)
        score = p[counted, targets[counted]]
        np.exp(p, out=p)
        total = p.sum(-1, keepdims=True)
        p /= total
        self.keep(p, targets, counted, logits.shape)
        return float((np.log(total[counted, 0]) - score).sum() / n)

    def backward(self):
        p, targets, counted, shape = self.take()
        p[counted, targets[counted]] -= 1
        p *= ((targets != IGNORE) / len(counted)).astype(p.dtype)[:, None]
        return p.reshape(shape)
