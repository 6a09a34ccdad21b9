"""One row of the proof: a tensor, how far off it is, and what that was measured against."""

from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """tensor: its name. shape: its shape. error: |a - n| / max(|a|, |n|) over Euclidean norms, a found and n expected.

    kind: what was proven: a "definition" or a "model" (its gradient is that of its forward), a "layer" (somebody's
    own), a "kernel" (it equals its definition) or a "result" (somebody's own equals numgpt's). method: what it was
    compared with: "complex step", "differences", "definition" or "numgpt"; for dropout's draw "every word" that can be
    drawn. tolerance: the error allowed; ok: whether the error is within it. hint: what seems to be wrong with a wrong
    gradient, in words.
    """

    tensor: str
    shape: tuple[int, ...]
    error: float
    kind: str
    method: str
    tolerance: float
    ok: bool
    hint: str = ""

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape)) or "number"
        verdict = "ok" if self.ok else f"WRONG {self.hint}".rstrip()
        return (
            f"{self.tensor} ({shape}): error {self.error:.1e}, at most {self.tolerance:.0e} by {self.method}: {verdict}"
        )


def compare(
    tensor: str, found: Any, expected: Any, kind: str, method: str, tolerance: float, floor: float = 0.0
) -> Row:
    """The row of `found` against `expected`. Anything that is not finite, or of another shape, is wrong.

    floor: the smallest norm to divide by, for a gradient that is zero but for rounding.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        hint = f"its shape is {found.shape}, but should be {expected.shape}"
        return Row(tensor, found.shape, float("inf"), kind, method, tolerance, False, hint)
    error = relative_error(found, expected, floor)
    return Row(tensor, found.shape, error, kind, method, tolerance, bool(error <= tolerance))


def relative_error(found: np.ndarray, expected: np.ndarray, floor: float = 0.0) -> float:
    """|found - expected| / max(|found|, |expected|, floor) over Euclidean norms; 0 if both are zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        largest = max(float(np.linalg.norm(found)), float(np.linalg.norm(expected)), floor)
        return float(np.linalg.norm(found - expected) / (largest or 1.0))
