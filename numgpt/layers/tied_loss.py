"""The output head and the loss as one layer, which never holds all logits at once."""

from numgpt.kernels import tied_cross_entropy, tied_cross_entropy_backward
from numgpt.layers.base import Layer
from numgpt.layers.loss import IGNORE, check_targets


class TiedCrossEntropy(Layer):
    """`CrossEntropy` of `TiedHead`: what training a model with a large vocabulary spends a third of its time on.

    x, dx are (..., C); targets is an int array of x.shape[:-1]; weight is the token embedding's (V, C) table; N counts
    the targets that are not -1.

        logits = x @ weight^T            loss = 1/N sum_n ( log sum_v exp(logits[n,v]) - logits[n, targets[n]] )

    Backward is the one after the other, last to first:

        dlogits[n,v] = (p[n,v] - [v = targets[n]]) / N          and 0 in rows whose target is -1
        dweight     += dlogits^T @ x
        dx           = dlogits @ weight

    The logits are made block by block of the vocabulary. A block's exponentials are taken at once, less its own
    largest logit; the blocks' sums put together give each row's log-sum-exp, and so the p of every block.
    """

    def __init__(self, embedding):
        super().__init__()
        self._embedding = embedding  # the underscore keeps the shared table from being listed twice

    def forward(self, x, targets):
        """The loss, a float. Raises InputError when no target counts."""
        check_targets(targets)
        rows, targets = x.reshape(-1, x.shape[-1]), targets.reshape(-1)
        loss, exponentials = tied_cross_entropy(rows, self._embedding.weight, targets, IGNORE)
        self.keep(exponentials, rows, targets, x.shape)
        return loss

    def backward(self):
        exponentials, rows, targets, shape = self.take()
        table = self._embedding
        return tied_cross_entropy_backward(exponentials, rows, table.weight, targets, IGNORE, table.dweight).reshape(
            shape
        )
