import math

import numpy as np


def gelu_backward(dy, x):
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return dy * ((1 + t) / 2 + x * (1 - t * t) * du / 2)
