"""Every kernel against its plain twin: the formula of its docstring, written down with nothing clever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt import kernels
from numgpt.kernels import cpu, cpu_attention, cpu_linear, cpu_loss, memory, threads

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=40, deadline=None)


def plain_gelu(x):
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def plain_gelu_backward(dy, x):
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    du = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
    return dy * ((1 + t) / 2 + x * (1 - t**2) * du / 2)


def plain_layernorm(x, weight, bias, eps):
    rstd = 1 / np.sqrt(x.var(-1, keepdims=True) + eps)
    xhat = (x - x.mean(-1, keepdims=True)) * rstd
    return xhat * weight + bias, xhat, rstd


def plain_layernorm_backward(dy, xhat, rstd, weight):
    g = dy * weight
    dx = rstd * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
    positions = tuple(range(dy.ndim - 1))
    return dx, (dy * xhat).sum(positions), dy.sum(positions)


def plain_attention(q, k, v, scale, dropped=None, keep_rate=1.0, start=None):
    T, S = q.shape[2], k.shape[2]
    s = q @ k.swapaxes(-1, -2) * scale
    t, u = np.arange(S - T, S)[:, None], np.arange(S)
    hidden = np.broadcast_to(u > t, s.shape).copy()
    if start is not None:
        hidden |= (u < start[:, None, None, None]) & (u != t)
    s[hidden] = -np.inf
    p = np.exp(s - s.max(-1, keepdims=True))
    total = p.sum(-1, keepdims=True)
    lse = s.max(-1, keepdims=True) + np.log(total)
    p /= total
    m = 1 if dropped is None else ~dropped / keep_rate
    return (p * m) @ v, lse, p, m


def plain_attention_backward(do, q, k, v, scale, dropped=None, keep_rate=1.0):
    _, _, p, m = plain_attention(q, k, v, scale, dropped, keep_rate)
    dp = do @ v.swapaxes(-1, -2) * m
    ds = p * (dp - (dp * p).sum(-1, keepdims=True))
    return ds @ k * scale, ds.swapaxes(-1, -2) @ q * scale, (p * m).swapaxes(-1, -2) @ do


# Small chunks and tiles put every edge of them into small arrays.
@pytest.fixture(params=[5, 64, 10**6], autouse=True)
def chunk(request, monkeypatch):
    monkeypatch.setattr(cpu, "CHUNK", request.param)
    monkeypatch.setattr(cpu, "THREADED", request.param)
    monkeypatch.setattr(cpu_linear, "SMALL", request.param)
    monkeypatch.setattr(cpu_loss, "CHUNK", request.param)
    monkeypatch.setattr(cpu_loss, "BLOCK", request.param)
    monkeypatch.setattr(cpu_attention, "TILE", request.param)
    monkeypatch.setattr(cpu_attention, "BLOCK", 3 if request.param == 64 else 128)


@few
@given(seeds, st.integers(1, 3), st.integers(1, 40), st.sampled_from([0.1, 1.0, 20.0]))
def test_gelu(seed, B, C, scale):
    rng = np.random.default_rng(seed)
    x, dy = scale * rng.standard_normal((2, B, C))
    assert np.allclose(kernels.gelu(x), plain_gelu(x), rtol=1e-13, atol=1e-13)
    assert np.allclose(kernels.gelu_backward(dy, x), plain_gelu_backward(dy, x), rtol=1e-12, atol=1e-12)
    turned = np.asfortranarray(x)
    assert np.array_equal(kernels.gelu(turned), kernels.gelu(x))
    assert np.array_equal(kernels.gelu_backward(np.asfortranarray(dy), turned), kernels.gelu_backward(dy, x))


@few
@given(seeds, st.integers(1, 3), st.integers(1, 7), st.integers(2, 30))
def test_layernorm(seed, B, T, C):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((2, B, T, C))
    weight, bias = rng.standard_normal((2, C))
    found, expected = kernels.layernorm(x, weight, bias, 1e-5), plain_layernorm(x, weight, bias, 1e-5)
    for a, b in zip(found, expected, strict=True):
        assert np.allclose(a, b, rtol=1e-11, atol=1e-11)
    dweight, dbias = rng.standard_normal((2, C))
    before = dweight.copy(), dbias.copy()
    dx = kernels.layernorm_backward(dy, *found[1:], weight, dweight, dbias)
    expected = plain_layernorm_backward(dy, *found[1:], weight)
    for a, b in zip((dx, dweight - before[0], dbias - before[1]), expected, strict=True):
        assert np.allclose(a, b, rtol=1e-11, atol=1e-11)


@few
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 9), st.integers(1, 5), st.booleans())
def test_attention(seed, B, H, T, D, dropout):
    rng = np.random.default_rng(seed)
    q, k, v = rng.standard_normal((B, T, 3, H, D)).transpose(2, 0, 3, 1, 4)
    do = rng.standard_normal((B, T, H, D)).swapaxes(1, 2)
    dropped = rng.random((B, H, T, T)) < 0.3 if dropout else None
    o, lse = kernels.attention(q, k, v, 0.7, dropped, 0.7)
    expected = plain_attention(q, k, v, 0.7, dropped, 0.7)
    assert np.allclose(o, expected[0], rtol=1e-11, atol=1e-11)
    assert np.allclose(lse, expected[1], rtol=1e-11, atol=1e-11)
    found = kernels.attention_backward(do, q, k, v, o, lse, 0.7, dropped, 0.7)
    for a, b in zip(found, plain_attention_backward(do, q, k, v, 0.7, dropped, 0.7), strict=True):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-10)


@few
@given(seeds, st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.integers(0, 5), st.booleans())
def test_attention_to_a_cached_past(seed, B, H, T, past, padded):
    rng = np.random.default_rng(seed)
    q = rng.standard_normal((B, H, T, 4))
    k, v = rng.standard_normal((2, B, H, past + T, 4))
    start = rng.integers(0, past + T, B) if padded else None
    o, _ = kernels.attention(q, k, v, 0.5, start=start)
    assert np.allclose(o, plain_attention(q, k, v, 0.5, start=start)[0], rtol=1e-11, atol=1e-11)


def test_attention_is_the_same_with_and_without_threads(monkeypatch):
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, 3, 4, 50, 8)).astype(np.float32)
    do = rng.standard_normal(q.shape).astype(np.float32)
    results = []
    for threaded in (0, 2**60):
        monkeypatch.setattr(cpu_attention, "THREADED", threaded)
        o, lse = kernels.attention(q, k, v, 0.3)
        results.append((o, kernels.attention_backward(do, q, k, v, o, lse, 0.3)))
    for one, other in zip(*results, strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_work_is_done_without_threadpoolctl(monkeypatch):
    monkeypatch.setattr(threads, "helpers", lambda: (None, []))
    done = []
    threads.run_side_by_side(done.append, [1, 2, 3])
    assert done == [1, 2, 3]


def test_an_error_in_a_thread_is_not_lost():
    def fail(item):
        raise ArithmeticError(item)

    with pytest.raises(ArithmeticError):
        threads.run_side_by_side(fail, [1, 2])


@few
@given(seeds, st.integers(1, 9), st.integers(2, 30), st.sampled_from([1.0, 100.0]), st.booleans())
def test_tied_cross_entropy(seed, N, V, spread, fresh):
    rng = np.random.default_rng(seed)
    x, weight = spread * rng.standard_normal((N, 3)), rng.standard_normal((V, 3))
    targets = rng.integers(-1, V, N)
    targets[0] = V - 1
    loss, kept = kernels.tied_cross_entropy(x, weight, targets, -1)
    counted = np.flatnonzero(targets >= 0)
    logits = x @ weight.T
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    dlogits = (np.exp(log_p) - np.eye(V)[targets]) / len(counted)
    dlogits[targets == -1] = 0
    assert loss == pytest.approx(-log_p[counted, targets[counted]].mean(), rel=1e-12)
    before = np.zeros((V, 3)) if fresh else rng.standard_normal((V, 3))
    dweight = before.copy()
    dx = kernels.tied_cross_entropy_backward(kept, x, weight, targets, -1, dweight)
    assert np.allclose(dx, dlogits @ weight, rtol=1e-11, atol=1e-12)
    assert np.allclose(dweight - before, dlogits.T @ x, rtol=1e-11, atol=1e-12 * spread)


@few
@given(seeds, st.integers(1, 200), st.integers(1, 30), st.sampled_from([0.0, 0.1]))
def test_adamw_update(seed, size, t, decay):
    rng = np.random.default_rng(seed)
    w, g, m = rng.standard_normal((3, size))
    v = rng.random(size)
    m1, v1 = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
    step = (m1 / (1 - 0.9**t)) / (np.sqrt(v1 / (1 - 0.99**t)) + 1e-8)
    expected = w * (1 - decay) - 0.01 * step
    kernels.adamw_update(w, g, m, v, 0.01 / (1 - 0.9**t), 0.9, 0.99, (1 - 0.99**t) ** -0.5, 1e-8, decay)
    for found, plain in ((w, expected), (m, m1), (v, v1)):
        assert np.allclose(found, plain, rtol=1e-10, atol=1e-12)


@few
@given(seeds, st.integers(1, 200))
def test_squared_norm(seed, size):
    x = np.random.default_rng(seed).standard_normal(size)
    assert kernels.squared_norm(x) == pytest.approx((x * x).sum(), rel=1e-13)


@few
@given(seeds, st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_linear(seed, N, n_in, n_out, fresh):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((N, n_in)), rng.standard_normal((N, n_out))
    weight, bias = rng.standard_normal((n_in, n_out)), rng.standard_normal(n_out)
    dweight, dbias = (0 if fresh else 1) * rng.standard_normal((n_in, n_out)), rng.standard_normal(n_out)
    expected = dy @ weight.T, dweight + x.T @ dy, dbias + dy.sum(0)
    assert np.allclose(kernels.product(x, weight), x @ weight, rtol=1e-12, atol=1e-12)
    assert np.allclose(kernels.linear(x, weight, bias), x @ weight + bias, rtol=1e-12, atol=1e-12)
    dx = kernels.linear_backward(dy, x, weight, dweight, dbias)
    for found, plain in zip((dx, dweight, dbias), expected, strict=True):
        assert np.allclose(found, plain, rtol=1e-12, atol=1e-12)


@few
@given(seeds, st.integers(1, 6), st.integers(1, 20))
def test_scatter_add(seed, n, length):
    rng = np.random.default_rng(seed)
    table, ids, rows = (
        rng.standard_normal((n, 3)),
        rng.integers(0, n, (2, length)),
        rng.standard_normal((2, length, 3)),
    )
    expected = table.copy()
    np.add.at(expected, ids, rows)
    kernels.scatter_add(table, ids, rows)
    assert np.allclose(table, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.999])
def test_dropped_as_often_as_asked(p):
    n = 200_001
    dropped = kernels.draw_dropped(np.random.default_rng(1), (n,), p)
    assert dropped.dtype == bool
    assert abs(dropped.mean() - p) < 5 * np.sqrt(p * (1 - p) / n) + 1 / 65536
    neighbours = np.corrcoef(dropped[:-1], dropped[1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_memory_is_used_again_only_when_no_view_is_left():
    x = memory.empty((300, 100), np.dtype("float32"))
    x[...] = 1
    address, view = x.ctypes.data, x.reshape(100, 300).T[5:, 1]
    del x
    y = memory.empty((300, 100), np.dtype("float32"))
    y[...] = 2
    assert y.ctypes.data != address
    assert (view == 1).all()
    del view
    assert memory.empty((100, 300), np.dtype("float32")).ctypes.data == address


def test_memory_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 10**6)
    for n in range(1, 30):
        memory.empty((n * 20_000,), np.dtype("float32"))
    assert sum(size * len(blocks) for size, blocks in memory._free.items()) <= 10**6


def test_threads_within_threads_and_limits_of_blas():
    done = []
    threads.run_side_by_side(lambda i: threads.run_side_by_side(done.append, [i, i]), [1, 2, 3])
    assert sorted(done) == [1, 1, 2, 2, 3, 3]
    pool, blas = threads.helpers()
    before = [library.num_threads for library in blas]
    inside = []
    threads.run_side_by_side(lambda _: inside.extend(library.num_threads for library in blas), [1])
    assert [library.num_threads for library in blas] == before
    assert set(inside) <= {1}
