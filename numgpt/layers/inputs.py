"""What layers are made of and given, checked."""

from typing import Any

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted


def check_integers(values: Any, name: str, low: int, n_vocab: int) -> np.ndarray:
    """`values` as an array of ints in [low, n_vocab); raises InputError with the first that is not."""
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


def check_input(x: Any, C: int | None = None, name: str = "x") -> None:
    """Raise InputError unless `x` is an array of numbers, (..., C) where C is given."""
    if not hasattr(x, "dtype") or not hasattr(x, "shape"):
        raise InputError(f"{name} must be an array of numbers, not {quoted(x)}")
    if x.dtype.kind not in "fciu":
        raise InputError(f"{name} must be an array of numbers, not of {quoted(x.dtype)}")
    if C is not None and (len(x.shape) == 0 or x.shape[-1] != C):
        raise InputError(f"{name} must be (..., {C}), but has shape {quoted(tuple(x.shape))}")
