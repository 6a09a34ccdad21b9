"""Functions whose fast form would hide the formula: the layers call them by their mathematical names."""

from numgpt.kernels.cpu import (
    add_product,
    draw_dropped,
    drop,
    gelu,
    gelu_backward,
    layernorm,
    layernorm_backward,
    scatter_add,
)
from numgpt.kernels.cpu_attention import attention, attention_backward

__all__ = [
    "add_product",
    "attention",
    "attention_backward",
    "draw_dropped",
    "drop",
    "gelu",
    "gelu_backward",
    "layernorm",
    "layernorm_backward",
    "scatter_add",
]
