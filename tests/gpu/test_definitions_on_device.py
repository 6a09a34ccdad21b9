"""The definitions, unchanged, on the stand-in for CuPy: what they give there is what they give on NumPy."""

import pytest
from hypothesis import HealthCheck, given, settings

from definition_cases import CASES, Draw, Sizes, assert_same, outcome, seeds, some_sizes
from numgpt import use_kernels

few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", CASES)
@few
@given(seeds, some_sizes)
def test_a_definition_runs_on_the_device(fake, name, seed, sizes):
    with use_kernels("plain"):
        expected = outcome(name, Draw(seed), sizes)
        assert_same(outcome(name, Draw(seed), sizes, fake.place), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", CASES)
def test_numbers_keep_their_kind(fake, name, dtype):
    with use_kernels("plain"):
        found = outcome(name, Draw(0, dtype), Sizes(B=2, T=5, past=6, H=3, D=4, V=7), fake.place)
    for key, value in found.items():
        assert value is None or value.dtype.kind in "bi" or value.dtype == dtype, key
