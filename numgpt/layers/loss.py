"""Softmax with cross-entropy: what training minimises."""

import numpy as np

from numgpt.backend import array_module
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

    The gradient is "what was predicted minus what came"; in each row it sums to 0. As forward has p at hand, it
    makes dlogits there and then.
    """

    def forward(self, logits, targets):
        """The loss, a float. Raises InputError when no target counts."""
        check_targets(targets)
        counted = targets != IGNORE
        on_device = array_module(logits).asarray
        places = tuple(on_device(axis) for axis in (*np.nonzero(counted), targets[counted]))
        top = logits.max(-1, keepdims=True)
        p = np.exp(logits - top)
        total = p.sum(-1, keepdims=True)
        p /= total
        p *= on_device((counted[..., None] / counted.sum()).astype(p.dtype))
        p[places] -= 1 / counted.sum()
        self.keep(p)
        return float(((np.log(total) + top)[places[:-1]][..., 0] - logits[places]).mean())

    def backward(self):
        (dlogits,) = self.take()
        return dlogits


def check_targets(targets):
    """Raise InputError when no target counts."""
    if (targets == IGNORE).all():
        raise InputError("there is no target to learn from: every one is -1 (ignored)")
