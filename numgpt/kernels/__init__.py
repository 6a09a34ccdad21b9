"""Functions whose fast form would hide the formula: the layers call them by their mathematical names.

Here it is decided which file serves, by the array: NumPy's arrays go to cpu*.py, any others to gpu*.py, which has
functions of the same names and is imported when the first such array comes.
"""

import os
from functools import wraps

import numpy as np

from numgpt.backend import check_device
from numgpt.errors import InputError
from numgpt.kernels import cpu, cpu_attention, cpu_linear, cpu_loss

__all__ = [
    "adamw_update",
    "attention",
    "attention_backward",
    "draw_dropped",
    "drop",
    "gelu",
    "gelu_backward",
    "layernorm",
    "layernorm_backward",
    "linear",
    "linear_backward",
    "product",
    "scatter_add",
    "set_precision",
    "squared_norm",
    "tied_cross_entropy",
    "tied_cross_entropy_backward",
]
PRECISIONS = ("float32", "tf32", "bf16")


def plain():
    return os.environ.get("NUMGPT_KERNELS") == "plain"


def by_array(on_cpu):
    """A function that is `on_cpu` where its first argument is a NumPy array, else its namesake in gpu.py."""
    name = on_cpu.__name__

    @wraps(on_cpu)
    def dispatched(x, *args, **kwargs):
        if isinstance(x, np.ndarray):
            return on_cpu(x, *args, **kwargs)
        return getattr(on_gpu(), name)(x, *args, **kwargs)

    return dispatched


def on_gpu():
    """The module of the functions for CuPy's arrays."""
    from numgpt.kernels import gpu

    return gpu


adamw_update = by_array(cpu.adamw_update)
attention = by_array(cpu_attention.attention)
attention_backward = by_array(cpu_attention.attention_backward)
drop = by_array(cpu.drop)
gelu = by_array(cpu.gelu)
gelu_backward = by_array(cpu.gelu_backward)
layernorm = by_array(cpu.layernorm)
layernorm_backward = by_array(cpu.layernorm_backward)
linear = by_array(cpu_linear.linear)
linear_backward = by_array(cpu_linear.linear_backward)
product = by_array(cpu_linear.product)
scatter_add = by_array(cpu.scatter_add)
squared_norm = by_array(cpu.squared_norm)
tied_cross_entropy = by_array(cpu_loss.tied_cross_entropy)


def tied_cross_entropy_backward(kept, x, *arguments):
    """What cpu_loss.py or gpu.py has under this name; x is the array that decides."""
    kernels = cpu_loss if isinstance(x, np.ndarray) else on_gpu()
    return kernels.tied_cross_entropy_backward(kept, x, *arguments)


def draw_dropped(rng, shape, p, like=None):
    """True with probability p for each element by itself; on the device of the array `like` (None: on the CPU)."""
    kernels = cpu if like is None or isinstance(like, np.ndarray) else on_gpu()
    return kernels.draw_dropped(rng, shape, p)


def set_precision(precision, device):
    """Have the matrix products on the GPU made in "float32", "tf32" or "bf16", in the whole process from here on.

    It is about their factors only: sums, and all that is stored, are float32, and float64 stays float64. Raises
    InputError for another word, for the CPU, which has only float32, and for a device that cannot be used or is too old
    for it.
    """
    check_device(device)
    if precision not in PRECISIONS:
        raise InputError(f"precision must be {', '.join(PRECISIONS)}, not {precision!r}")
    if device != "cpu":
        on_gpu().set_precision(precision)
    elif precision != "float32":
        raise InputError(f"precision {precision!r} needs device 'cuda': the CPU computes in float32 (or float64)")
