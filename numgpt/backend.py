"""Which array module an array belongs to, and moving arrays between the host and a GPU.

Only this file and kernels/gpu/ import CuPy, and only once a GPU is asked for.
"""

import os
from decimal import Decimal
from pathlib import Path

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted

DEVICES = ("cpu", "cuda")
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
UNKNOWN_MEMORY = 2**40  # bytes that a machine is taken to have if it does not tell
INSTALL = "pip install 'numgpt[cuda12]' (or numgpt[cuda13], whichever your driver supports)"


def array_module(x):
    """The module that the array `x` belongs to: NumPy or CuPy. Its asarray moves another array to the device of `x`."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np
    import cupy

    return cupy


def check_device(device):
    """Raise InputError unless `device` is "cpu", or "cuda" with a GPU that can be used."""
    if not isinstance(device, str) or device not in DEVICES:
        raise InputError(f"unknown device {quoted(device)}: there are 'cpu' and 'cuda' (an NVIDIA GPU)")
    if device == "cuda":
        problem = cuda_problem()
        if problem:
            raise InputError(f"device 'cuda' cannot be used: {problem}; device 'cpu' works")


def cuda_problem():
    """Why no GPU can be used and what to do, in one line; None if one can."""
    try:
        import cupy
    except ImportError as error:
        if getattr(error, "name", None) == "cupy":
            return f"CuPy is not installed: {INSTALL}"
        return f"CuPy cannot be imported ({first_line(error)}): {INSTALL}"
    try:
        if not cupy.cuda.runtime.getDeviceCount():
            return "there is no NVIDIA GPU"
    except RuntimeError as error:
        return f"no GPU answers ({first_line(error)}): install or update NVIDIA's driver"
    try:
        cupy.cuda.cublas.getVersion(cupy.cuda.get_cublas_handle())
        cupy.add(cupy.zeros(1), 1)  # compiling it needs CUDA's headers beside the compiler
    except (ImportError, AttributeError, OSError, RuntimeError, cupy.cuda.compiler.CompileException) as error:
        return f"CUDA's libraries are missing or do not fit ({first_line(error)}): {INSTALL}"
    return None


def first_line(error):
    """The first line of an error's text, or its name if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def to_device(x, device):
    """The array `x` on `device`, "cpu" or "cuda", copied only if it is not there already."""
    if device == "cpu":
        return to_host(x)
    import cupy

    return cupy.asarray(x)


def to_host(x):
    """A NumPy array with the values of `x`: `x` itself if it is one, else a copy."""
    return np.asarray(x) if array_module(x) is np else x.get()


def synchronize(device):
    """Wait until the device has finished all its work; the CPU has when a function returns."""
    if device == "cuda":
        import cupy

        cupy.cuda.Device().synchronize()


def gpu_figures():
    """(name, value) of the GPU for `numgpt info`: what it is and its memory, or why there is none."""
    problem = cuda_problem()
    if problem:
        return [("GPU", f"none: {problem}")]
    import cupy

    runtime = cupy.cuda.runtime
    name = runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    free, total = runtime.memGetInfo()
    return [
        ("GPU", name),
        ("GPU memory", f"{free / 1e9:.1f} GB free of {total / 1e9:.1f} GB"),
        ("CuPy", cupy.__version__),
        ("CUDA runtime, driver", f"{runtime.runtimeGetVersion()}, {runtime.driverGetVersion()}"),
    ]


def float_type(dtype):
    """`dtype` as a NumPy dtype. Raises InputError unless it is float32 or float64, by name or as a dtype."""
    for found in np.dtype(np.float32), np.dtype(np.float64):
        if dtype is found.type or isinstance(dtype, str | np.dtype) and str(dtype) == found.name:
            return found
    raise InputError(f"dtype must be float32 or float64, not {quoted(dtype)}")


def device_of(x):
    """The device, "cpu" or "cuda", that the array `x` is on."""
    return "cpu" if array_module(x) is np else "cuda"


def check_memory(n_bytes, what, device="cpu"):
    """Raise InputError if `what`, which takes `n_bytes`, exceeds the device's memory; nothing is allocated."""
    limit = memory_of(device)
    if n_bytes > limit:
        where = "this machine" if device == "cpu" else "the GPU"
        raise InputError(f"{what} takes {gigabytes(n_bytes)}, and {where} has {gigabytes(limit)}: choose smaller sizes")


def memory_of(device):
    """How many bytes of memory a device has; for the machine, at most the limits of the process and its container."""
    if device == "cuda":
        import cupy

        return cupy.cuda.runtime.memGetInfo()[1]
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    for path in map(Path, CONTAINER_LIMITS):
        text = path.read_text("ascii").strip() if path.is_file() else ""
        limits += [int(text)] if text.isdecimal() else []
    return min((limit for limit in limits if limit > 0), default=UNKNOWN_MEMORY)  # -1 is no limit


def gigabytes(n_bytes):
    """`n_bytes` as a text for readers, whatever the size."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes < 10**15 else f"{Decimal(n_bytes):.1e} bytes"
