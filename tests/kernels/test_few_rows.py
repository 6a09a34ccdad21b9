"""A few rows times a large matrix, cut into small products."""

import numpy as np
import pytest

from numgpt.kernels.cpu import few_rows


@pytest.fixture(autouse=True)
def small_and_in_place(monkeypatch):
    """Cut whatever the processor is, at sizes that a test can afford; the parts are counted."""
    monkeypatch.setattr(few_rows, "LARGE", 1)
    monkeypatch.setattr(few_rows, "SMALL", 4000)
    monkeypatch.setattr(few_rows, "SMALL_TRANSPOSED", 16)
    monkeypatch.setattr(few_rows, "reads_in_place", lambda: True)
    monkeypatch.setattr(few_rows, "n_cores", lambda: 3)


@pytest.fixture
def parts(monkeypatch):
    """How many parts each product was cut into."""
    counts = []
    run = few_rows.run_side_by_side
    monkeypatch.setattr(few_rows, "run_side_by_side", lambda work, items: (counts.append(len(items)), run(work, items)))
    return counts


@pytest.mark.parametrize("M", [2, 3, 8])
@pytest.mark.parametrize(("K", "N"), [(160, 30), (170, 31), (9, 40)], ids=["even", "with a rest", "one piece"])
def test_a_cut_product_is_the_product(M, K, N, parts):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((M, K)), rng.standard_normal((K, N))
    np.testing.assert_allclose(few_rows.times_matrix(x, weight), x @ weight, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(few_rows.times_transposed(x, weight.T), x @ weight, rtol=1e-12, atol=1e-12)
    assert parts == [1 if K == 9 else 3, 3]


@pytest.mark.parametrize(("M", "K", "N"), [(1, 160, 30), (8, 160, 600)], ids=["one row", "rows too long for a piece"])
def test_what_would_not_be_faster_is_not_cut(M, K, N, parts):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((M, K)), rng.standard_normal((K, N))
    assert np.array_equal(few_rows.times_matrix(x, weight), x @ weight)
    assert not parts


def test_where_kernels_would_copy_the_matrix_nothing_is_cut(monkeypatch, parts):
    monkeypatch.setattr(few_rows, "reads_in_place", lambda: False)
    x, weight = np.ones((2, 160)), np.ones((160, 30))
    few_rows.times_matrix(x, weight), few_rows.times_transposed(x, weight.T)
    assert not parts
