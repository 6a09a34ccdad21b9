"""The Gaussian error linear unit (Hendrycks and Gimpel 2016, section 2), in the tanh form that GPT-2 uses."""

from numgpt.kernels import gelu, gelu_backward
from numgpt.layers.base import Layer


class GELU(Layer):
    """Let a value pass to the degree that it is large: x times (nearly) the Gaussian probability of being below x.

    x, y, dy, dx have the same shape, any. With u(x) = sqrt(2/pi) (x + 0.044715 x^3) and t = tanh(u):

        y = x (1 + t) / 2

    Backward, by the product rule, with dt/dx = (1 - t^2) u'(x) and u'(x) = sqrt(2/pi) (1 + 3 * 0.044715 x^2):

        dx = dy * ( (1 + t) / 2  +  x (1 - t^2) u'(x) / 2 )

    The first term is the gate itself, the second the way in which x moves the gate.
    """

    def forward(self, x):
        self.keep(x)
        return gelu(x)

    def backward(self, dy):
        (x,) = self.take()
        return gelu_backward(dy, x)
