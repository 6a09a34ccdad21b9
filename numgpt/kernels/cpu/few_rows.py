"""A few rows times a large matrix: the products of generation, whose time goes into reading the matrix.

BLAS copies a matrix into an order of its own before it multiplies by it, which pays where many rows share the copy. In
small products, OpenBLAS's kernels for AVX-512 read the matrix where it lies. So there a large one is cut into small
ones.
"""

from functools import cache

import numpy as np

from numgpt.kernels.cpu.threads import blas_libraries, equal_parts, n_cores, run_all

FEW = 16  # rows
IN_PLACE = {"SkylakeX"}  # OpenBLAS's name for its kernels for AVX-512 that come with NumPy
SMALL = 10**6  # multiplications of a small product at most
SMALL_TRANSPOSED = 2**10  # elements of it at most where the matrix is transposed
LARGE = 2**20  # elements of a matrix from which on two threads are faster than one
DEEP = 32  # rows of the matrix in a piece: more of them lie in too many pages of memory
SHALLOW = 8  # rows below which adding up the pieces takes longer than is won


def times_matrix(x, weight):
    """x @ weight for x, (M, K), of FEW rows or fewer and weight, (K, N)."""
    (M, K), N = x.shape, weight.shape[1]
    if not worth_cutting(x, weight) or (depth := min(DEEP, K, SMALL // (M * N))) < SHALLOW:
        return x @ weight
    n = K // depth
    rows, blocks = x[:, : n * depth].reshape(M, n, depth).swapaxes(0, 1), weight[: n * depth].reshape(n, depth, N)
    parts = equal_parts(n, min(n, n_cores()))
    sums = [None] * len(parts)

    def one_part(i):
        sums[i] = np.matmul(rows[parts[i]], blocks[parts[i]]).sum(0)

    run_all(one_part, range(len(parts)), weight.size >= LARGE)
    if n * depth < K:
        sums.append(x[:, n * depth :] @ weight[n * depth :])
    return sum(sums[1:], start=sums[0])


def times_transposed(x, weight):
    """x @ weight^T for x, (M, K), of FEW rows or fewer and weight, (N, K)."""
    M, K = x.shape
    if not worth_cutting(x, weight) or (width := min(SMALL_TRANSPOSED // M, SMALL // (M * K))) == 0:
        return x @ weight.T
    n = len(weight) // width
    y = np.empty((M, len(weight)), x.dtype)
    blocks, columns = weight[: n * width].reshape(n, width, K), y[:, : n * width].reshape(M, n, width).swapaxes(0, 1)

    def one_part(here):
        np.matmul(x, blocks[here].swapaxes(1, 2), out=columns[here])

    run_all(one_part, equal_parts(n, min(n, n_cores())), weight.size >= LARGE)
    np.matmul(x, weight[n * width :].T, out=y[:, n * width :])
    return y


def worth_cutting(x, weight):
    """Whether small products read the matrix in place, and this one has several rows and is not small.

    All such products of a model are cut: a thread of BLAS's own that served one of them would still be asking for more
    work, and take a core from the threads of the next.
    """
    return len(x) > 1 and len(x) * weight.size > SMALL and reads_in_place()


@cache
def reads_in_place():
    """Whether every BLAS in the process has a kernel for small products that copies nothing."""
    kernels = {getattr(library, "architecture", None) for library in blas_libraries()}
    return bool(kernels) and kernels <= IN_PLACE
