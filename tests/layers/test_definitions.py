"""What holds for every definition by itself: which numbers it takes, and that it writes to nothing that it should not.

Its mathematics is `numgpt gradcheck`'s concern.
"""

import warnings

import numpy as np
import pytest
from numpy.exceptions import ComplexWarning

from definition_cases import CASES, Draw, Sizes, assert_same, outcome
from numgpt import use_kernels
from numgpt.layers.dropout import draw_dropped

SIZES = Sizes(B=2, T=5, past=6, H=3, D=4, V=7)


@pytest.fixture(autouse=True)
def no_kernels():
    with use_kernels("plain"):
        yield


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", CASES)
def test_numbers_keep_their_kind(name, dtype):
    """A Python float never makes float32 float64, and no imaginary part is dropped on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ComplexWarning)
        found = outcome(name, Draw(0, dtype), SIZES)
    for key, value in found.items():
        assert value is None or value.dtype.kind in "bi" or value.dtype == dtype, key


@pytest.mark.parametrize("name", CASES)
def test_complex_numbers_without_imaginary_part_are_the_real_ones(name):
    found = outcome(name, Draw(0, "complex128"), SIZES)
    expected = outcome(name, Draw(0), SIZES)
    assert_same(found, expected, rtol=1e-13, atol=1e-13)
    assert all(value is None or not np.iscomplexobj(value) or not value.imag.any() for value in found.values())


@pytest.mark.parametrize("name", CASES)
def test_only_gradients_and_what_the_optimizer_updates_are_written_to(name):
    _, arrays = CASES[name](Draw(0), SIZES)
    changed = {key for key, value in outcome(name, Draw(0), SIZES).items() if not same(value, arrays.get(key, value))}
    updated = {"w", "m", "v"} if name == "adamw_update" else {"dweight", "dbias"}
    assert changed == updated & arrays.keys()


def same(a, b):
    return a is b or np.array_equal(a, b)


@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.999])
def test_dropped_as_often_as_asked(p):
    n = 200_001
    dropped = draw_dropped(np.random.default_rng(1), (n,), p, np.ones(1))
    assert dropped.dtype == bool
    assert abs(dropped.mean() - p) < 5 * np.sqrt(p * (1 - p) / n) + 1 / 65536
    neighbours = np.corrcoef(dropped[:-1], dropped[1:])[0, 1]
    assert abs(neighbours) < 0.02
