"""A stand-in for CuPy on a machine without a GPU: its arrays wrap NumPy's and are as unforgiving as CuPy's.

They refuse to become NumPy arrays unasked and to meet them, are 0-d where NumPy gives a scalar, wrap indices that are
out of range, and take only those arguments that CuPy's functions know. What is called on them is written down in
`CALLS`, each transfer of one number to the host, for which a GPU would have to be waited for, in `SYNCS`. Memory that
nothing was written to is NaN. cuBLAS is played by a product that reads the memory that it is pointed to.
"""

import ctypes
import sys
import types

import numpy as np

CALLS = set()  # (name, number of positional arguments, names of the others)
SYNCS = []
ALLOCATED = {}  # address -> (first byte, byte after the last) of the array that it points into
UFUNC_KEYWORDS = {"out", "dtype", "casting"}
SCALARS = bool | int | float | np.bool_ | np.number


def called(name, args, kwargs):
    CALLS.add((name, len(args), tuple(sorted(kwargs))))


def unwrap(value):
    """What NumPy is to compute with, in place of `value`, an argument. A NumPy array is refused, as CuPy refuses it."""
    if isinstance(value, ndarray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: the array lies on the host")
    if isinstance(value, tuple | list):
        return type(value)(unwrap(part) for part in value)
    return value


def wrap(value):
    """Arrays as device arrays, numbers as 0-d ones."""
    if isinstance(value, tuple | list):
        return type(value)(wrap(part) for part in value)
    return ndarray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


class Memory:
    """`ndarray.data`: where the array begins."""

    def __init__(self, array):
        self.ptr = array.__array_interface__["data"][0]
        whole = array
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        ALLOCATED[self.ptr] = np.lib.array_utils.byte_bounds(whole)


def method(name):
    def call(self, *args, **kwargs):
        called(f"ndarray.{name}", args, kwargs)
        if "where" in kwargs or "initial" in kwargs:
            raise TypeError(f"{name}() got an unexpected keyword argument")
        return wrap(getattr(self._array, name)(*unwrap(args), **{k: unwrap(v) for k, v in kwargs.items()}))

    return call


def attribute(name):
    return property(lambda self: wrap(getattr(self._array, name)))


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):  # noqa: N801, CuPy's name
    """CuPy's array, as far as numgpt may rely on it."""

    def __init__(self, array):
        self._array = array

    @property
    def data(self):
        return Memory(self._array)

    def get(self):
        return self._array.copy()

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, how, *inputs, **kwargs):
        assert how == "__call__", f"{ufunc.__name__}.{how}"
        called(ufunc.__name__, inputs, kwargs)
        if set(kwargs) - UFUNC_KEYWORDS:
            raise TypeError(f"{ufunc.__name__}() got an unexpected keyword argument {kwargs}")
        for value in (*inputs, *kwargs.get("out", ())):
            if not isinstance(value, ndarray | SCALARS):
                raise TypeError(f"Unsupported type {type(value)}")
        out = kwargs.pop("out", None)
        if out:
            kwargs["out"] = unwrap(out)
        result = ufunc(*unwrap(inputs), **kwargs)
        return out[0] if out else wrap(result)

    def __array_function__(self, function, types, args, kwargs):
        """NumPy asks for its function's namesake, also when it is to make a new array that is `like` this one."""
        if not all(issubclass(kind, ndarray) for kind in types):
            raise TypeError(f"{function.__name__}: an array lies on the host")
        return getattr(sys.modules["cupy"], function.__name__)(*args, **kwargs)

    def __len__(self):
        return len(self._array)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def _index(self, key):
        """(key for NumPy, whether CuPy gives a view)."""
        parts, basic, axis = [], True, 0
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, np.ndarray | list):
                raise TypeError("an index lies on the host")
            if isinstance(part, ndarray):
                basic = False
                part = part._array if part.dtype == bool else part._array % self.shape[axis]
            parts.append(part)
            axis += 0 if part is None or part is Ellipsis else 1
        return tuple(parts), basic

    def __getitem__(self, key):
        parts, basic = self._index(key)
        if basic and Ellipsis not in parts:
            parts = (*parts, Ellipsis)  # so that NumPy, too, gives a 0-d view and not a number
        return wrap(self._array[parts])

    def __setitem__(self, key, value):
        parts, _ = self._index(key)
        if not isinstance(value, ndarray | SCALARS):
            raise TypeError(f"Unsupported type {type(value)}")
        self._array[parts] = unwrap(value)

    def _number(self, kind):
        if self.size != 1:
            raise TypeError("only an array of one element can be converted to a Python number")
        SYNCS.append(kind)
        return kind(self._array.item())

    def __float__(self):
        return self._number(float)

    def __int__(self):
        return self._number(int)

    def __bool__(self):
        return self._number(bool)

    def __index__(self):
        raise TypeError("an array on the device is no index")


