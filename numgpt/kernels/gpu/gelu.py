"""GELU as one kernel (`cupy.fuse` makes it of the plain formula) instead of a pass over memory for each operation.

A fused function gets its constants ready made: of Python numbers that it computed itself CuPy would make float64.
"""

import math

import cupy

SLOPE = math.sqrt(2 / math.pi)
CUBIC = 0.044715


@cupy.fuse
def gelu(x):
    """y = x (1 + t) / 2 with t = tanh(sqrt(2/pi) (x + 0.044715 x^3))."""
    t = cupy.tanh(SLOPE * (x + CUBIC * (x * x * x)))
    return 0.5 * x * (1 + t)


@cupy.fuse
def gelu_and_slope(x):
    """y, as `gelu`, and (1 + t) / 2 + x (1 - t^2) u' / 2 with u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)."""
    t = cupy.tanh(SLOPE * (x + CUBIC * (x * x * x)))
    du = SLOPE * (1 + 3 * CUBIC * (x * x))
    return 0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du


def gelu_backward(dy, slope):
    """dx = dy slope, an operation that needs no fusing."""
    return dy * slope
