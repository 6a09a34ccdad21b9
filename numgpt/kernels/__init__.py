"""Functions whose fast form would hide the formula: the layers call them by their mathematical names."""

from numgpt.kernels.cpu import (
    adamw_update,
    add_product,
    cross_entropy,
    draw_dropped,
    drop,
    gelu,
    gelu_backward,
    layernorm,
    layernorm_backward,
    scatter_add,
    squared_norm,
)
from numgpt.kernels.cpu_attention import attention, attention_backward

__all__ = [
    "adamw_update",
    "add_product",
    "cross_entropy",
    "attention",
    "attention_backward",
    "draw_dropped",
    "drop",
    "gelu",
    "gelu_backward",
    "layernorm",
    "layernorm_backward",
    "scatter_add",
    "squared_norm",
]
