"""kernels/gpu*.py against kernels/cpu*.py, in float64, where the two may differ by rounding only."""

from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numgpt import InputError, kernels

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def both(fake):
    """A function: call a kernel on copies of arrays, here and on the device; the results and the arrays must agree."""
    import cupy

    def both(kernel, *arrays, on_host=(), **others):
        here = [np.array(array) for array in arrays]
        there = [array if i in on_host else cupy.asarray(array) for i, array in enumerate(arrays)]
        expected, found = kernel(*here, **others), kernel(*there, **others)
        for a, b in zip(flat(expected), flat(found), strict=True):
            assert_close(a, b)
        for a, b in zip(here, there, strict=True):
            assert_close(a, b)

    return both


def flat(results):
    return results if isinstance(results, tuple) else (results,)


def assert_close(expected, found):
    found = found.get() if hasattr(found, "get") else found
    assert np.shape(expected) == np.shape(found)
    if expected is not None:
        assert np.allclose(np.asarray(expected, float), np.asarray(found, float), rtol=1e-11, atol=1e-11)


@few
@given(seeds, st.integers(1, 3), st.integers(1, 5), st.integers(2, 9))
def test_elementwise_and_rows(both, seed, B, T, C):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, B, T, C))
    weight, bias = rng.standard_normal((2, C))
    both(kernels.gelu, x)
    both(kernels.gelu_backward, dy, x)
    both(kernels.layernorm, x, weight, bias, eps=1e-5)
    _, xhat, rstd = kernels.layernorm(x, weight, bias, 1e-5)
    both(kernels.layernorm_backward, dy, xhat, rstd, weight, *rng.standard_normal((2, C)))
    both(kernels.drop, x, rng.random(x.shape) < 0.4, keep_rate=0.6)
    both(kernels.squared_norm, x.reshape(-1))
    both(kernels.scatter_add, rng.standard_normal((4, C)), rng.integers(0, 4, (B, T)), x)


@few
@given(seeds, st.integers(1, 9), st.integers(2, 30), st.sampled_from([1.0, 100.0]))
def test_tied_cross_entropy(both, seed, rows, V, spread):
    rng = np.random.default_rng(seed)
    targets = rng.integers(-1, V, rows)
    targets[0] = V - 1

    def there_and_back(x, weight, targets, dweight):
        loss, kept = kernels.tied_cross_entropy(x, weight, targets, -1)
        return loss, kernels.tied_cross_entropy_backward(kept, x, weight, targets, -1, dweight)

    x, weight, dweight = spread * rng.standard_normal((rows, 3)), *rng.standard_normal((2, V, 3))
    both(there_and_back, x, weight, targets, dweight, on_host=[2])


@few
@given(seeds, st.integers(1, 50), st.sampled_from([0.0, 0.1]))
def test_adamw(both, seed, size, decay):
    rng = np.random.default_rng(seed)
    w, g, m = rng.standard_normal((3, size))
    v = rng.random(size)
    both(kernels.adamw_update, w, g, m, v, lr=0.01, beta1=0.9, beta2=0.99, root=1.5, eps=1e-8, decay=decay)


@pytest.mark.parametrize("queries", [1, 2, 64])
@few
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_attention(both, queries, seed, B, H, T, D, dropout):
    from numgpt.kernels import gpu_attention

    gpu_attention.FEWEST, gpu_attention.SCORES = queries, 1
    rng = np.random.default_rng(seed)
    q, k, v = rng.standard_normal((B, T, 3, H, D)).transpose(2, 0, 3, 1, 4)
    do = rng.standard_normal((B, T, H, D)).swapaxes(1, 2)
    others = {"scale": 0.7, "dropped": None, "keep_rate": 0.7}
    arrays = [rng.random((B, H, T, T)) < 0.3] if dropout else []

    def forward(q, k, v, *dropped):
        return kernels.attention(q, k, v, **{**others, **({"dropped": dropped[0]} if dropped else {})})

    def backward(do, q, k, v, o, lse, *dropped):
        return kernels.attention_backward(
            do, q, k, v, o, lse, **{**others, **({"dropped": dropped[0]} if dropped else {})}
        )

    both(forward, q, k, v, *arrays)
    o, lse = forward(q, k, v, *arrays)
    both(backward, do, q, k, v, o, lse, *arrays)


