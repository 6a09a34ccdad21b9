"""Softmax with cross-entropy: what training minimises."""

from numgpt.errors import InputError
from numgpt.kernels import cross_entropy
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
        if (targets == IGNORE).all():
            raise InputError("there is no target to learn from: every one is -1 (ignored)")
        loss, dlogits = cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), IGNORE)
        self.keep(dlogits.reshape(logits.shape))
        return loss

    def backward(self):
        (dlogits,) = self.take()
        return dlogits
