"""The Gaussian error linear unit (Hendrycks and Gimpel 2016, section 2), in the tanh form that GPT-2 uses.

The larger a value, the more of it passes: y is x times (nearly) the probability that a Gaussian draw is below x. x, y,
dy, dx and slope may have any shape, the same for all. With u(x) = sqrt(2/pi) (x + 0.044715 x^3) and t = tanh(u):

    y = x (1 + t) / 2

slope = dy/dx follows from the product rule, with dt/dx = (1 - t^2) u'(x) and u'(x) = sqrt(2/pi) (1 + 3 * 0.044715 x^2):

    slope = (1 + t) / 2  +  x (1 - t^2) u'(x) / 2

The first term is the gate itself, the second is how x moves the gate. Forward computes the slope along with y, since
both need t, which is most of the work, and keeps the slope instead of x. Backward only multiplies:

    dx = dy * slope
"""

import math

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input


@definition
def gelu(x):
    """y."""
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    return x * (1 + t) / 2


@definition
def gelu_and_slope(x):
    """y, and slope, which `gelu_backward` needs."""
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) * du / 2


@definition
def gelu_backward(dy, slope):
    """dx."""
    return dy * slope


class GELU(Layer):
    """GELU in the tanh form, on arrays of any shape; it has no parameters."""

    def forward(self, x: Array) -> Array:
        check_input(x)
        if not self.keeping:
            return gelu(x)
        y, slope = gelu_and_slope(x)
        self.keep(slope)
        return y

    def backward(self, dy: Array) -> Array:
        return gelu_backward(dy, self.take())
