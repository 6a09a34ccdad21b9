"""Every hand-written gradient against the complex step, at shapes and values that hypothesis chooses.

The definitions are proven to 1e-13 of the gradient. Three are not where they come to an extreme, for an honest reason:
the gradient is then what is left when two numbers of nearly the same size are subtracted, and the rounding of those
remains. There the error is held to 1e-13 of what is subtracted.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt import GPT, GPTConfig, InputError, gradcheck
from numgpt.gradcheck.cases import (
    CASES,
    Sizes,
    gelu_case,
    layernorm_case,
    some_targets,
)
from numgpt.gradcheck.definitions import COMPLEX_STEP, DIFFERENCES, gradients_of, hold, prove
from numgpt.gradcheck.whole import check_composite, check_model
from numgpt.kernels import use_kernels
from numgpt.layers import ExactGELU, FeedForward, ReLU, Swish
from numgpt.layers.dropout import drop

seeds = st.integers(0, 2**32 - 1)
shapes = st.builds(
    Sizes, B=st.integers(1, 3), T=st.integers(2, 6), H=st.integers(1, 3), D=st.integers(3, 5), V=st.integers(2, 9)
)
few = settings(max_examples=15, deadline=None)


def assert_right(rows):
    rows = list(rows)
    assert rows
    assert all(row.ok for row in rows), "\n".join(map(str, rows))


@pytest.mark.parametrize("name", gradcheck.CHECKS)
def test_every_check_of_the_command_passes(name):
    assert_right(gradcheck.check(name, seed=11))


def test_an_unknown_check_names_those_that_exist():
    with pytest.raises(InputError, match="'perceptron'.*attention.*model.*adamw"):
        gradcheck.check("perceptron")


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("attention", "cross", "tied-cross"))])
@few
@given(seeds, shapes)
def test_definitions_of_any_size(name, seed, sizes):
    assert_right(prove(CASES[name], seed, sizes))


@few
@given(seeds, shapes)
def test_kernels_of_any_size(seed, sizes):
    """Sizes far below and a little above a chunk; what takes several tiles is checked by the command."""
    for make in CASES.values():
        assert all(row.ok for row in hold(make, seed, sizes=sizes._replace(T=20 * sizes.T, V=50 * sizes.V)))


@few
@given(seeds, shapes, st.sampled_from([1e-4, 1e-3, 3e-3, 1.0, 30.0, 1e3]))
def test_layernorm_from_variances_far_below_eps_to_far_above(seed, sizes, scale):
    assert_right(prove(lambda rng, n: layernorm_case(rng, n, scale), seed, sizes))


@few
@given(seeds, shapes, st.sampled_from([1e-6, 0.01, 1.0, 3.0, 30.0]))
def test_gelu_from_the_linear_to_the_bent_and_beyond(seed, sizes, scale):
    assert_right(prove(scaled(gelu_case, scale), seed, sizes))


def scaled(make, scale):
    """The case of `make` with larger values."""

    def larger(rng, n):
        case = make(rng, n)
        return case._replace(arrays={name: scale * array for name, array in case.arrays.items()})

    return larger


def error(make, seed, sizes):
    """Norms of the errors of a case's gradients, and all that its plain forward keeps."""
    case = make(np.random.default_rng(seed), sizes)
    rng = np.random.default_rng(seed)
    with use_kernels("plain"):
        y, kept = case.forward(case.arrays)
        dy = rng.standard_normal(y.shape) if np.ndim(y) else 1.0
        found = gradients_of(case, case.arrays, dy, rng)
        arrays = {name: array.astype(complex) for name, array in case.arrays.items()}
        expected = {
            name: gradcheck.complex_step(lambda: (case.forward(arrays)[0] * dy).sum(), array)
            for name, array in arrays.items()
        }
    return {name: np.linalg.norm(found[name] - expected[name]) for name in found}, dy, kept, case.arrays


