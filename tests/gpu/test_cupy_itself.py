"""What can be asked of CuPy without a GPU: whether it has what numgpt calls, and whether it can fuse the kernels.

CuPy imports on any machine. Whether the numbers are right only a GPU can say: scripts/gpu_check.py asks it.
"""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, generate, gradcheck, kernels
from numgpt.training import AdamW
from numgpt.training.optimizer import clip_gradients

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2, dropout=0.1)
FILES = [f"numgpt.kernels.gpu.{module.name}" for module in pkgutil.iter_modules([f"{kernels.__path__[0]}/gpu"])]


@pytest.fixture(scope="module")
def real():
    """CuPy, imported before the stand-in takes its name."""
    return pytest.importorskip("cupy")


@pytest.fixture
def calls(real, fake, kind):
    """Every call that training, evaluation, generation and the gradient checks make on the device."""
    fake.CALLS.clear()
    model = GPT(CONFIG, dtype="float64", device="cuda").train()
    optimizer = AdamW(model, weight_decay=0.1)
    model.loss(np.array([[1, 2, 3]]), np.array([[2, -1, 4]]))
    model.backward()
    model.zero_grad()
    clip_gradients(model, 1e-9)
    optimizer.step()
    for settings in {"temperature": 0}, {"top_k": 3, "repetition_penalty": 1.2}:
        generate(model, [[1, 2, 3], [4]], 9, seed=1, **settings)
        generate(model, [[1], [1]], 2, seed=1, **settings)
    for name in "linear", "relu", "embedding", "tied-head", "cross-entropy", "tied-cross-entropy":
        list(gradcheck.check(name, device="cuda"))
    return sorted(fake.CALLS)


def test_cupy_has_every_function_with_these_arguments(real, calls):
    assert len(calls) > 30
    for name, n_positional, keywords in calls:
        module, _, attribute = name.rpartition(".")
        function = getattr(real.ndarray if module else real, attribute, None)
        assert function is not None, f"CuPy has no {name}"
        if isinstance(function, real.ufunc):
            assert set(keywords) <= {"out", "dtype", "casting"}, (name, keywords)
            continue
        try:
            signature = inspect.signature(function)
        except ValueError:
            continue  # compiled: its existence is all that can be read
        others = dict.fromkeys(keywords)
        try:
            signature.bind(*[None] * (n_positional + bool(module)), **others)
        except TypeError as error:
            pytest.fail(f"{name}{signature} with {n_positional} arguments and {keywords}: {error}")


def test_cupy_has_the_methods_and_the_rest(real, fake_module):
    for name in [*fake_module.METHODS, *fake_module.ATTRIBUTES, "data", "get", "__iter__", "__array_function__"]:
        assert hasattr(real.ndarray, name), name
    for name in ["CUDA_R_32F", "CUDA_R_64F", "CUDA_R_16BF"]:
        assert getattr(real.cuda.runtime, name) == getattr(fake_module.Runtime, name)
    for name in ["getDeviceCount", "getDeviceProperties", "memGetInfo", "runtimeGetVersion", "driverGetVersion"]:
        assert hasattr(real.cuda.runtime, name), name
    assert callable(real.cuda.get_cublas_handle)
    assert all(hasattr(real.cuda.Device, name) for name in ("id", "synchronize", "compute_capability"))
    assert callable(importlib.import_module("cupyx").scatter_add)
    assert issubclass(real.cuda.compiler.CompileException, Exception)


def test_numpy_asks_cupy_for_what_is_to_be_like_its_arrays(real, monkeypatch):
    """By NEP 35, which the definitions rely on: numpy.asarray(x, like=y) is cupy.asarray(x)."""
    asked, y = [], on_no_device(real, "f", 1)
    for name in "asarray", "arange":
        monkeypatch.setattr(real, name, lambda *args, name=name: asked.append((name, args)))
    np.asarray([1], like=y)
    np.arange(3, like=y)
    assert asked == [("asarray", ([1],)), ("arange", (3,))]


def test_cublas_is_called_as_cupy_has_it(real, fake_module):
    try:
        cublas = real.cuda.cublas
    except ImportError as error:
        pytest.skip(str(error))
    for name, value in vars(fake_module.Cublas).items():
        if name.startswith("CUBLAS_"):
            assert getattr(cublas, name) == value, name
    arguments = cublas.gemmStridedBatchedEx.__doc__.partition("(")[2].split(",")  # compiled, it has no signature
    assert len(arguments) == len(inspect.signature(fake_module.Cublas.gemmStridedBatchedEx).parameters)


@pytest.fixture
def fused(real, kernels_run, fresh_kernels):
    """name -> the fused functions of the kernels, as CuPy made them."""
    modules = {file.rpartition(".")[2]: importlib.import_module(file) for file in FILES}
    kind = type(modules["gelu"].gelu)
    return {name: f for module in modules.values() for name, f in vars(module).items() if isinstance(f, kind)}


