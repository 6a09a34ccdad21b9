"""The mean of a text's positions, padding left out: one vector for a text of any length.

x, dx are (B, S, C); y, dy are (B, C). padding, (B, S) bool, is True where the text has ended; N[b] is the number of
other positions of text b.

    share[b,t] = 1 / N[b]                        and 0 where padding[b,t]
    y[b,c]     = sum_t share[b,t] x[b,t,c]

Both the sum and N must leave out padding: with the whole width S in place of N, a text's vector would shrink as the
longest text in its batch grows, and its label would depend on its neighbours.

Backward: y[b] holds share[b,t] times x[b,t], so each position of a text gets the same share of dy, and padding none.

    dx[b,t,c]  = share[b,t] dy[b,c]

A text of nothing but padding has y = 0, as there is nothing to average; N is then taken as 1.
"""

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input


@definition
def masked_mean(x, padding):
    """y, and what `masked_mean_backward` needs: share, (B, S)."""
    there = (~padding).astype(x.dtype)
    share = there / np.maximum(there.sum(-1, keepdims=True), 1)
    return (share[:, :, None] * x).sum(1), share


@definition
def masked_mean_backward(dy, share):
    """dx."""
    return share[:, :, None] * dy[:, None, :]


class MaskedMean(Layer):
    """The mean of each text's positions, (B, S, C) -> (B, C); it has no parameters."""

    def forward(self, x: Array, padding: Array) -> Array:
        """y. Raises InputError for an x that is not (B, S, C), and for padding that is not (B, S) bools."""
        check_input(x)
        if len(x.shape) != 3:
            raise InputError(f"x must be (B, S, C), but has shape {quoted(tuple(x.shape))}")
        expected = tuple(x.shape[:2])
        if getattr(padding, "shape", None) != expected or padding.dtype.kind != "b":
            raise InputError(f"padding must be bools of shape {expected}, one for each position")
        y, share = masked_mean(x, padding)
        self.keep(share)
        return y

    def backward(self, dy: Array) -> Array:
        """dx."""
        return masked_mean_backward(dy, self.take())
