"""Arrays for the page: float32 if formulas are computed with them, a byte per number if they are only looked at."""

import base64
from typing import Any, NamedTuple

import numpy as np


class Picture(NamedTuple):
    """An array that is only looked at: kept to a 127th of its largest value."""

    values: np.ndarray


def pack(value: Any) -> Any:
    """`value` with every array in it, at any depth, as {"type", "shape", "data"}, base64 of little-endian numbers.

    type is "f4", "f8" or "i4", or "i1" of a Picture, whose numbers are to be multiplied by "scale".
    """
    if isinstance(value, Picture):
        largest = float(np.abs(value.values).max(initial=0)) or 1.0
        bytes_ = np.rint(value.values / largest * 127).astype(np.int8)
        return packed("i1", bytes_) | {"scale": largest / 127}
    if isinstance(value, np.ndarray):
        kind = "i4" if value.dtype.kind == "i" else "f8" if value.dtype == np.float64 else "f4"
        return packed(kind, value)
    return walk(value, pack)


def unpack_to_lists(value: Any) -> Any:
    """`value` with every array in it as nested lists of Python numbers with six significant digits."""
    if isinstance(value, Picture):
        value = value.values
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.kind == "i" else short(value.tolist())
    return walk(value, unpack_to_lists)


def packed(kind, array):
    data = base64.b64encode(np.ascontiguousarray(array, dtype="<" + kind).tobytes()).decode()
    return {"type": kind, "shape": list(array.shape), "data": data}


def walk(value, function):
    """`function` of every item of a dict or a list; other values unchanged, NumPy's numbers as Python's."""
    if isinstance(value, dict):
        return {key: function(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [function(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def short(number):
    """A float, or nested lists of them, to six significant digits; None if not finite, which JSON cannot express."""
    if isinstance(number, list):
        return [short(item) for item in number]
    return float(f"{number:.6g}") if np.isfinite(number) else None


def single(array: Any) -> np.ndarray:
    """An array as float32."""
    return np.asarray(array, np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities of logits (V,), in float64."""
    e = np.exp(logits.astype(np.float64) - logits.max())
    return e / e.sum()


def losses_of(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p of each target, (T,), from logits (T, V); nan where a target is -1."""
    return np.array([-np.log(softmax(z)[v]) if v >= 0 else np.nan for z, v in zip(logits, targets, strict=True)])
