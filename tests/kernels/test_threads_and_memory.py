"""What the CPU's kernels stand on: threads beside BLAS's own, and memory that is used again."""

import threading
from threading import get_ident
from time import sleep

import numpy as np
import pytest

from definition_cases import Draw, Sizes, assert_same, outcome
from numgpt.kernels.cpu import attention, memory, threads


@pytest.mark.parametrize("name", ["attention", "attention with dropout", "attention to a padded past"])
def test_attention_is_the_same_with_and_without_threads(name, monkeypatch):
    results = []
    for threaded in (0, 2**60):
        monkeypatch.setattr(attention, "THREADED", threaded)
        results.append(outcome(name, Draw(0, "float32"), Sizes(B=3, T=50, past=5, H=4, D=8, V=1)))
    assert_same(*results, rtol=1e-5, atol=1e-6)


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


def test_threads_ask_numpy_what_the_caller_asks():
    seen = []
    with np.errstate(over="ignore", divide="raise"):
        wanted = np.geterr()
        threads.run_side_by_side(lambda _: (sleep(0.01), seen.append((get_ident(), np.geterr()))), range(8))
    assert len({thread for thread, _ in seen}) == min(8, threads.n_cores())
    assert all(asked == wanted for _, asked in seen)


def test_a_child_forked_in_the_middle_of_work_has_blas_threads_again():
    _, blas = threads.helpers()
    before = [library.num_threads for library in blas]
    during = threading.Event()
    ended = threading.Event()
    worker = threading.Thread(target=threads.run_side_by_side, args=(lambda _: (during.set(), ended.wait(20)), [1]))
    worker.start()
    during.wait(20)
    try:
        threads.start_anew()  # what the child of a fork does
        assert [library.num_threads for library in blas] == before
        done = []
        threads.run_side_by_side(lambda _: done.append([library.num_threads for library in blas]), [1])
        assert done == [[1] * len(blas)]
    finally:
        ended.set()
        worker.join()


def test_threads_within_threads_and_limits_of_blas():
    done = []
    threads.run_side_by_side(lambda i: threads.run_side_by_side(done.append, [i, i]), [1, 2, 3])
    assert sorted(done) == [1, 1, 2, 2, 3, 3]
    _, blas = threads.helpers()
    before = [library.num_threads for library in blas]
    inside = []
    threads.run_side_by_side(lambda _: inside.extend(library.num_threads for library in blas), [1])
    assert [library.num_threads for library in blas] == before
    assert set(inside) <= {1}


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
    assert sum(size * len(blocks) for size, blocks in memory.pool.free.items()) <= 10**6


def test_used_memory_makes_a_large_process_no_larger_than_its_arrays_were(monkeypatch):
    """Blocks of one size that nobody uses make room for those of another."""
    monkeypatch.setattr(memory, "FREELY", 10**6)
    pool = memory.Pool()
    first = [pool.take(10**6) for _ in range(5)]
    for block in first:
        pool.give_back(block)
    second = [pool.take(3 * 10**5 + n) for n in range(0, 5 * 10**5, 10**5)]  # 2.5 MB, none of a size that is free
    del first, block
    assert [block.nbytes for block in second] == [300_000, 400_000, 500_000, 600_000, 700_000]
    kept = sum(size * len(blocks) for size, blocks in pool.free.items())
    assert kept + sum(block.nbytes for block in second) <= pool.most == 5 * 10**6
    assert kept == 2 * 10**6


def test_an_array_that_dies_while_memory_is_looked_for_is_taken_in_later():
    pool = memory.Pool()
    block = pool.take(10**6)
    with pool.lock:
        pool.give_back(block)
        assert pool.in_use == 10**6
    assert pool.take(10**6) is block
    assert pool.in_use == 10**6


def test_memory_that_is_not_there_is_an_error_as_numpy_s():
    with pytest.raises(MemoryError, match="1,000,000,000,000,000 bytes"):
        memory.Pool().take(10**15)
