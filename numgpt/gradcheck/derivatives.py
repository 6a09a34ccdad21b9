"""Two ways to compute a gradient without the backward pass.

The complex step (Squire and Trapp 1998): for a loss L that is analytic, computed in complex numbers,

    L(v + i h e_j) = L(v) + i h dL/dv_j + O(h^2)          dL/dv_j = Im L(v + i h e_j) / h

Nothing is subtracted, so h can be 1e-30 and the result is exact to rounding. A function with a corner, like ReLU, or
one that drops the imaginary part, needs differences:

    n(h) = (L(v + h e_j) - L(v - h e_j)) / 2h

which is off by terms in h^2, h^4, ... Computed with h, h/2 and h/4, the three combine to (64 n(h/4) - 20 n(h/2) +
n(h)) / 45, where the first two terms are gone (Richardson 1911) and h can be large enough for rounding not to matter.
"""

import math
import warnings
from collections.abc import Callable

import numpy as np

TINY = 1e-30


def complex_step(loss: Callable[[], complex], values: np.ndarray) -> np.ndarray:
    """The gradient of `loss()` at the complex array `values`, which is varied element by element and restored.

    An operation that would silently drop the imaginary part is an error.
    """
    gradient = np.empty(values.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        for i in np.ndindex(values.shape):
            value = values[i]
            values[i] = value + TINY * 1j
            gradient[i] = complex(loss()).imag / TINY
            values[i] = value
    return gradient


def differences(loss: Callable[[], float], values: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """The gradient of `loss()` at the real array `values`, which is varied element by element and restored.

    `step` is relative to the root mean square of the values, so that a function of small values is varied on their
    scale.
    """
    gradient = np.empty(values.shape)
    h = step * (math.sqrt(float(np.square(values).mean())) or 1.0)

    def slope(i, h):
        value = float(values[i])
        values[i] = value + h
        up = loss()
        values[i] = value - h
        down = loss()
        values[i] = value
        return (up - down) / (2 * h)

    for i in np.ndindex(values.shape):
        gradient[i] = (64 * slope(i, h / 4) - 20 * slope(i, h / 2) + slope(i, h)) / 45
    return gradient