@few
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(0, 5), st.booleans())
def test_attention_to_a_cached_past(both, seed, B, H, T, past, padded):
    rng = np.random.default_rng(seed)
    q = rng.standard_normal((B, H, T, 4))
    k, v = rng.standard_normal((2, B, H, past + T + 3, 4))[:, :, :, : past + T]
    start = [rng.integers(0, past + T, B)] if padded else []
    both(lambda q, k, v, *start: kernels.attention(q, k, v, 0.5, start=start[0] if start else None), q, k, v, *start)


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
    from numgpt.kernels import gpu_matmul

    on_device = fake.ndarray(a), fake.ndarray(b)  # not asarray, which would lay them out anew
    assert np.allclose(gpu_matmul.matmul(*on_device).get(), a @ b)
    whole = rng.standard_normal((*a.shape[:-2], a.shape[-2] + 2, b.shape[-1]))
    out = fake.ndarray(whole.copy())
    gpu_matmul.gemm(*on_device, out[..., 1:-1, :], scale=0.5, add=True)
    whole[..., 1:-1, :] += 0.5 * (a @ b)
    assert np.allclose(out.get(), whole)


@pytest.mark.parametrize("before", [0.0, 1.0])
def test_linear(both, before):
    rng = np.random.default_rng(0)
    x, dy, weight = rng.standard_normal((6, 4)), rng.standard_normal((6, 5)), rng.standard_normal((4, 5))
    both(kernels.product, x, weight)
    both(kernels.linear, x, weight, rng.standard_normal(5))
    both(kernels.linear_backward, dy, x, weight, np.full((4, 5), before), np.full(5, before))


@pytest.fixture
def restored_precision(fake):
    yield
    kernels.set_precision("float32", "cuda")


@pytest.mark.parametrize(("precision", "bits"), [("float32", 22), ("tf32", 10), ("bf16", 7)])
def test_precision_is_that_of_the_factors(fake, restored_precision, precision, bits):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 64, 64)).astype(np.float32)
    kernels.set_precision(precision, "cuda")
    for x, y in (a, b), (a.T, b.T):
        found = kernels.product(fake.ndarray(x), fake.ndarray(y))
        assert found.dtype == np.float32
        error = np.linalg.norm(found.get() - x.astype(float) @ y) / np.linalg.norm(x @ y)
        assert error < 2.0**-bits
        assert precision == "float32" or error > 2.0 ** -(bits + 4)
    exact = kernels.product(fake.ndarray(a.astype(float)), fake.ndarray(b.astype(float)))
    assert np.allclose(exact.get(), a.astype(float) @ b, rtol=1e-13)


def test_bfloat16_is_rounded_to_nearest_even(fake):
    from numgpt.kernels.gpu_matmul import bfloat16

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


def test_an_unknown_precision(fake):
    with pytest.raises(InputError, match="float32, tf32, bf16"):
        kernels.set_precision("fp8", "cuda")


@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.999])
def test_dropped_as_often_as_asked(fake, p):
    n = 200_001
    rng = np.random.default_rng(1)
    like = fake.asarray(np.zeros(1))
    first, second = (kernels.draw_dropped(rng, (n,), p, like).get() for _ in range(2))
    for dropped in first, second:
        assert dropped.dtype == bool
        assert abs(dropped.mean() - p) < 5 * np.sqrt(p * (1 - p) / n)
    for lag in 1, 2, 3, 64, 1024:
        assert abs(np.corrcoef(first[:-lag], first[lag:])[0, 1]) < 0.02
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert np.array_equal(kernels.draw_dropped(np.random.default_rng(1), (n,), p, like).get(), first)