@few
@given(seeds, shapes, st.sampled_from([1.0, 30.0, 1e6]))
def test_layernorm_of_two_channels(seed, sizes, scale):
    """xhat is +-1 whatever x is, but for eps: dx is what is left of g - mean(g) - xhat mean(g xhat), nearly nothing."""
    errors, dy, kept, arrays = error(lambda rng, n: layernorm_case(rng, n, scale), seed, sizes._replace(H=1, D=2))
    assert errors["x"] <= COMPLEX_STEP * np.linalg.norm(kept.rstd * dy * arrays["weight"])


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("attention")])
@few
@given(seeds, shapes, st.sampled_from([1.0, 3.0, 10.0, 100.0]))
def test_attention_to_many_positions_and_to_one(name, seed, sizes, scale):
    """Where p is nearly 1, dp - sum(dp p) is what is left of two equals."""
    errors, do, kept, _ = error(scaled(CASES[name], scale), seed, sizes)
    dp = drop(do @ kept.v.swapaxes(-1, -2), kept.dropped, kept.p_drop)
    subtracted = np.linalg.norm(kept.p * dp) * kept.scale
    assert errors["q"] <= COMPLEX_STEP * subtracted * np.linalg.norm(kept.k)
    assert errors["k"] <= COMPLEX_STEP * subtracted * np.linalg.norm(kept.q)
    assert errors["v"] <= COMPLEX_STEP * np.linalg.norm(kept.p) * np.linalg.norm(do)


@pytest.mark.parametrize(
    ("name", "scale"), [("cross-entropy", 1), ("cross-entropy", 30), ("cross-entropy", 1e4), ("tied-cross-entropy", 1)]
)
@few
@given(seeds, shapes)
def test_cross_entropy_of_any_size_and_of_what_was_certain(name, scale, seed, sizes):
    """p - 1 is what is left where the target had nearly all probability; the larger of the two is 1, divided by N."""
    errors, _, kept, arrays = error(scaled(CASES[name], scale), seed, sizes)
    subtracted = 1 / len((kept.surprise if name.startswith("tied") else kept).log_p)
    times = {"logits": 1.0, "x": arrays.get("weight"), "weight": arrays.get("x")}
    for tensor in arrays:
        assert errors[tensor] <= COMPLEX_STEP * subtracted * np.linalg.norm(times[tensor])


@pytest.mark.parametrize("act", [ReLU, ExactGELU, Swish, lambda: Swish(1.702)])
@settings(max_examples=4, deadline=None)
@given(seeds)
def test_feedforward_with_another_activation(act, seed):
    """The complex step is exact for ReLU too, since NumPy's maximum goes by the real part."""
    rng = np.random.default_rng(seed)
    assert_right(check_composite(FeedForward(12, act=act()), rng)("cpu"))


@settings(max_examples=4, deadline=None)
@given(seeds, shapes, st.integers(1, 3), st.sampled_from([0.0, 0.3]))
def test_whole_model(seed, sizes, n_layer, dropout):
    """At least two sequences: of a single one, nearly all of a gradient can cancel as above."""
    rng = np.random.default_rng(seed)
    B, T, H, D, V = sizes = sizes._replace(B=sizes.B + 1, T=sizes.T + 1, D=sizes.D + 1, V=sizes.V + 2)
    config = GPTConfig(n_vocab=V, n_ctx=T + 1, n_embd=H * D, n_head=H, n_layer=n_layer, dropout=dropout)
    model = GPT(config, seed=None, dtype="float64")
    assert_right(check_model(model, rng.integers(0, V, (B, T)), some_targets(rng, sizes), rng, "cpu"))


def test_differences_are_exact_to_what_is_asked_of_them():
    """Of a function with known derivatives, which bends as much as a loss does."""
    x = np.random.default_rng(0).standard_normal((2, 3))
    found = gradcheck.differences(lambda: np.sin(3 * x).sum(), x)
    assert gradcheck.compare("x", found, 3 * np.cos(3 * x), "definition", "differences", DIFFERENCES).ok


def test_the_complex_step_refuses_what_drops_the_imaginary_part():
    x = np.ones(2, complex)
    with pytest.raises(np.exceptions.ComplexWarning):
        gradcheck.complex_step(lambda: x.astype(float).sum(), x)


def test_a_gradient_that_is_not_a_number_or_has_another_shape_fails():
    def ok(found):
        return gradcheck.compare("x", found, np.ones(2), "definition", "differences", 1e-8).ok

    assert ok(np.ones(2))
    assert not ok(np.array([np.nan, 1.0]))
    assert not ok(np.array([np.inf, 1.0]))
    assert not ok(np.ones(1))
    assert not ok(np.ones((1, 2)))
