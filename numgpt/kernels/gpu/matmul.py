"""Matrix products on the GPU, asked of cuBLAS directly.

CuPy's own `@` copies a transposed operand of a stack of matrices, has no bfloat16 for stacks, rounds a product of
bfloat16 to bfloat16, and cannot add to what is there already. One call of cuBLAS does all of these.
"""

import cupy
import numpy as np

from numgpt.errors import InputError

PRECISION = "float32"
AMPERE = 80  # the first whose tensor cores know tf32 and bf16


def set_precision(precision):
    """See `numgpt.kernels.set_precision`. tf32 keeps 10 bits of a factor's mantissa, bf16 7; both need no scaling."""
    global PRECISION
    capability = int(cupy.cuda.Device().compute_capability)
    if precision != "float32" and capability < AMPERE:
        raise InputError(
            f"precision {precision!r} needs a GPU of compute capability 8.0, and this one has {capability / 10}"
        )
    PRECISION = precision


def matmul(a, b):
    """a @ b, for a (..., M, K) and b (..., K, N) with the same leading axes."""
    out = cupy.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    gemm(a, b, out)
    return out


def add_product(out, a, b):
    """out += a @ b."""
    gemm(a, b, out, add=True)


def gemm(a, b, out, scale=1.0, add=False):
    """out = scale a @ b, or with add out += scale a @ b; (..., M, K) @ (..., K, N), written into (..., M, N).

    cuBLAS reads memory by columns, and so sees the transpose of what NumPy sees: it is asked for out^T = b^T a^T.
    """
    cublas, runtime = cupy.cuda.cublas, cupy.cuda.runtime
    if a.dtype == np.float64:
        factor = result = runtime.CUDA_R_64F
        compute = cublas.CUBLAS_COMPUTE_64F
    else:
        factor = result = runtime.CUDA_R_32F
        compute = cublas.CUBLAS_COMPUTE_32F_FAST_TF32 if PRECISION == "tf32" else cublas.CUBLAS_COMPUTE_32F
        if PRECISION == "bf16":
            factor, a, b = runtime.CUDA_R_16BF, bfloat16(a), bfloat16(b)
    a, transposed_a, lda, step_a = operand(a)
    b, transposed_b, ldb, step_b = operand(b)
    _, _, ldc, step_c = operand(out)
    factors = np.array([scale, add], out.dtype)  # cuBLAS reads the two from the host, before the call returns
    cublas.gemmStridedBatchedEx(
        cupy.cuda.get_cublas_handle(),
        transposed_b,
        transposed_a,
        out.shape[-1],
        out.shape[-2],
        a.shape[-1],
        factors.ctypes.data,
        b.data.ptr,
        factor,
        ldb,
        step_b,
        a.data.ptr,
        factor,
        lda,
        step_a,
        factors.ctypes.data + factors.itemsize,
        out.data.ptr,
        result,
        ldc,
        step_c,
        out.size // (out.shape[-1] * out.shape[-2]),
        compute,
        cublas.CUBLAS_GEMM_DEFAULT,
    )


def operand(x):
    """(array, transposed, ld, step): how cuBLAS finds the matrices of x, (..., M, N); in elements. x, or a copy of it.

    transposed: 0 where a row of N lies together, the next one ld further on; 1 where a column of M does. The next
    matrix begins `step` further on.
    """
    layout = matrix_layout(x)
    step = uniform_step(x)
    if layout is None or step is None:
        x = cupy.ascontiguousarray(x)
        layout, step = matrix_layout(x), uniform_step(x)
    return x, *layout, step


def matrix_layout(x):
    """(transposed, ld) of the last two axes; None where neither axis lies together."""
    rows, columns = x.shape[-2:]
    row, column = (stride // x.itemsize for stride in x.strides[-2:])
    if (column == 1 or columns == 1) and (row >= columns or rows == 1):
        return 0, max(row, columns)
    if (row == 1 or rows == 1) and (column >= rows or columns == 1):
        return 1, max(column, rows)
    return None


def uniform_step(x):
    """How far apart the matrices of x are, in elements; 0 where there is one, None where that differs."""
    step = size = 0
    for n, stride in zip(reversed(x.shape[:-2]), reversed(x.strides[:-2]), strict=True):
        if n == 1:
            continue
        if step == 0:
            step, size = stride, stride * n
        elif stride != size:
            return None
        else:
            size = stride * n
    return step // x.itemsize


def stacked(x):
    """x, or a copy of it whose matrices lie evenly apart, so that `gemm` will not copy it, or a part of it, again."""
    return operand(x)[0]


def bfloat16(x):
    """x, float32, rounded to bfloat16; as uint16, in the layout of x."""
    if matrix_layout(x) is not None and matrix_layout(x)[0]:
        return upper_half(x.swapaxes(-1, -2).view(np.uint32)).swapaxes(-1, -2)
    return upper_half(x.view(np.uint32))


@cupy.fuse
def upper_half(bits):
    """The upper 16 of 32 bits, rounded to nearest, halves to even: of a float32, the bfloat16. NaN stays NaN."""
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return cupy.where((bits & 0x7FFFFFFF) > 0x7F800000, 0x7FC0, rounded).astype(np.uint16)
