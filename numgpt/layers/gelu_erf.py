"""The Gaussian error linear unit as it was defined (Hendrycks and Gimpel 2016, section 2); `gelu.py` approximates it.

A value is multiplied by the probability Phi(x) that a draw from N(0, 1) is below it. x, y, dy, dx may have any shape,
the same for all.

    Phi(x) = (1 + erf(x / sqrt(2))) / 2            erf(z) = 2/sqrt(pi) times the integral of exp(-t^2) from 0 to z
    y      = x Phi(x)

Backward, by the product rule; the derivative of Phi is the density phi(x) = exp(-x^2 / 2) / sqrt(2 pi):

    dx = dy * ( Phi(x) + x phi(x) )

erf has no closed form, and NumPy has no erf. A series for it follows from f(z) = sqrt(pi)/2 exp(z^2) erf(z), which has
f' = 1 + 2 z f and f(0) = 0. Put f = sum_n a_n z^(2n+1) into that and compare powers: a_0 = 1, (2n+1) a_n = 2 a_{n-1}.

    erf(z) = 2/sqrt(pi) exp(-z^2) ( z + 2 z^3/3 + 2^2 z^5/(3*5) + 2^3 z^7/(3*5*7) + ... )

All terms have the sign of z, so nothing cancels and the sum is exact to rounding. Beyond |z| = 6, where more terms than
TERMS would be needed, erf is 1 or -1 to the last bit of a float64.
"""

import math

import numpy as np

from numgpt.kernels import definition
from numgpt.layers.base import Array, Layer
from numgpt.layers.inputs import check_input

TERMS = 120


@definition
def erf(z):
    """The error function of each element of z."""
    near = np.where(np.abs(z) > 6, 0, z)
    term = total = near
    for n in range(1, TERMS):
        term = term * (2 * near * near / (2 * n + 1))
        total = total + term
    y = 2 / math.sqrt(math.pi) * np.exp(-near * near) * total
    return np.where(z > 6, 1, np.where(z < -6, -1, y))


@definition
def gelu_erf(x):
    """y."""
    return x * (1 + erf(x / math.sqrt(2))) / 2


@definition
def gelu_erf_backward(dy, x):
    """dx."""
    Phi = (1 + erf(x / math.sqrt(2))) / 2
    phi = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return dy * (Phi + x * phi)


class ExactGELU(Layer):
    """GELU by the error function, on arrays of any shape; it has no parameters. Configurations call it "gelu"."""

    def forward(self, x: Array) -> Array:
        check_input(x)
        self.keep(x)
        return gelu_erf(x)

    def backward(self, dy: Array) -> Array:
        return gelu_erf_backward(dy, self.take())
