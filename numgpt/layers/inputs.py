"""Checks of the arguments and inputs of layers."""

from typing import Any

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted


def check_integers(values: Any, name: str, low: int, n_vocab: int) -> np.ndarray:
    """`values` as an array of ints in [low, n_vocab). Raises InputError, naming the first that is not."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} must be one rectangular array: its rows have different lengths") from None
    except TypeError as error:
        raise InputError(f"{name} must be whole numbers on the host: {error}") from None
    if array.dtype.kind not in "iu" and (array.size or array.dtype.kind != "f"):  # [] is an array of floats
        raise InputError(f"{name} must be whole numbers, not {quoted(array.dtype)}")
    wrong = (array < low) | (array >= n_vocab)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(f"{name}{list(place)} is {array[place]}, but the vocabulary has only {low} to {n_vocab - 1}")
    return array.astype(np.int64, copy=False)


def check_texts(ids: Any, name: str, n_vocab: int) -> np.ndarray:
    """`ids`, (B, T), as an int array. Raises InputError as `check_integers` does, and for another shape or no ids."""
    ids = check_integers(ids, name, 0, n_vocab)
    if ids.ndim != 2 or ids.size == 0:
        raise InputError(f"{name} must be a batch of texts of at least one token, but has shape {ids.shape}")
    return ids


def check_input(x: Any, C: int | None = None, name: str = "x") -> None:
    """Raise InputError unless `x` is an array of float32 or float64, (..., C) if C is given.

    Complex numbers pass too, for the proof of the gradients.
    """
    if not hasattr(x, "__array_ufunc__") or not hasattr(x, "dtype") or isinstance(x, np.generic):
        raise InputError(f"{name} must be an array of floats, not {quoted(x)}")
    if isinstance(x, np.ma.MaskedArray | np.matrix):
        raise InputError(f"{name} must be a plain array, not {type(x).__name__}: convert it with np.asarray")
    if x.dtype.kind != "c" and (x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8)):
        raise InputError(f"{name} must be float32 or float64, not {quoted(x.dtype)}: convert it with astype")
    if x.size == 0 or len(x.shape) == 0:
        raise InputError(f"{name} must have at least one axis and one number, but has shape {quoted(tuple(x.shape))}")
    if C is not None and x.shape[-1] != C:
        raise InputError(f"{name} must be (..., {C}), but has shape {quoted(tuple(x.shape))}")
