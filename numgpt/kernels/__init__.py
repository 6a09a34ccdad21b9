"""Functions whose fast form would hide the formula: the layers call them by their mathematical names."""

from numgpt.kernels.cpu import (
    adamw_update,
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
from numgpt.kernels.cpu_linear import linear, linear_backward, product
from numgpt.kernels.cpu_loss import tied_cross_entropy, tied_cross_entropy_backward

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
    "squared_norm",
    "tied_cross_entropy",
    "tied_cross_entropy_backward",
]
