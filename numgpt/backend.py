"""Which array module serves a device, and how arrays get back to the host."""

import numpy as np

from numgpt.errors import InputError


def array_module(device):
    """The module whose arrays live on `device`: NumPy for "cpu". Raises InputError for any other device."""
    if device != "cpu":
        raise InputError(f"unknown device {device!r}: this version of numgpt runs on 'cpu'")
    return np


def to_host(x):
    """A NumPy array with the values of `x`, whatever device it lies on."""
    return np.asarray(x)


def float_type(dtype):
    """`dtype` as a NumPy dtype. Raises InputError unless it is float32 or float64, by name or as a dtype."""
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    if found not in (np.float32, np.float64):
        raise InputError(f"dtype must be float32 or float64, not {dtype!r}")
    return found
