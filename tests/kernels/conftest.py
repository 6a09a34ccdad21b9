"""What is common to the tests of the CPU's kernels."""

import pytest

from numgpt.kernels import plain
from numgpt.kernels.cpu import attention, chunks, few_rows, loss, memory, products


@pytest.fixture(autouse=True)
def kernels_run():
    """Where the whole suite runs with NUMGPT_KERNELS=plain, these tests have nothing to say."""
    if plain():
        pytest.skip("NUMGPT_KERNELS=plain: no kernel runs")


@pytest.fixture(params=[5, 64, 10**6])
def chunk(request, monkeypatch):
    """Small chunks, tiles and pieces put every edge of them into small arrays."""
    monkeypatch.setattr(chunks, "CHUNK", request.param)
    monkeypatch.setattr(chunks, "THREADED", request.param)
    monkeypatch.setattr(chunks, "SMALL", request.param // 2)
    monkeypatch.setattr(few_rows, "FEW", min(16, request.param // 16))
    monkeypatch.setattr(few_rows, "SMALL", request.param)
    monkeypatch.setattr(few_rows, "SMALL_TRANSPOSED", request.param)
    monkeypatch.setattr(few_rows, "LARGE", request.param)
    monkeypatch.setattr(few_rows, "SHALLOW", 1)
    monkeypatch.setattr(few_rows, "reads_in_place", lambda: True)
    monkeypatch.setattr(products, "SMALL", request.param)
    monkeypatch.setattr(products, "LARGE", 10 * request.param)
    monkeypatch.setattr(products, "ADDED", request.param)
    monkeypatch.setattr(loss, "CHUNK", request.param)
    monkeypatch.setattr(loss, "BLOCK", request.param)
    monkeypatch.setattr(attention, "TILE", request.param)
    monkeypatch.setattr(attention, "BLOCK", 3 if request.param == 64 else 128)
    monkeypatch.setattr(attention, "THREADED", request.param)
    monkeypatch.setattr(memory, "SMALL", min(2**16, request.param))
