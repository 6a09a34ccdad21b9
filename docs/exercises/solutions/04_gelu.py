import math


def gelu_slope(x, t):
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return (1 + t) / 2 + x * (1 - t * t) * du / 2
