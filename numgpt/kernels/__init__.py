"""Functions whose fast form would hide the formula: the layers call them by their mathematical names."""

from numgpt.kernels.cpu import scatter_add

__all__ = ["scatter_add"]
