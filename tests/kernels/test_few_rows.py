"""A few rows times a large matrix, cut into small products."""

from types import SimpleNamespace

import numpy as np
import pytest

from numgpt.kernels.cpu import few_rows
from numgpt.kernels.cpu.few_rows import reads_in_place


@pytest.fixture(autouse=True)
def small_and_in_place(monkeypatch):
    """Cut whatever the processor is, at sizes that a test can afford."""
    monkeypatch.setattr(few_rows, "LARGE", 1)
    monkeypatch.setattr(few_rows, "SMALL", 4000)
    monkeypatch.setattr(few_rows, "SMALL_TRANSPOSED", 16)
    monkeypatch.setattr(few_rows, "reads_in_place", lambda: True)
    monkeypatch.setattr(few_rows, "n_cores", lambda: 3)


@pytest.fixture
def parts(monkeypatch):
    """Into how many parts each product was cut."""
    counts = []
    run = few_rows.run_all
    monkeypatch.setattr(
        few_rows, "run_all", lambda work, items, *how: (counts.append(len(items)), run(work, items, *how))
    )
    return counts


@pytest.mark.parametrize("large", [1, 2**62], ids=["threads", "no threads"])
@pytest.mark.parametrize("M", [2, 3, 8])
@pytest.mark.parametrize(("K", "N"), [(160, 30), (170, 31)], ids=["even", "with a rest"])
def test_a_cut_product_is_the_product(K, N, M, large, parts, monkeypatch):
    monkeypatch.setattr(few_rows, "LARGE", large)
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((M, K)), rng.standard_normal((K, N))
    np.testing.assert_allclose(few_rows.times_matrix(x, weight), x @ weight, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(few_rows.times_transposed(x, weight.T), x @ weight, rtol=1e-12, atol=1e-12)
    assert parts == [3, 3]


@pytest.mark.parametrize(
    ("M", "K", "N"),
    [(1, 160, 30), (8, 16, 30), (8, 160, 600)],
    ids=["one row", "small", "rows too long for a piece"],
)
def test_what_would_not_be_faster_is_not_cut(M, K, N, parts):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((M, K)), rng.standard_normal((K, N))
    assert np.array_equal(few_rows.times_matrix(x, weight), x @ weight)
    assert not parts


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [(["SkylakeX"], True), (["Haswell"], False), (["SkylakeX", "Zen"], False), ([None], False), ([], False)],
)
def test_whether_kernels_copy_the_matrix(architectures, expected, monkeypatch, parts):
    libraries = [SimpleNamespace(architecture=name) for name in architectures]
    monkeypatch.setattr(few_rows, "blas_libraries", lambda: libraries)
    monkeypatch.setattr(few_rows, "reads_in_place", reads_in_place.__wrapped__)
    x, weight = np.ones((2, 160)), np.ones((160, 30))
    few_rows.times_matrix(x, weight)
    few_rows.times_transposed(x, weight.T)
    assert bool(parts) == expected