METHODS = [
    "sum",
    "mean",
    "max",
    "argmax",
    "all",
    "any",
    "reshape",
    "swapaxes",
    "transpose",
    "copy",
    "fill",
    "astype",
    "view",
]
ATTRIBUTES = ["shape", "dtype", "ndim", "size", "strides", "itemsize", "nbytes", "T"]
for name in METHODS:
    setattr(ndarray, name, method(name))
for name in ATTRIBUTES:
    setattr(ndarray, name, attribute(name))


def place(array):
    """A copy of a NumPy array on the device in the very layout that it has here, which `asarray` may change."""
    first, end = np.lib.array_utils.byte_bounds(array)
    memory = np.empty((end - first) // array.itemsize, array.dtype)
    moved = np.lib.stride_tricks.as_strided(memory, array.shape, array.strides)
    moved[...] = array
    return ndarray(moved)


def asarray(a, dtype=None):
    """The one way from the host to the device."""
    called("asarray", (a,), {} if dtype is None else {"dtype": dtype})
    return a if isinstance(a, ndarray) else ndarray(np.array(a, dtype))


def empty(shape, dtype=float):
    called("empty", (shape, dtype), {})
    dtype = np.dtype(dtype)
    return ndarray(np.full(shape, np.nan if dtype.kind == "f" else 99, dtype))


def empty_like(prototype, dtype=None, shape=None):
    called("empty_like", (prototype,), {"dtype": dtype, "shape": shape})
    return empty(prototype.shape if shape is None else shape, dtype or prototype.dtype)


def fuse(function):
    """What CuPy would compile into one kernel is run line by line, with the kinds of arguments that it admits."""

    def fused(*args):
        assert any(isinstance(arg, ndarray) for arg in args), f"{function.__name__}: no array on the device"
        assert all(isinstance(arg, ndarray | SCALARS) for arg in args), f"{function.__name__}: {args}"
        return function(*args)

    return fused


def scatter_add(a, slices, value):
    np.add.at(a._array, unwrap(slices) % len(a), unwrap(value))


def matrices(address, kind, rows, columns, ld, step, count):
    """`count` matrices that lie by columns, ld apart, from an address on; what is read must belong to one array."""
    assert ld >= max(1, rows), f"ld {ld} for {rows} rows"
    size = {0: 4, 1: 8, 14: 2}[kind]
    n = (count - 1) * step + (columns - 1) * ld + rows
    first, end = ALLOCATED[address]
    assert first <= address, "before the array"
    assert address + n * size <= end, "beyond the end of the array"
    memory = np.frombuffer((ctypes.c_char * (n * size)).from_address(address), {0: "f4", 1: "f8", 14: "u2"}[kind])
    strides = step * size, size, ld * size
    return np.lib.stride_tricks.as_strided(memory, (count, rows, columns), strides, writeable=True)


def bfloat16_values(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def tf32_values(x):
    return ((np.ascontiguousarray(x).view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


class Cublas:
    CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_32F_FAST_TF32 = 68, 70, 77
    CUBLAS_GEMM_DEFAULT = -1

    @staticmethod
    def getVersion(handle):  # noqa: N802, cuBLAS's name
        return 120000

    @staticmethod
    def gemmStridedBatchedEx(  # noqa: N802, cuBLAS's name
        handle, transa, transb, m, n, k, alpha, a, a_kind, lda, step_a, b, b_kind, ldb, step_b,
        beta, c, c_kind, ldc, step_c, count, compute, algorithm,
    ):  # fmt: skip
        """C = alpha op(A) op(B) + beta C, by columns, as cuBLAS documents it; C is not read where beta is 0."""
        for value in (handle, transa, transb, m, n, k, alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, count):
            assert type(value) is int, value
        left = matrices(a, a_kind, *((k, m) if transa else (m, k)), lda, step_a, count)
        right = matrices(b, b_kind, *((n, k) if transb else (k, n)), ldb, step_b, count)
        out = matrices(c, c_kind, m, n, ldc, step_c, count)
        left, right = (x.swapaxes(1, 2) if t else x for x, t in ((left, transa), (right, transb)))
        if a_kind == 14:
            left, right = bfloat16_values(left), bfloat16_values(right)
        elif compute == 77:
            left, right = tf32_values(left), tf32_values(right)
        number = ctypes.c_double if compute == 70 else ctypes.c_float
        alpha, beta = (number.from_address(address).value for address in (alpha, beta))
        product = alpha * (left @ right)
        out[...] = product.astype(out.dtype) if beta == 0 else (product + beta * out).astype(out.dtype)


class Runtime:
    CUDA_R_32F, CUDA_R_64F, CUDA_R_16BF = 0, 1, 14

    @staticmethod
    def getDeviceCount():  # noqa: N802, CUDA's name
        return 1

    @staticmethod
    def getDeviceProperties(device):  # noqa: N802, CUDA's name
        return {"name": b"a GPU that is played by NumPy"}

    @staticmethod
    def memGetInfo():  # noqa: N802, CUDA's name
        return 6_000_000_000, 8_000_000_000

    @staticmethod
    def runtimeGetVersion():  # noqa: N802, CUDA's name
        return 12090

    driverGetVersion = runtimeGetVersion  # noqa: N815, CUDA's name


class CompileException(Exception):  # noqa: N818, CuPy's name
    pass


class Device:
    id = 0
    compute_capability = "90"

    def synchronize(self):
        SYNCS.append(None)


class FakeCupy(types.ModuleType):
    """Of the functions that are not here, NumPy's, on what the arrays wrap."""

    def __getattr__(self, name):
        function = getattr(np, name)
        if isinstance(function, type) or not callable(function):
            return function

        def on_device(*args, **kwargs):
            if isinstance(function, np.ufunc) and any(isinstance(arg, ndarray) for arg in args):
                return function(*args, **kwargs)  # by __array_ufunc__
            called(name, args, kwargs)
            return wrap(function(*unwrap(args), **{k: unwrap(v) for k, v in kwargs.items()}))

        return on_device


def install(setitem):
    """Have `import cupy` find this; setitem is that of pytest's monkeypatch. Returns the module."""
    cupy, cupyx = FakeCupy("cupy"), types.ModuleType("cupyx")
    cupy.__version__ = "fake"
    cupy.ndarray, cupy.asarray, cupy.empty, cupy.empty_like, cupy.fuse = ndarray, asarray, empty, empty_like, fuse
    cupy.cuda = types.SimpleNamespace(
        cublas=Cublas,
        runtime=Runtime,
        compiler=types.SimpleNamespace(CompileException=CompileException),
        get_cublas_handle=lambda: 1,
        Device=Device,
    )
    cupyx.scatter_add = scatter_add
    setitem(sys.modules, "cupy", cupy)
    setitem(sys.modules, "cupyx", cupyx)
    return cupy
