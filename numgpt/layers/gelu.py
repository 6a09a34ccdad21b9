"""The Gaussian error linear unit (Hendrycks and Gimpel 2016, section 2), in the tanh form that GPT-2 uses."""

import math

import numpy as np

from numgpt.layers.base import Layer

# Python floats: a NumPy float64 scalar would turn float32 arrays into float64 ones.
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715


class GELU(Layer):
    """Let a value pass to the degree that it is large: x times (nearly) the Gaussian probability of being below x.

    x, y, dy, dx have the same shape, any. With u(x) = sqrt(2/pi) (x + 0.044715 x^3) and t = tanh(u):

        y = x (1 + t) / 2

    Backward, by the product rule, with dt/dx = (1 - t^2) u'(x) and u'(x) = sqrt(2/pi) (1 + 3 * 0.044715 x^2):

        dx = dy * ( (1 + t) / 2  +  x (1 - t^2) u'(x) / 2 )

    The first term is the gate itself, the second the way in which x moves the gate.
    """

    def forward(self, x):
        t = np.tanh(SQRT_2_OVER_PI * (x + CUBIC * (x * x * x)))  # x**3 would be fifty times slower
        self.keep(x, t)
        return 0.5 * x * (1 + t)

    def backward(self, dy):
        x, t = self.take()
        du = SQRT_2_OVER_PI * (1 + 3 * CUBIC * (x * x))
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)
