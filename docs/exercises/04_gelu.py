"""Exercise 4: the slope of GELU, in the tanh form that GPT-2 uses.

    y = x (1 + t) / 2           t = tanh(u)           u = sqrt(2/pi) (x + 0.044715 x^3)

Forward computes the slope while it has t, and keeps it: all that is left for backward is dx = dy * slope.

Hint: the product rule, then the chain rule twice. The slope of tanh(u) is 1 - t^2.

The bug that people make: a slope of tanh with a bracket in the wrong place, such as (1 - t)^2 for 1 - t^2.
https://github.com/apache/tvm/pull/7340

    numgpt gradcheck docs/exercises/04_gelu.py
"""

import math

import numpy as np

import numgpt


def gelu_slope(x, t):
    """dy/dx; x, t and the slope have the same shape."""
    raise NotImplementedError("the slope")


class GELU:
    def forward(self, x):
        t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
        self.slope = gelu_slope(x, t)
        return x * (1 + t) / 2

    def backward(self, dy):
        return dy * self.slope


def check():
    return numgpt.check_layer(GELU(), 2 * np.random.default_rng(0).standard_normal((3, 8)))