@pytest.fixture
def fusions(real, fused):
    """(name, arguments, history, kernel) of each formula, as CuPy translates it to CUDA for float32."""
    fusion = pytest.importorskip("cupy._core.fusion")
    if not hasattr(fusion, "_FusionHistory"):
        pytest.skip("this CuPy fuses in another way")
    x, rows, row, flat = (on_no_device(real, "f", ndim) for ndim in (3, 2, 1, 1))
    bits, dropped = on_no_device(real, "I", 2), on_no_device(real, "?", 3)
    arguments = {
        "gelu": (x,),
        "gelu_and_slope": (x,),
        "squared_deviation": (x, x),
        "reciprocal_root": (x, 0.1, 1e-5),
        "scale_and_shift": (x, x, x, row, row),
        "sums_of_products": (x, x),
        "row_sum": (rows, row),
        "row_projection": (rows, row, rows),
        "take_out": (rows, row, rows, rows, rows, rows, 0.1),
        "log_sum": (x, x, x),
        "hashed_below": (bits, 2**32 - 1, 5, 2**31),
        "adamw_pass": (flat, flat, flat, flat, 0.1, 0.1, 0.1, 1.5, 1e-8, 0.9),
        "exp_difference": (x, x),
        "exp_in_place": (rows, rows),
        "softmax_backward": (x, x, x),
        "drop_scaled": (x, dropped, 1.1),
        "upper_half": (bits,),
    }
    assert arguments.keys() == fused.keys()
    return [(name, args, *fuse(fusion, fused[name].func, args, name)) for name, args in arguments.items()]


def fuse(fusion, function, args, name):
    """(history, kernel): what CuPy does when a fused function is first called, but for the call."""
    history = fusion._FusionHistory()
    fusion._thread_local.history, fusion._thread_local.is_old_fusing = history, True
    try:
        kernel, _ = history.get_fusion(function, args, name)
    finally:
        fusion._thread_local.history, fusion._thread_local.is_old_fusing = None, False
    return history, kernel


def test_cupy_fuses_every_kernel_without_leaving_float32(fusions):
    """With float32 arrays, no operation may be in float64."""
    for name, _, history, kernel in fusions:
        types = {str(dtype) for op in history.op_list for dtype, _ in op.submodule.in_params}
        assert "float64" not in types, (name, types)
        assert {str(parameter.dtype) for parameter in kernel.out_params} <= {"float32", "bool", "uint16"}, name


def test_cuda_compiles_every_kernel(real, fusions):
    """NVRTC needs no GPU; it and CUDA's headers come with cupy-cuda12x[ctk]."""
    try:
        compile_for_hopper(real, "", "headers alone")
    except (ImportError, RuntimeError, real.cuda.compiler.CompileException) as error:
        pytest.skip(f"no NVRTC, or not its headers: {error}")
    for name, args, _, kernel in fusions:
        assert compile_for_hopper(real, cuda_source(real, kernel, args), name)


def compile_for_hopper(cupy, source, name):
    from cupy._core import core

    headers = "".join(f"#include <{header}>\n" for header in core._cupy_header_list)
    program = cupy.cuda.compiler._NVRTCProgram(headers + source, f"{name}.cu")
    return program.compile((*core.assemble_cupy_compiler_options(()), "-arch=compute_90"))[0]


def cuda_source(cupy, kernel, args):
    """The source that CuPy would compile for these arguments."""
    from cupy._core import _carray, _kernel, _reduction, _scalar

    def info(kind, of, dtype, ndim):
        return _kernel._ArgInfo(kind, of, dtype, ndim, True, True)

    array, indexer, scalar = 1, 2, 3
    ndim = max(arg.ndim for arg in args if isinstance(arg, cupy.ndarray))
    infos = [
        info(array, cupy.ndarray, arg.dtype, ndim)
        if isinstance(arg, cupy.ndarray)
        else info(scalar, _scalar.CScalar, np.dtype(type(arg)), 0)
        for arg in args
    ]
    reduces = isinstance(kernel, _reduction.ReductionKernel)
    infos += [info(array, cupy.ndarray, np.dtype(out.dtype), ndim - reduces) for out in kernel.out_params]
    infos.append(info(indexer, _carray.Indexer, None, ndim))
    if not reduces:
        return _kernel._get_elementwise_kernel_code(
            tuple(infos), _kernel._TypeMap(()), kernel.params, kernel.operation, kernel.name, kernel.preamble
        )
    infos += [info(indexer, _carray.Indexer, None, ndim - 1), info(scalar, _scalar.CScalar, np.dtype("i"), 0)]
    formula = kernel.reduce_type, kernel.identity, kernel.map_expr, kernel.reduce_expr, kernel.post_map_expr
    return _reduction._ReductionKernel_get_cached_function_code(
        *(kernel.nin, kernel.nout, kernel._params, tuple(infos), _kernel._TypeMap((("IndexT", "int32"),))),
        *(kernel.name, 512, *formula, kernel.preamble, kernel.options),
    )


def on_no_device(cupy, dtype, ndim):
    """An array that must not be read: it lies nowhere."""
    nowhere = cupy.cuda.UnownedMemory(4096, 4096, None, 0)
    return cupy.ndarray((2,) * ndim, dtype, memptr=cupy.cuda.MemoryPointer(nowhere, 0))


def test_without_a_gpu_there_is_one_clear_line(real):
    if has_gpu(real):
        pytest.skip("this machine has a GPU")
    code = "import sys; from numgpt.cli import main; sys.exit(main(['gradcheck', '--device', 'cuda']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("numgpt: device 'cuda' cannot be used: ")
    assert error.endswith("device 'cpu' works")


def has_gpu(cupy):
    try:
        return cupy.cuda.runtime.getDeviceCount() > 0
    except RuntimeError:
        return False
