"""The GPU's kernels, on the stand-in for CuPy: each equals its definition, and what only they have is right."""

from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from definition_cases import CASES, Draw, Sizes, assert_same, outcome, seeds, some_sizes
from numgpt import InputError, kernels, use_kernels
from numgpt.layers.dropout import draw_dropped

pytestmark = pytest.mark.usefixtures("kernels_run")
USUAL = Sizes(B=3, T=50, past=20, H=4, D=12, V=70)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=[1, 2, 64])
def queries(fake, request, monkeypatch):
    """So many queries are a block of attention's."""
    from numgpt.kernels.gpu import attention

    monkeypatch.setattr(attention, "FEWEST", request.param)
    monkeypatch.setattr(attention, "SCORES", 1)


@pytest.mark.parametrize("name", CASES)
@few
@given(seeds, some_sizes)
def test_a_kernel_equals_its_definition(fake, queries, name, seed, sizes):
    """The definition runs on NumPy's arrays."""
    with use_kernels("plain"):
        expected = outcome(name, Draw(seed), sizes)
    assert_same(outcome(name, Draw(seed), sizes, fake.place), expected)


@pytest.mark.parametrize("name", [name for name in CASES if name != "tied_cross_entropy of large logits"])
def test_float32_stays_float32(fake, name):
    found = outcome(name, Draw(0, "float32"), USUAL, fake.place)
    with use_kernels("plain"):
        assert_same(found, outcome(name, Draw(0), USUAL), rtol=2e-5, atol=2e-5)
    for key, value in found.items():
        assert value is None or value.dtype.kind != "f" or value.dtype == "float32" or value.ndim == 0, key


def test_kernels_are_what_runs(fake):
    from numgpt.kernels.gpu import attention

    assert kernels.namesake("gpu", "attention", "attention") is attention.attention
    found = outcome("attention", Draw(0), USUAL, fake.place)
    with use_kernels("plain"):
        assert not np.array_equal(found["result 0"], outcome("attention", Draw(0), USUAL, fake.place)["result 0"])


LAYOUTS = {
    "rows": lambda x: x,
    "columns": lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2),
    "part of wider rows": lambda x: np.concatenate([x, x], -1)[..., : x.shape[-1]],
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "stacked unevenly": lambda x: np.ascontiguousarray(np.moveaxis(x, -2, 0)).transpose(*range(1, x.ndim - 1), 0, -1),
}


@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (2, 1), (1, 3)])
@pytest.mark.parametrize("sizes", [(4, 5, 6), (1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 1)])
def test_products_of_any_layout(fake, sizes, lead):
    M, K, N = sizes
    rng = np.random.default_rng(0)
    for of_a, of_b in product(LAYOUTS.values(), LAYOUTS.values()):
        check_product(fake, of_a(rng.standard_normal((*lead, M, K))), of_b(rng.standard_normal((*lead, K, N))), rng)


def check_product(fake, a, b, rng):
    from numgpt.kernels.gpu.matmul import gemm, matmul

    on_device = fake.ndarray(a), fake.ndarray(b)  # not asarray, which would lay them out anew
    assert np.allclose(matmul(*on_device).get(), a @ b)
    whole = rng.standard_normal((*a.shape[:-2], a.shape[-2] + 2, b.shape[-1]))
    out = fake.ndarray(whole.copy())
    gemm(*on_device, out[..., 1:-1, :], scale=0.5, add=True)
    whole[..., 1:-1, :] += 0.5 * (a @ b)
    assert np.allclose(out.get(), whole)


@pytest.fixture
def restored_precision(fake):
    yield
    kernels.set_precision("float32", "cuda")


@pytest.mark.parametrize(("precision", "bits"), [("float32", 22), ("tf32", 10), ("bf16", 7)])
def test_precision_is_that_of_the_factors(fake, restored_precision, precision, bits):
    from numgpt.kernels.gpu.matmul import matmul

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 64, 64)).astype(np.float32)
    kernels.set_precision(precision, "cuda")
    for x, y in (a, b), (a.T, b.T):
        found = matmul(fake.ndarray(x), fake.ndarray(y))
        assert found.dtype == np.float32
        error = np.linalg.norm(found.get() - x.astype(float) @ y) / np.linalg.norm(x @ y)
        assert error < 2.0**-bits
        assert precision == "float32" or error > 2.0 ** -(bits + 4)
    exact = matmul(fake.ndarray(a.astype(float)), fake.ndarray(b.astype(float)))
    assert np.allclose(exact.get(), a.astype(float) @ b, rtol=1e-13)


def test_bfloat16_is_rounded_to_nearest_even(fake):
    from numgpt.kernels.gpu.matmul import bfloat16

    x = np.array([[1, 1 + 2**-8, 1 + 2**-7, 1 + 3 * 2**-8, -1 - 2**-8 - 2**-20, 3e38, np.inf, -np.inf]], np.float32)
    found = fake.bfloat16_values(bfloat16(fake.ndarray(x)).get())
    assert found.tolist() == [[1, 1, 1 + 2**-7, 1 + 2**-6, -1 - 2**-7, found[0, 5], np.inf, -np.inf]]
    assert found[0, 5] == pytest.approx(3e38, rel=2**-8)
    nans = np.array([[0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001]], np.uint32).view(np.float32)
    assert np.isnan(fake.bfloat16_values(bfloat16(fake.ndarray(nans)).get())).all()


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_the_cpu_has_float32_only(precision):
    with pytest.raises(InputError, match="needs device 'cuda'"):
        kernels.set_precision(precision, "cpu")
    kernels.set_precision("float32", "cpu")


def test_an_old_gpu_has_float32_only(fake, monkeypatch):
    monkeypatch.setattr(fake.Device, "compute_capability", "75")
    with pytest.raises(InputError, match=r"needs a GPU of compute capability 8.0, and this one has 7.5"):
        kernels.set_precision("bf16", "cuda")
    kernels.set_precision("float32", "cuda")


def test_definitions_have_float32_only(fake):
    with use_kernels("plain"):
        with pytest.raises(InputError, match=r"'bf16' needs 'fast' kernels: definitions compute in float32"):
            kernels.set_precision("bf16", "cuda")
        kernels.set_precision("float32", "cuda")


def test_an_unknown_precision(fake):
    with pytest.raises(InputError, match="float32, tf32, bf16"):
        kernels.set_precision("fp8", "cuda")


@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.999])
def test_dropped_as_often_as_asked(fake, p):
    n = 200_001
    rng = np.random.default_rng(1)
    like = fake.asarray(np.zeros(1))
    first, second = (draw_dropped(rng, (n,), p, like).get() for _ in range(2))
    for dropped in first, second:
        assert dropped.dtype == bool
        assert abs(dropped.mean() - p) < 5 * np.sqrt(p * (1 - p) / n)
    for lag in 1, 2, 3, 64, 1024:
        assert abs(np.corrcoef(first[:-lag], first[lag:])[0, 1]) < 0.02
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert np.array_equal(draw_dropped(np.random.default_rng(1), (n,), p, like).get(), first)
