"""Two proofs of a definition's case: its gradients by the complex step, and its kernels by the definition."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from numgpt.backend import to_device, to_host
from numgpt.gradcheck.case import LARGE, SMALL, Arrays, Case, Sizes
from numgpt.gradcheck.derivatives import complex_step, differences
from numgpt.gradcheck.rows import Row, compare
from numgpt.kernels import kernel_of, use_kernels
from numgpt.layers.dropout import draw_dropped
from numgpt.training.optimizer import adamw_update, squared_norm

COMPLEX_STEP = 1e-13
DIFFERENCES = 1e-8
KERNEL = {"float64": 1e-11, "float32": 2e-5}


def prove(make: Any, seed: int, sizes: Sizes = SMALL) -> Iterator[Row]:
    """A row for every array of the case that `make` makes: its backward against derivatives of its forward."""
    case = make(np.random.default_rng(seed), sizes)
    rng = np.random.default_rng([seed, 1])
    with use_kernels("plain"):
        y, _ = case.forward(case.arrays)
        dy = rng.standard_normal(np.shape(y)) if np.ndim(y) else 1.0
        gradients = gradients_of(case, case.arrays, dy, rng)
    arrays = {name: array.astype(complex if case.analytic else float) for name, array in case.arrays.items()}

    def loss():
        with use_kernels("plain"):
            return (case.forward(arrays)[0] * dy).sum()

    derivative, method, tolerance = (
        (complex_step, "complex step", COMPLEX_STEP) if case.analytic else (differences, "differences", DIFFERENCES)
    )
    for name, found in gradients.items():
        yield compare(name, found, derivative(loss, arrays[name]), "definition", method, tolerance)


def hold(make: Any, seed: int, device: str = "cpu", sizes: Sizes = LARGE) -> Iterator[Row]:
    """A row for every result of the case's kernels, in float64 and float32, against the definition in float64.

    There are none if the device has no kernel for it.
    """
    case = make(np.random.default_rng(seed), sizes)
    if not any(kernel_of(function, device) for function in case.definitions):
        return
    with use_kernels("plain"):
        expected = results(case, case.arrays, seed)
    for dtype, tolerance in KERNEL.items():
        arrays = {name: to_device(array.astype(dtype, order="K"), device) for name, array in case.arrays.items()}
        with use_kernels("fast"):
            found = results(case, arrays, seed)
        for name, value in expected.items():
            yield compare(f"{name} {dtype}", found[name], value, "kernel", "definition", tolerance)


def results(case: Case, arrays: Arrays, seed: int) -> Arrays:
    """name -> output or gradient, on the host."""
    rng = np.random.default_rng([seed, 1])
    y, _ = case.forward(arrays)
    dy = rng.standard_normal(np.shape(y)) if np.ndim(y) else 1.0
    output = {"loss" if np.ndim(y) == 0 else "y": host(y)}
    return output | {f"d{name}": found for name, found in gradients_of(case, arrays, dy, rng).items()}


def gradients_of(case: Case, arrays: Arrays, dy: Any, rng: np.random.Generator) -> Arrays:
    """name -> gradient on the host, for every array.

    Gradients that are added to start from random values, so that a backward that overwrites instead of adding is
    caught.
    """
    like = next(iter(arrays.values()))
    before = {name: beside(like, rng.standard_normal(array.shape)) for name, array in arrays.items()}
    added = {name: array.copy() for name, array in before.items()}
    _, kept = case.forward(arrays)
    returned = case.backward(beside(like, dy) if np.ndim(dy) else dy, kept, arrays, added)
    return {name: host(returned[name] if name in returned else added[name] - before[name]) for name in arrays}


class EveryWord:
    """A stand-in for a random generator, which draws each of the 65536 two-byte words once, in order."""

    def integers(self, low, high, size, dtype, endpoint):
        words = np.arange(65536, dtype=np.uint16).view(np.uint64)
        return np.clip(words, low, high, dtype=dtype)[:size]


def prove_draw(seed: int) -> Iterator[Row]:
    """The row of dropout's draw, which has no gradient: of all words, those below p drop, each its own element."""
    k = int(np.random.default_rng(seed).integers(1, 65536))
    with use_kernels("plain"):
        found = draw_dropped(EveryWord(), (16, 4096), k / 65536, np.empty(0))
    expected = (np.arange(65536) < k).reshape(16, 4096)
    yield compare("dropped", found.astype(float), expected.astype(float), "definition", "every word", 0.0)


def beside(like: Any, array: np.ndarray) -> Any:
    """`array` as an array of the kind and dtype of `like`."""
    return np.asarray(array.astype(like.dtype), like=like)


def host(x: Any) -> np.ndarray:
    """`x`, an array or a number, as a NumPy array."""
    return to_host(x) if hasattr(x, "dtype") else np.asarray(x)


def hold_optimizer(seed: int, device: str = "cpu") -> Iterator[Row]:
    """Rows for the optimizer's kernels, which have no gradient, against their definitions."""
    rng = np.random.default_rng(seed)
    w, g, m = rng.standard_normal((3, 70_000))
    start = {"w": w, "g": g, "m": m, "v": rng.random(w.size)}

    def step(arrays):
        adamw_update(*arrays.values(), t=3, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.1)
        return {**arrays, "squared norm": squared_norm(arrays["g"])}

    with use_kernels("plain"):
        expected = step({name: array.copy() for name, array in start.items()})
    for dtype, tolerance in KERNEL.items():
        with use_kernels("fast"):
            found = step({name: to_device(array.astype(dtype), device) for name, array in start.items()})
        for name, value in expected.items():
            yield compare(f"{name} {dtype}", host(found[name]), value, "kernel", "definition", tolerance)
