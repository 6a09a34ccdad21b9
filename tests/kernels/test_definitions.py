"""Every CPU kernel equals its definition: results, what was added in place, and that nothing else was written to."""

import pytest
from hypothesis import HealthCheck, given, settings

from definition_cases import CASES, Draw, Sizes, assert_same, outcome, seeds, some_sizes
from numgpt import use_kernels

USUAL = Sizes(B=3, T=50, past=20, H=4, D=12, V=70)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seeds, some_sizes)
def test_a_kernel_equals_its_definition(chunk, name, seed, sizes):
    with use_kernels("plain"):
        expected = outcome(name, Draw(seed), sizes)
    with use_kernels("fast"):
        assert_same(outcome(name, Draw(seed), sizes), expected)


@pytest.mark.parametrize("name", [name for name in CASES if name != "tied_cross_entropy of large logits"])
@pytest.mark.parametrize("seed", range(3))
def test_in_float32_a_kernel_is_off_by_rounding_only(chunk, name, seed):
    """By at most 2e-5, values being of order one, from the definition in float64. (Logits of 1000 are off by 1e-4.)"""
    with use_kernels("plain"):
        expected = outcome(name, Draw(seed), USUAL)
    with use_kernels("fast"):
        found = outcome(name, Draw(seed, "float32"), USUAL)
    assert_same(found, expected, rtol=2e-5, atol=2e-5)
    for key, value in found.items():
        assert value is None or value.dtype.kind != "f" or value.dtype == "float32" or value.ndim == 0, key


@pytest.mark.parametrize("name", CASES)
def test_a_definition_is_run_where_it_should_be(name, monkeypatch):
    """Lest the two that are compared are one: with no kernel to be found, the comparison above must be exact."""
    from numgpt import kernels

    monkeypatch.setattr(kernels, "namesake", lambda *_: None)
    with use_kernels("plain"):
        expected = outcome(name, Draw(0), USUAL)
    with use_kernels("fast"):
        assert_same(outcome(name, Draw(0), USUAL), expected, rtol=0, atol=0)
